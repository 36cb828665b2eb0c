"""Reading JSON lines that somebody else wrote, plain or .gz, with the line number in every error.

The reader streams: one line is in memory at a time. It trusts nothing: no NaN, no infinity, no
number too large for a float, no text that cannot be written again as UTF-8, no line beyond
`LINE_LIMIT`, no torn archive. The digest is of the uncompressed bytes, so that a file and its .gz
have the same identity.
"""

from __future__ import annotations

import difflib
import gzip
import itertools
import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

from harness.errors import DataError
from harness.types import Json

LINE_LIMIT = 64 * 2**20
"""Bytes of one line; a compressed file could otherwise fill the memory with a single one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file, and where it stood."""

    path: Path
    line: int
    """From 1."""
    data: Mapping[str, Json]
    raw: bytes
    """The line as it was read, to be kept and parsed again where memory counts."""

    @property
    def where(self) -> str:
        """``file:line`` for messages."""
        return f"{self.path}:{self.line}"

    def fail(self, why: str) -> NoReturn:
        """Raise the error of this row."""
        raise DataError(f"{self.where}: {why}")

    def id(self) -> str:
        """Return the problem's id; whole numbers are taken as text.

        Raises:
            DataError: missing, or neither a text nor a whole number.
        """
        value = self.data.get("id")
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            self.fail(f"'id' must be a problem's id, found {short(value)}")
        return str(value)

    def count(self, key: str) -> int | None:
        """Return a whole number that is not negative, None where the key is missing or null."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fail(f"{key!r} must be a whole number, 0 or more, found {short(value)}")
        return value

    def numbers(self, key: str) -> tuple[float, ...] | None:
        """Return a list of finite numbers, None where the key is missing or null."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, list):
            self.fail(f"{key!r} must be a list of numbers, found {short(value)}")
        return tuple(self._number(key, i, item) for i, item in enumerate(value))

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Return a list of texts, None where the key is missing or null."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.fail(f"{key!r} must be a list of texts, found {short(value)}")
        return tuple(str(item) for item in value)

    def _number(self, key: str, index: int, value: Json) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                if math.isfinite(number := float(value)):
                    return number
            except OverflowError:
                pass
        self.fail(f"{key!r}[{index}] is {short(value)}, not a finite number")


def read_rows(path: Path, sha: Any = None) -> Iterator[Row]:
    """Yield the objects of a JSON-lines file; empty lines are skipped.

    Args:
        path: Plain or gzip; told apart by content, not by name.
        sha: A hashlib object that is fed the uncompressed bytes.

    Raises:
        DataError: a missing or unreadable file, a torn archive, a line that is not one object.
    """
    with opened(path) as file:
        for line in itertools.count(1):
            with reading(path, line):
                raw = file.readline(LINE_LIMIT + 1)
            if not raw:
                return
            if len(raw) > LINE_LIMIT:
                raise DataError(f"{path}:{line}: longer than {LINE_LIMIT >> 20} MiB")
            if sha is not None:
                sha.update(raw)
            if line == 1 and raw.strip() in (b"[", b"{"):
                raise DataError(
                    f"{path}: one JSON document, not an object a line; run-benchmark pool import "
                    "makes that of an array"
                )
            if raw.strip():
                data = parse_json(raw, f"{path}:{line}")
                if not isinstance(data, dict):
                    raise DataError(f"{path}:{line}: not a JSON object: {short(data)}")
                yield Row(path, line, data, raw)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a plain or gzip file for reading, told apart by its first bytes.

    Raises:
        DataError: it is missing, a folder or not readable.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check the path") from error
    with file:
        if file.peek(2)[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=file) as archive:
                yield archive  # type: ignore[misc]  # an IO[bytes] in all that is used here
        else:
            yield file


@contextmanager
def reading(path: Path, line: int) -> Iterator[None]:
    """Turn a torn archive or a failing disk into one line.

    Raises:
        DataError: always instead of the reader's own errors.
    """
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: the .gz is torn or damaged after line {line - 1}") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def parse_json(raw: bytes, where: str) -> Json:
    """Return the JSON value of `raw`.

    Raises:
        DataError: not UTF-8, not JSON, NaN or an infinity by name, an integer of thousands of
            digits, nesting without end, half of a surrogate pair.
    """
    try:
        value: Json = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
        if b"\\u" in raw:  # only an escape can smuggle in half of a surrogate pair
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 text") from error
    except UnicodeEncodeError as error:
        raise DataError(f"{where}: half of a surrogate pair, which is no text") from error
    except RecursionError as error:
        raise DataError(f"{where}: nested too deeply") from error
    except ValueError as error:
        raise DataError(f"{where}: not valid JSON: {error}") from error
    return value


def check_keys(row: Row, known: Iterable[str]) -> None:
    """Refuse a key that is nearly a known one; keys of other people's are left alone.

    Raises:
        DataError: ``"step"`` for ``"steps"``, say, which would otherwise go unnoticed.
    """
    names = tuple(known)
    for key in row.data:
        if key not in names and (close := difflib.get_close_matches(key, names, 1, 0.85)):
            row.fail(f"key {key!r} is unknown; did you mean {close[0]!r}?")


def short(value: object) -> str:
    """Return a value as it may stand in a one-line message."""
    text = value if isinstance(value, str) else _dump(value)
    text = repr(text) if isinstance(value, str) else text
    return text if len(text) <= 40 else text[:37] + "…"


def _dump(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return "a huge whole number"
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'mapping'} of {len(value)}"
    return json.dumps(value)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
