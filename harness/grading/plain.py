"""Values that came out of a sandbox, as objects that are safe to compare: ours, every one.

A value is rebuilt from its bytes by `harness.sandbox.values`. Exact builtins stay what they are.
Of other types only those are rebuilt whose comparison is known: subclasses that kept their
builtin's (they count as the builtin), Counter, OrderedDict, Decimal, Fraction, numpy scalars and
arrays of numbers. An object of any other type becomes `Opaque`, which equals nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.sandbox.job import Returned

_SHOWN_BYTES = 2048
"""Never repr more than this: one huge integer takes minutes."""


class Undecodable(ValueError):
    """Bytes that are no value, or one that is nested too deeply or too large to look at."""


class Opaque:
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


def preview(returned: Returned) -> str:
    """Return a value for people, at most 300 characters."""
    if returned.kind in ("raised", "out_of_memory"):
        return returned.data.decode("utf-8", "replace")[:300] or "MemoryError"
    if returned.kind == "large" or returned.size > _SHOWN_BYTES:
        return f"<a value of {returned.size:,} bytes>"
    try:
        return repr(value_of(returned).object)[:300]
    except Exception:
        return "<no value>"


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
        value: what to encode; NaN is like NaN here.
        hashed: refuse what has no hash.
        digits: round floats to so many significant digits first.

    Raises:
        TypeError: an item without a hash, where one is asked for.
    """
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return b"u%d:" % len(data) + data
    if isinstance(value, bytes):
        return b"b%d:" % len(value) + value
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
    from decimal import Decimal
    from fractions import Fraction

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
