"""Append-only logs of records, committed one unit of work at a time.

A log is two files. ``X.jsonl`` holds the records, one JSON object per line. ``X.ledger.jsonl``
holds, after a header line that says what the log is, one line per finished *unit* (a request
served by a policy or a PRM, a batch graded): how far ``X.jsonl`` reached then, the tokens and the
seconds spent. The ledger line is the commit: records beyond the last committed byte, and a torn
last line of the ledger, belong to a unit that was interrupted. They are never read, are cut off
when the log is next opened for writing, and that unit is owed again, whole.

So a unit is there entirely or not at all, whatever moment the process was killed at, and the sum
over the ledger is the sum over the requests whose results were kept. Trade-offs: two fsyncs per
unit; one writer (see `harness.files.exclusive`); units are listed in memory, records never.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from harness.digest import digest
from harness.errors import DataError, writing
from harness.types import Json, Tokens

SCHEMA_VERSION = 1

Record = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a ledger: what the log holds and what it was made from."""

    kind: str
    """``candidates``, ``grades``, ``scores``."""
    identity: Mapping[str, Json]
    """Everything that decides the records' content."""
    facts: Mapping[str, Json] = field(default_factory=dict)
    """What readers need besides: names, architecture, counts. Not part of the digest."""

    @property
    def digest(self) -> str:
        """Digest of the identity."""
        return digest(self.identity)


@dataclass(frozen=True, slots=True)
class Unit:
    """One line of a ledger: a finished unit of work."""

    name: str
    end: int
    """Size in bytes of the records file when the unit was complete."""
    records: int
    seconds: float
    """Wall-clock seconds of the request, measured by the driver."""
    usage: Mapping[str, Tokens] = field(default_factory=dict)
    """Tokens per problem."""


def ledger_path(path: Path) -> Path:
    """Return the ledger that belongs to the records file `path`."""
    return path.with_suffix(".ledger.jsonl")


def read_ledger(path: Path) -> tuple[Header, list[Unit]]:
    """Return the header and the finished units of the log whose records are in `path`.

    Raises:
        DataError: no such log, a torn header, another schema version, or a records file that is
            shorter than the ledger says.
    """
    ledger = ledger_path(path)
    try:
        lines = ledger.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        raise DataError(f"{ledger}: no such log") from None
    if not lines:
        raise DataError(f"{ledger}: the header is torn; delete {ledger} and {path}")
    header = _header(ledger, lines[0])
    units = [_unit(ledger, number, line) for number, line in enumerate(lines[1:], start=2)]
    size = path.stat().st_size if path.exists() else 0
    if units and size < units[-1].end:
        raise DataError(f"{path}: {size} bytes, but its ledger says {units[-1].end}; it was cut")
    return header, units


def read_records(path: Path, problems: Collection[str] | None = None) -> Iterator[Record]:
    """Yield the committed records of a log, one at a time.

    Args:
        path: the records file.
        problems: leave out records that name another problem, without reading more of them.
    """
    _, units = read_ledger(path)
    wanted = None if problems is None else {_text(problem) for problem in problems}
    if not units:
        return
    end = units[-1].end
    with path.open("rb") as file:
        position = 0
        for number, line in enumerate(file, start=1):
            position += len(line)
            if position > end:
                return
            named = _PROBLEM.match(line) if wanted is not None else None
            if wanted is None or named is None or named[1] in wanted:
                yield cast(Record, _object(path, number, line))


def places(path: Path) -> dict[str, list[tuple[int, int]]]:
    """Return where the committed records of each problem stand: (first byte, end) of every run of
    neighbouring lines. Reads the beginnings of lines alone.

    Raises:
        DataError: a record that is of no problem.
    """
    _, units = read_ledger(path)
    found: dict[str, list[tuple[int, int]]] = {}
    if not units:
        return found
    position, end, named = 0, units[-1].end, b""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            start, position = position, position + len(line)
            if position > end:
                break
            match = _PROBLEM.match(line)
            if match is None:
                raise DataError(f"{path}:{number}: a record that names no problem")
            own = found.setdefault(json.loads(match[1].decode("utf-8", "surrogatepass")), [])
            if match[1] == named:
                own[-1] = own[-1][0], position
            else:
                own.append((start, position))
            named = match[1]
    return found


def parsed(path: Path, line: bytes, near: int) -> Record:
    """Return the record of a line that was found by its place.

    Raises:
        DataError: it is none; says near which byte.
    """
    try:
        return cast(Record, _object(path, 0, line + b"\n"))
    except DataError as error:
        raise DataError(f"{path}: near byte {near}: no record; the file was edited") from error


class LogWriter:
    """Appends units to a log; use as a context manager.

    Opening creates the log, or continues it: torn ends are cut off first. A log that was made
    from something else is refused.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self._end = 0
        self.finished: dict[str, Unit] = {}
        """Units that are done, by name."""
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._recover(header)
            # Without a buffer nothing is left to flush, and to fail, when the file is closed.
            self._records: FileIO = path.open("ab", buffering=0)
            self._ledger: FileIO = ledger_path(path).open("ab", buffering=0)
            if self._ledger.tell() == 0:
                self._write(self._ledger, _line(_header_record(header)))

    def _recover(self, header: Header) -> None:
        """Cut off what an interrupted writer left, and learn what is finished."""
        ledger = ledger_path(self.path)
        whole = ledger.read_bytes() if ledger.exists() else b""
        kept = whole[: whole.rfind(b"\n") + 1]
        if not kept:
            # Not even the header was finished, so no unit was: both files start again.
            self.path.unlink(missing_ok=True)
            ledger.unlink(missing_ok=True)
            return
        if len(kept) < len(whole):
            os.truncate(ledger, len(kept))
        found, units = read_ledger(self.path)
        if found.digest != header.digest:
            changed = sorted(
                key
                for key in {*found.identity, *header.identity}
                if found.identity.get(key) != header.identity.get(key)
            )
            raise DataError(
                f"{self.path}: made with other settings ({', '.join(changed)} differ); choose "
                "another --out"
            )
        self.finished = {unit.name: unit for unit in units}
        self._end = units[-1].end if units else 0
        if self.path.exists():
            os.truncate(self.path, self._end)

    def append(
        self,
        name: str,
        records: Iterable[Record],
        seconds: float = 0.0,
        usage: Mapping[str, Tokens] | None = None,
    ) -> None:
        """Write a finished unit; it is on the disk when this returns.

        Raises:
            InfrastructureError: the disk is full; the unit is owed again.
            ValueError: the unit is finished already.
        """
        if name in self.finished:
            raise ValueError(f"unit {name!r} of {self.path} is finished already")
        with writing(self.path):
            lines = [_line(record) for record in records]
            if lines:
                self._write(self._records, b"".join(lines))
            end = self._end + sum(map(len, lines))
            unit = Unit(name, end, len(lines), seconds, usage or {})
            self._write(self._ledger, _line(_unit_record(unit)))
        self._end = end
        self.finished[name] = unit

    @staticmethod
    def _write(file: FileIO, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())

    def close(self) -> None:
        """Close both files."""
        self._records.close()
        self._ledger.close()

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# --- lines ---------------------------------------------------------------------------------------


_PROBLEM = re.compile(rb'\{"problem": ("(?:[^"\\]|\\.)*")')
"""How a record begins that is of one problem."""


def _line(record: Mapping[str, Any]) -> bytes:
    return _text(record) + b"\n"


def _text(value: object) -> bytes:
    # Models do write lone surrogates; "surrogatepass" keeps them, and json.loads reads them back.
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


_DECODER = json.JSONDecoder()
"""`json.loads` guesses at encodings and skips white space, a third of the time of a short line."""


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        text = line.decode("utf-8", "surrogatepass")
        value, end = _DECODER.raw_decode(text)
        if text[end:] != "\n":
            value = json.loads(text)  # not as we write lines: it says what is wrong, if anything
    except ValueError as error:
        raise DataError(f"{path}:{number}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}:{number}: a line that is no JSON object")
    return value


def _header_record(header: Header) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": header.kind,
        "digest": header.digest,
        "identity": dict(header.identity),
        "facts": dict(header.facts),
    }


def _header(path: Path, line: bytes) -> Header:
    value = _object(path, 1, line)
    if value.get("schema_version") != SCHEMA_VERSION:
        raise DataError(
            f"{path}:1: schema version {value.get('schema_version')}, this version of prm-harness "
            f"reads {SCHEMA_VERSION}"
        )
    header = Header(value["kind"], value["identity"], value.get("facts", {}))
    if header.digest != value.get("digest"):
        raise DataError(f"{path}:1: the digest does not match the identity; the file was edited")
    return header


def _unit_record(unit: Unit) -> dict[str, Any]:
    return {
        "unit": unit.name,
        "end": unit.end,
        "records": unit.records,
        "seconds": round(unit.seconds, 6),
        "usage": {
            problem: [t.calls, t.prefill_logical, t.prefill_computed, t.decode]
            for problem, t in unit.usage.items()
        },
    }


def _unit(path: Path, number: int, line: bytes) -> Unit:
    value = _object(path, number, line)
    try:
        usage = {problem: Tokens(*counts) for problem, counts in value["usage"].items()}
        return Unit(value["unit"], value["end"], value["records"], value["seconds"], usage)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}:{number}: not a ledger line ({error!r})") from error
