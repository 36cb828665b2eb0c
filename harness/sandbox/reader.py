"""A strict reader of marshal version 2 for plain values, safe against hostile bytes.

It knows only what `harness.sandbox.inside.encoding` writes, makes no references, runs no code, and
counts depth, nodes and bytes as it goes. Each form has one spelling: trailing bytes, leading zero
digits, lengths below zero or repeated set members are errors.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_INT = struct.Struct("<i")
_FLOAT = struct.Struct("<d")
_COMPLEX = struct.Struct("<dd")
_END = object()
_CONSTANTS = {ord("N"): None, ord("T"): True, ord("F"): False, ord("."): Ellipsis}
_CROWD = 64
"""Hash values of larger sets and dictionaries must mostly differ, or building them takes for ever:
ten thousand integers can be chosen to share one."""


class Unreadable(ValueError):
    """Bytes that hold no value, or one beyond the budget."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What reading one value may cost. A million nodes take about a second."""

    depth: int = 150
    nodes: int = 1_000_000
    bytes: int = 64 * 2**20


def read(data: bytes, budget: Budget | None = None) -> Any:
    """Return the value that `data` encodes.

    Raises:
        Unreadable: malformed, or beyond the budget.
    """
    budget = budget or Budget()
    if len(data) > budget.bytes:
        raise Unreadable(f"{len(data):,} bytes are more than {budget.bytes:,}")
    reader = _Reader(data, budget)
    value = reader.value(0)
    if value is _END or reader.offset != len(data):
        raise Unreadable("bytes after the value")
    return value


def check_hashes(keys: Sequence[Any]) -> None:
    """Refuse keys that cannot be hashed or that were chosen to collide.

    Raises:
        Unreadable: they were.
    """
    try:
        hashes = {hash(key) for key in keys}
    except TypeError:
        raise Unreadable("a key that cannot be one") from None
    if len(keys) > _CROWD and len(hashes) < len(keys) // 2:
        raise Unreadable("keys that collide")


class _Reader:
    """A place in some bytes."""

    def __init__(self, data: bytes, budget: Budget) -> None:
        self.offset = 0
        self._data = data
        self._depth = budget.depth
        self._nodes = budget.nodes

    def value(self, depth: int) -> Any:
        """Read one value, or `_END` for the mark at a dictionary's end."""
        self._nodes -= 1
        if self._nodes < 0 or depth > self._depth:
            raise Unreadable("too many nodes" if self._nodes < 0 else "nested too deeply")
        if self.offset >= len(self._data):
            raise Unreadable("cut off")
        code = self._data[self.offset]
        self.offset += 1
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        read = _READ.get(code)
        if read is None:
            raise Unreadable(f"type code {code}")
        return read(self, depth)

    def _take(self, size: int) -> bytes:
        if size < 0 or size > len(self._data) - self.offset:
            raise Unreadable("cut off")
        self.offset += size
        return self._data[self.offset - size : self.offset]

    def _number(self) -> int:
        number: int = _INT.unpack(self._take(4))[0]
        return number

    def _end(self, depth: int) -> Any:
        return _END

    def _int(self, depth: int) -> int:
        return self._number()

    def _float(self, depth: int) -> float:
        number: float = _FLOAT.unpack(self._take(8))[0]
        return number

    def _complex(self, depth: int) -> complex:
        return complex(*_COMPLEX.unpack(self._take(16)))

    def _long(self, depth: int) -> int:
        """Read 15-bit digits; in linear time, as numbers may have millions."""
        count = self._number()
        digits = struct.unpack(f"<{abs(count)}H", self._take(2 * abs(count)))
        if not digits or digits[-1] == 0 or max(digits) > 0x7FFF:
            raise Unreadable("digits that are none")
        parts = []
        for i in range(0, len(digits), 8):  # eight digits are fifteen bytes
            part = sum(digit << 15 * k for k, digit in enumerate(digits[i : i + 8]))
            parts.append(part.to_bytes(15, "little"))
        number = int.from_bytes(b"".join(parts), "little")
        if -(2**31) <= (-number if count < 0 else number) < 2**31:
            raise Unreadable("a small number in the long form")
        return -number if count < 0 else number

    def _bytes(self, depth: int) -> bytes:
        return self._take(self._number())

    def _text(self, depth: int) -> str:
        try:
            return self._take(self._number()).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise Unreadable("text that is none") from None

    def _items(self, depth: int) -> list[Any]:
        count = self._number()
        if not 0 <= count <= len(self._data) - self.offset:  # a value has a byte at least
            raise Unreadable("cut off")
        items = [self.value(depth + 1) for _ in range(count)]
        if any(item is _END for item in items):
            raise Unreadable("an end mark as an item")
        return items

    def _tuple(self, depth: int) -> tuple[Any, ...]:
        return tuple(self._items(depth))

    def _set(self, depth: int) -> set[Any]:
        items = self._items(depth)
        check_hashes(items)
        found = set(items)
        if len(found) != len(items) and not any(item != item for item in items):
            raise Unreadable("a member twice")
        return found

    def _frozenset(self, depth: int) -> frozenset[Any]:
        return frozenset(self._set(depth))

    def _dict(self, depth: int) -> dict[Any, Any]:
        keys, values = [], []
        while (key := self.value(depth + 1)) is not _END:
            value = self.value(depth + 1)
            if value is _END:
                raise Unreadable("a key without a value")
            keys.append(key)
            values.append(value)
        check_hashes(keys)
        return dict(zip(keys, values, strict=True))


_READ: dict[int, Callable[[_Reader, int], Any]] = {
    ord("0"): _Reader._end,
    ord("i"): _Reader._int,
    ord("l"): _Reader._long,
    ord("g"): _Reader._float,
    ord("y"): _Reader._complex,
    ord("s"): _Reader._bytes,
    ord("u"): _Reader._text,
    ord("("): _Reader._tuple,
    ord("["): _Reader._items,
    ord("{"): _Reader._dict,
    ord("<"): _Reader._set,
    ord(">"): _Reader._frozenset,
}
