"""Values that came out of a sandbox, as objects that are safe to compare: ours, every one.

A value is rebuilt from its bytes by `harness.sandbox.values`. Exact builtins stay what they are.
Of other types only those are rebuilt whose comparison is known: subclasses that kept their
builtin's (they count as the builtin), Counter, OrderedDict, Decimal, Fraction, numpy scalars and
arrays of numbers and texts. An object of any other type becomes `Stranger`, which equals nothing.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from harness.sandbox import values
from harness.sandbox.job import Returned

Undecodable = values.Unreadable
BUDGET = values.Budget(nodes=5_000_000)
"""What reading one value may cost: some seconds at the very worst."""

_NUMBERS = re.compile(r"[<>|=]?[biufc]\d{1,2}")
_TEXTS = re.compile(r"[<>|=]?[US]\d+")
_strange = itertools.count()
_REBUILT = {"collections.Counter": Counter, "collections.OrderedDict": OrderedDict}


class Stranger:
    """An object of a type whose comparison is not known; equal to nothing, itself included."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(frozen=True, slots=True)
class Value:
    """A value, and what type it had in the sandbox."""

    object: Any
    type: str
    """Full name: ``builtins.list``, ``numpy.float64`` …"""

    @classmethod
    def of(cls, value: Any) -> Value:
        """Return the value of an object of ours."""
        kind = type(value)
        return cls(value, f"{kind.__module__}.{kind.__qualname__}")


def value_of(returned: Returned) -> Value:
    """Return the value in what came back.

    Raises:
        Undecodable: it holds none, or one beyond the budget.
    """
    decoded = values.decode(returned, BUDGET)
    if returned.kind == "value":
        return Value.of(decoded)
    rebuilt = _rebuilt(decoded)
    if isinstance(decoded, values.Subclass | values.Opaque):
        return Value(rebuilt, decoded.type_name)
    return Value.of(rebuilt)


def _rebuilt(value: Any) -> Any:
    """Return an object of ours for a decoded value."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return kind(_rebuilt(item) for item in value)
    if kind is dict:
        return {_rebuilt(k): _rebuilt(v) for k, v in value.items()}
    try:
        if kind is values.Subclass:
            inner = _rebuilt(value.value)
            known = _REBUILT.get(value.type_name)
            return known(inner) if known and type(inner) is dict else inner
        if kind is values.Numpy:
            return _numpy(value)
        if kind is values.DecimalText:
            return Decimal(value.text)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Undecodable(f"a {kind.__name__} that is none: {error}") from None
    if kind is values.Ratio:
        return Fraction(value.numerator, value.denominator)
    return Stranger(value.type_name) if kind is values.Opaque else value


def _numpy(value: values.Numpy) -> Any:
    """Return a numpy scalar or array; of other types than numbers and texts what is in it."""
    import numpy as np

    items = [_rebuilt(item) for item in value.values]
    if _NUMBERS.fullmatch(value.dtype):
        array = np.array(items, dtype=value.dtype)
    elif value.shape is None:
        return items[0]
    elif _TEXTS.fullmatch(value.dtype) and items:
        array = np.array(items)
    else:
        array = np.empty(len(items), dtype=object)
        array[:] = items
    return array[0] if value.shape is None else array.reshape(value.shape)


def equal(returned: Returned, expected: Any, *, tuples_are_lists: bool = False) -> bool:
    """Return whether a value equals an expected one of exact builtins, as ``==`` has it.

    With `tuples_are_lists` a tuple at the top counts as a list.
    """
    if returned.kind not in ("value", "tagged"):
        return False
    try:
        value = value_of(returned).object
        if tuples_are_lists and isinstance(value, tuple):
            value = list(value)
        return bool(value == expected)
    except Exception:  # arrays without one truth value, bytes that are no value
        return False


def distinct(value: Any) -> frozenset[bytes]:
    """Return what stands for ``set(value)``: one key per distinct item.

    Unlike a set of the items themselves it takes the same time for items made to collide.

    Raises:
        TypeError: the value cannot be iterated, or an item has no hash.
    """
    return frozenset(key(item, hashed=True) for item in value)


def key(value: Any, *, hashed: bool = False, digits: int | None = None) -> bytes:
    """Return bytes that are equal for equal values (of builtins, Decimal and Fraction: numbers by
    value, whatever their type) and different for others.

    Args:
        value: what to encode.
        hashed: as an item of a set: what has no hash is refused, and NaN is not like NaN.
        digits: round floats to so many significant digits first.

    Raises:
        TypeError: an item without a hash, where one is asked for.
    """
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return b"u%d:" % len(data) + data
    if isinstance(value, bytes):
        return b"b%d:" % len(value) + value
    if hashed and value != value:
        return b"n%d" % next(_strange)
    number = _number(value, digits)
    if number is not None:
        return number
    if isinstance(value, tuple):
        return b"(" + b"".join(key(item, hashed=hashed, digits=digits) for item in value) + b")"
    if isinstance(value, frozenset) or (isinstance(value, set) and not hashed):
        return b"<" + b"".join(sorted(key(v, hashed=hashed, digits=digits) for v in value)) + b">"
    if hashed and isinstance(value, list | dict | set):
        raise TypeError(f"unhashable type: {type(value).__name__!r}")
    if isinstance(value, list):
        return b"[" + b"".join(key(item, digits=digits) for item in value) + b"]"
    if isinstance(value, dict):
        items = (key(k, digits=digits) + key(v, digits=digits) for k, v in value.items())
        return b"{" + b"".join(sorted(items)) + b"}"
    if hasattr(value, "dtype"):
        if hashed and value.shape:
            raise TypeError("unhashable type: 'numpy.ndarray'")
        return b"a" + key(value.tolist(), digits=digits)
    return b"o" + repr(value).encode("utf-8", "replace")


def _number(value: Any, digits: int | None) -> bytes | None:
    if hasattr(value, "dtype") and not getattr(value, "shape", ()) and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, complex):
        if value.imag:
            return b"c" + key(value.real, digits=digits) + key(value.imag, digits=digits)
        value = value.real
    if isinstance(value, int):
        return b"i%x;" % value
    if isinstance(value, float):
        if digits is not None:
            value = float(f"{value:.{digits}g}")
        return b"i%x;" % int(value) if value.is_integer() else b"f" + value.hex().encode() + b";"
    if isinstance(value, Decimal):
        if not value.is_finite():
            return key(float(value))
        if value.adjusted() > 5_000 or value.adjusted() < -5_000:
            return b"d" + str(value.normalize()).encode() + b";"
        value = Fraction(value)
    if isinstance(value, Fraction):
        if value.denominator == 1:
            return b"i%x;" % value.numerator
        near = float(value) if abs(value) < 1e300 else None
        if near is not None and Fraction(near) == value:
            return key(near, digits=digits)
        return b"q%x/%x;" % (value.numerator, value.denominator)
    return None
