"""Identity by content: the only definition of it in the project.

A digest is the sha256 of canonical JSON: keys sorted, no white space, UTF-8, tuples as lists,
records by their fields. Equal content gives equal digests on every machine and Python version.
Settings that cannot change a result (paths, batch sizes, verbosity) must be left out by the caller.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

SHORT = 8
"""Hex digits of a digest in file names and tables."""


def canonical(value: object) -> bytes:
    """Return the canonical JSON bytes of `value`.

    Raises:
        TypeError: a value that JSON cannot hold, or a mapping with a key that is no string.
        ValueError: NaN or an infinity.
    """
    text = json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode("utf-8", "surrogatepass")


def digest(value: object) -> str:
    """Return the sha256 of `value`'s canonical JSON: 64 hex digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def file_digest(path: Path) -> str:
    """Return the sha256 of a file's bytes: 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    """Return `value` as plain JSON data."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no canonical form")
        # 1.0 and 1 are the same setting, whether YAML or Python wrote it.
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"a mapping with a key that is no string: {list(value)!r}")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")
