"""Values that crossed the wall: bytes of expected ones, and untrusted bytes back into values.

`encode` writes what a child writes, so a grader compares bytes first and decodes only if they
differ. `decode` is a reader of our own for the format (`harness.sandbox.reader`), with limits on
depth, nodes and bytes; it runs no code and builds nothing but builtins, and small records for what
is no builtin, which say enough to apply a grader's rules outside.
"""

from __future__ import annotations

import hashlib
import re
import reprlib
from dataclasses import dataclass
from typing import Any

from harness.sandbox import reader
from harness.sandbox.inside import encoding, report
from harness.sandbox.job import Returned
from harness.sandbox.reader import Budget, Unreadable

PREVIEW = 200
PREVIEW_BYTES = 4096
"""Encodings that are longer are described, not shown."""


@dataclass(frozen=True, slots=True)
class Subclass:
    """An object of a subclass of a builtin that kept the builtin's comparison."""

    base: str
    """Name of the builtin: ``list``, ``dict`` …"""
    type_name: str
    """``collections.Counter``, say."""
    value: Any
    """The builtin inside."""


@dataclass(frozen=True, slots=True)
class Numpy:
    """A numpy scalar (`shape` None) or array."""

    dtype: str
    """As in ``numpy.dtype.str``: ``<f8``."""
    shape: tuple[int, ...] | None
    values: tuple[Any, ...]
    """Flat, in C order."""


@dataclass(frozen=True, slots=True)
class DecimalText:
    """A decimal.Decimal, as text that is known to be a decimal number."""

    text: str


@dataclass(frozen=True, slots=True)
class Ratio:
    """A fractions.Fraction."""

    numerator: int
    denominator: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """An object of some other type; it equals nothing."""

    type_name: str


def encode(value: object) -> bytes:
    """Return the bytes that a child writes for an equal value of equal type.

    Raises:
        ValueError: nested too deeply.
    """
    return encoding.encode(value)


def same(encoded: bytes, returned: Returned) -> bool:
    """Whether what came back is byte for byte the value that was encoded."""
    if returned.kind == "large":
        return returned.size == len(encoded) and returned.data == digest(encoded)
    return returned.kind in ("value", "tagged") and returned.data == encoded


def digest(encoded: bytes) -> bytes:
    """Return what stands for a value whose encoding is long (over `INLINE` bytes)."""
    return hashlib.blake2b(encoded, digest_size=32).digest()


INLINE = report.INLINE


def decode(returned: Returned, budget: Budget | None = None) -> Any:
    """Return a value that came back.

    Raises:
        Unreadable: it holds no value, is malformed or exceeds the budget.
    """
    if returned.kind not in ("value", "tagged"):
        raise Unreadable(f"no value: {returned.kind}")
    return decode_bytes(returned.data, budget)


def decode_bytes(data: bytes, budget: Budget | None = None) -> Any:
    """Return the value of an encoding.

    Raises:
        Unreadable: malformed, or beyond the budget.
    """
    budget = budget or Budget()
    # A tag is a tuple around a list: three levels of the encoding for one of the value.
    deeper = Budget(3 * budget.depth + 3, budget.nodes, budget.bytes)
    try:
        if not data.startswith(encoding.TAGGED):
            return reader.read(data, budget)
        return _Untag(budget.depth).value(reader.read(data[1:], deeper), 0)
    except RecursionError:
        raise Unreadable("nested too deeply") from None


class _Untag:
    """Turns a tagged tree into values and records."""

    def __init__(self, depth: int) -> None:
        self._depth = depth

    def value(self, tree: Any, depth: int) -> Any:
        if type(tree) is not tuple:
            if isinstance(tree, (list, dict, set, frozenset)):
                raise Unreadable("a container without a tag")
            return tree
        if not tree or depth > self._depth:
            raise Unreadable("an empty tag" if not tree else "nested too deeply")
        tag, *rest = tree
        match tag, rest:
            case ("l" | "t" | "s" | "f", [list(items)]):
                return self._container(tag, items, depth)
            case "d", [list(items)]:
                return self._dict(items, depth)
            case "sub", [str(base), str(name), inner]:
                return Subclass(base, name, self.value(inner, depth + 1))
            case "np", [str(dtype), shape, list(items)]:
                return Numpy(dtype, _shape(shape, len(items)), self._all(items, depth))
            case "dec", [str(text)]:
                return DecimalText(_number(text))
            case "frac", [int(over), int(under)] if under > 0:
                return Ratio(over, under)
            case "op", [str(name)]:
                return Opaque(name)
        raise Unreadable("an unknown tag")

    def _all(self, items: list[Any], depth: int) -> tuple[Any, ...]:
        return tuple(self.value(item, depth + 1) for item in items)

    def _container(self, tag: str, items: list[Any], depth: int) -> Any:
        values = self._all(items, depth)
        if tag in "lt":
            return list(values) if tag == "l" else values
        reader.check_hashes(values)
        return set(values) if tag == "s" else frozenset(values)

    def _dict(self, items: list[Any], depth: int) -> dict[Any, Any]:
        pairs = []
        for item in items:
            if type(item) is not tuple or len(item) != 2:
                raise Unreadable("a pair that is none")
            pairs.append((self.value(item[0], depth + 1), self.value(item[1], depth + 1)))
        reader.check_hashes([key for key, _ in pairs])
        return dict(pairs)


def _shape(shape: Any, count: int) -> tuple[int, ...] | None:
    """Return the shape of an array, once it fits the number of values."""
    if shape is None and count == 1:
        return None
    if type(shape) is not tuple or len(shape) > 64:
        raise Unreadable("a shape that is none")
    size = 1
    for length in shape:
        if type(length) is not int or not 0 <= length <= 2**40:
            raise Unreadable("a shape that is none")
        size *= length
        if size > 2**40:
            raise Unreadable("a shape that is none")
    if size != count:
        raise Unreadable("a shape that does not fit")
    return shape


def _number(text: str) -> str:
    """Return a Decimal's text if it is one; building the number is left to who needs it."""
    if len(text) > 100_000 or not _DECIMAL.fullmatch(text):
        raise Unreadable("a decimal that is none")
    return text


# Exponents of at most six digits: one of nine makes arithmetic outside take for ever.
_DECIMAL = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:E[+-]?[0-9]{1,6})?|Infinity|s?NaN[0-9]*)"
)

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 80
_short.maxlevel = 4


def preview(returned: Returned) -> str:
    """Return a short text for people, at most 200 characters, that nothing can make slow."""
    if returned.kind == "raised":
        text = returned.data[: 4 * PREVIEW].decode("utf-8", "replace")
    elif returned.kind == "large" or len(returned.data) > PREVIEW_BYTES:
        text = f"(a value of {returned.size or len(returned.data):,} bytes)"
    elif returned.kind == "out_of_memory":
        text = "MemoryError"
    else:
        try:
            text = _short.repr(decode(returned))
        except (Unreadable, ValueError):  # too many digits to write, say
            text = f"(a value of {len(returned.data):,} bytes that cannot be shown)"
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:PREVIEW])
    return text if len(text) <= PREVIEW else text[: PREVIEW - 1] + "…"


__all__ = [
    "Budget",
    "DecimalText",
    "Numpy",
    "Opaque",
    "Ratio",
    "Subclass",
    "Unreadable",
    "decode",
    "decode_bytes",
    "digest",
    "encode",
    "preview",
    "same",
]
