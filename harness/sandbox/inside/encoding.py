"""Values as bytes: marshal version 2 of exact builtins, or a tagged tree that names other types.

Version 2 shares and interns nothing, so equal values of equal types have equal bytes, whichever
process wrote them (sets are sorted by marshal itself). What marshal cannot say becomes a tree in
which every container is a tuple that starts with a tag; it begins with ``#``, which no plain
encoding does, so that equal bytes always mean equal values.

In the sandbox this runs beside the code under test, which may rewrite it: then it answers
differently, and that is all it can do. Nobody outside loads these bytes with marshal or pickle.
"""

from __future__ import annotations

import marshal
import sys
from typing import Any

VERSION = 2
DEPTH = 200
"""Levels of a tagged tree; deeper values (or those that hold themselves) are refused."""
TAGGED = b"#"

_SCALARS = frozenset([type(None), bool, int, float, complex, str, bytes, type(Ellipsis)])
_CONTAINERS: tuple[type, ...] = (list, tuple, dict, set, frozenset)
_KINDS: dict[type, str] = {list: "l", tuple: "t", set: "s", frozenset: "f"}
# The comparison that a subclass must have kept for its value to count as the builtin's.
_BASES: tuple[Any, ...] = (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)
_QUALNAME = type.__dict__["__qualname__"].__get__
_MODULE = type.__dict__["__module__"].__get__
# Dictionaries that compare as dictionaries do, or nearly so.
_KNOWN_EQ = {("collections", "OrderedDict"), ("collections", "Counter")}


class TooDeep(ValueError):
    """A value that is nested too deeply, or that holds itself."""


def encode(value: Any) -> bytes:
    """Return the bytes of a value.

    Raises:
        TooDeep: nested beyond `DEPTH` with types that marshal does not know, or beyond marshal's
            own 2,000 levels.
    """
    try:
        data = marshal.dumps(value, VERSION)
    except ValueError:
        pass
    else:
        # marshal writes whatever has a buffer (numpy scalars, bytearray) as bytes, type code "s".
        if b"s" not in data and b"S" not in data:
            return data
        if _exact(value):
            return data
    try:
        return TAGGED + marshal.dumps(_tree(value, DEPTH), VERSION)
    except RecursionError:
        raise TooDeep("the value is nested too deeply") from None


def _exact(value: Any) -> bool:
    """Whether a value that marshal wrote is made of exact builtins only."""
    level = [value]
    while level:
        below: list[Any] = []
        for kind in set(map(type, level)):
            if kind in _SCALARS:
                continue
            if kind not in _CONTAINERS:
                return False
            for item in level:
                if type(item) is kind:
                    if type(item) is dict:
                        below += item.keys()
                        below += item.values()
                    else:
                        below += item  # type: ignore[arg-type]
        level = below
    return True


def _tree(value: Any, depth: int) -> Any:
    """Return a tree of exact builtins that says what a value is."""
    kind = type(value)
    if kind in _SCALARS:
        return value
    if depth == 0:
        raise TooDeep("the value is nested too deeply")
    if kind in _KINDS:
        return (_KINDS[kind], [_tree(item, depth - 1) for item in value])
    if kind is dict:
        return ("d", _items(value, depth))
    for base in _BASES:
        if issubclass(kind, base):
            if kind.__eq__ is base.__eq__ or (_module(kind), _QUALNAME(kind)) in _KNOWN_EQ:
                return ("sub", base.__name__, _name(kind), _tree(_plain(base, value), depth - 1))
            break
    return _library(value, kind, depth)


def _items(value: Any, depth: int) -> list[Any]:
    return [(_tree(k, depth - 1), _tree(v, depth - 1)) for k, v in dict.items(value)]


def _plain(base: Any, value: Any) -> Any:
    """Return the builtin inside an object of a subclass, by the base's own methods."""
    if base in (int, float, complex):
        return base.__pos__(value)
    if base is str:
        return str.__str__(value)
    if base in (bytes, tuple):
        return base.__getitem__(value, slice(None))
    if base is dict:
        return dict(dict.items(value))
    return base(base.__iter__(value))


def _library(value: Any, kind: type, depth: int) -> Any:
    """Return the tree of a value of numpy, decimal or fractions; else just the type's name."""
    module, name = _module(kind), _QUALNAME(kind)
    numpy = sys.modules.get("numpy")
    try:
        if numpy is not None and kind is numpy.ndarray:
            flat = [_tree(item, depth - 1) for item in value.ravel().tolist()]
            return ("np", value.dtype.str, tuple(map(int, value.shape)), flat)
        if numpy is not None and isinstance(value, numpy.generic):
            item = value.item()
            if type(item) in _SCALARS:
                return ("np", value.dtype.str, None, [item])
        if module == "decimal" and name == "Decimal":
            return ("dec", str(value))
        if module == "fractions" and name == "Fraction":
            return ("frac", int(value.numerator), int(value.denominator))
    except TooDeep:
        raise
    except Exception:
        return ("op", _name(kind))
    return ("op", _name(kind))


def _name(kind: type) -> str:
    """Return a type's full name, at most 200 characters."""
    module, name = _module(kind), _QUALNAME(kind)
    return f"{module}.{name}"[:200]


def _module(kind: type) -> str:
    """Return the module of a type, without asking its metaclass."""
    module = _MODULE(kind)
    return module if type(module) is str else ""
