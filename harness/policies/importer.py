"""``run-benchmark pool import``: other people's recordings become a pool file.

Recordings of sampled solutions come in a few shapes: one row per problem with a list of texts, one
row per sample, or texts inside an object per model; as JSON lines or one JSON array; with an id or
with the question's text. A `Mapping` names the keys; the form written is that of
`harness.policies.pool`. A key may be dotted (``175b_verification.solution``) and may pick an item
of a list (``outputs.2``).

Questions are matched to a task's problems by their text, white space aside: a problem's prompt may
have text before and after the question only where all prompts of the task have it. Nothing is
guessed: rows that match no problem are counted and listed, and stop the import unless that is
allowed.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.errors import ConfigError, DataError, writing
from harness.policies.matching import Matcher
from harness.policies.rows import Row, opened, parse_json, read_rows, reading, short
from harness.types import Json, Problem

_LISTED = 5
"""Unmatched questions that an error shows before it only counts."""

_MANY = 2**30
"""Bytes of a JSON array that are read at most: it must fit in memory as a whole."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which keys of the source hold what. One of `id` and `question`, and `text` or `steps`."""

    id: str | None = None
    """Key of the problem's id."""
    question: str | None = None
    """Key of the question's text."""
    text: str | None = None
    """Key of one solution, or of a list of them."""
    steps: str | None = None
    """Key of a solution's list of steps, or of a list of those."""
    scores: str | None = None
    """Key of step scores: a list per solution; plain numbers where a solution is one step."""
    tokens: str | None = None
    """Key of the tokens decoded: a number, or one per solution."""
    join: str = ""
    """Put after every step but the last, where the source dropped what stood between them."""

    def __post_init__(self) -> None:
        if (self.id is None) == (self.question is None):
            raise ConfigError("an import needs either id=KEY or question=KEY")
        if (self.text is None) == (self.steps is None):
            raise ConfigError("an import needs either text=KEY or steps=KEY")
        if self.join and self.steps is None:
            raise ConfigError("join= goes with steps=KEY")


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    rows: int
    """Rows of the source."""
    problems: int
    """Problems that have candidates now."""
    candidates: int
    fewest: int
    """Candidates of the problem that has fewest."""
    unmatched: tuple[str, ...]
    """Questions (or ids) of rows that belong to no problem."""


def import_pool(
    source: Path,
    target: Path,
    mapping: Mapping,
    problems: Sequence[Problem] | None = None,
    *,
    allow_unmatched: bool = False,
) -> Imported:
    """Write `source` as a pool file.

    Args:
        source: JSON lines or one JSON array, plain or gzip.
        target: Replaced as a whole when all is read; gzip if its name ends in ``.gz``.
        mapping: Names of keys.
        problems: The task's; needed to match questions, optional for ids (then ids are checked).
        allow_unmatched: Leave rows out that belong to no problem.

    Raises:
        ConfigError: a mapping by question without problems.
        DataError: a key that is missing, a value of the wrong shape (with file and row), rows
            that match no problem or two, nothing to import.
    """
    if mapping.question is not None and problems is None:
        raise ConfigError("an import by question needs a task: --task NAME")
    matcher = None if problems is None else Matcher(problems)
    counts: dict[str, int] = {}
    unmatched: list[str] = []
    rows = 0
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with writing(target), _written(temporary, packed=target.suffix == ".gz") as out:
            for row in _rows(source):
                rows += 1
                problem, name = _problem(row, mapping, matcher)
                if problem is None:
                    unmatched.append(name)
                    continue
                for candidate in _candidates(row, mapping):
                    index = counts.get(problem, 0)
                    counts[problem] = index + 1
                    out.write(_line({"id": problem, "index": index, **candidate}))
        if unmatched and not (allow_unmatched and counts):
            raise DataError(_complaint(source, rows, unmatched))
        if not counts:
            raise DataError(f"{source} holds nothing to import")
        with writing(target):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return Imported(rows, len(counts), sum(counts.values()), min(counts.values()), tuple(unmatched))


def _rows(source: Path) -> Iterator[Row]:
    """Yield the objects of a file of JSON lines or of one JSON array (numbered from 1)."""
    with opened(source) as file, reading(source, 1):
        first = file.read(4096).lstrip()[:1]
    if first != b"[":
        yield from read_rows(source)
        return
    with opened(source) as file, reading(source, 1):
        raw = file.read(_MANY + 1)
    if len(raw) > _MANY:
        raise DataError(f"{source}: an array of more than 1 GiB; write it as JSON lines")
    items = parse_json(raw, str(source))
    for number, item in enumerate(items if isinstance(items, list) else (), 1):
        if not isinstance(item, dict):
            raise DataError(f"{source}: item {number} is not a JSON object: {short(item)}")
        yield Row(source, number, item, b"")


def _problem(row: Row, mapping: Mapping, matcher: Matcher | None) -> tuple[str | None, str]:
    """Return the row's problem (None: it has none) and how the row names it."""
    if mapping.id is not None:
        value = _get(row, mapping.id)
        if isinstance(value, bool) or not isinstance(value, str | int):
            row.fail(f"{mapping.id!r} must be an id, found {short(value)}")
        name = str(value)
        return (name if matcher is None else matcher.by_id(name)), name
    assert mapping.question is not None and matcher is not None  # checked at the start
    question = _get(row, mapping.question)
    if not isinstance(question, str):
        row.fail(f"{mapping.question!r} must be a text, found {short(question)}")
    return matcher.by_question(row, question), question


def _candidates(row: Row, mapping: Mapping) -> Iterator[dict[str, Json]]:
    """Yield the row's candidates, without id and index."""
    solutions = _solutions(row, mapping)
    scores = _each(row, mapping.scores, len(solutions))
    tokens = _each(row, mapping.tokens, len(solutions))
    for solution, score, count in zip(solutions, scores, tokens, strict=True):
        made: dict[str, Json] = {}
        if isinstance(solution, str):
            made["text"] = solution
        else:
            steps = [step + mapping.join for step in solution[:-1]] + list(solution[-1:])
            made["steps"] = [step for step in steps if step]
            if len(steps) != len(solution) or "" in steps:
                row.fail("an empty step")
        if score is not None:
            made["scores"] = score if isinstance(score, list) else [score]
        if count is not None:
            made["tokens"] = count
        checked = Row(row.path, row.line, made, b"")
        checked.numbers("scores")
        checked.count("tokens")
        yield made


def _solutions(row: Row, mapping: Mapping) -> list[str | list[str]]:
    """Return the row's solutions: texts, or lists of steps."""
    key = mapping.text or mapping.steps or ""
    value = _get(row, key)
    found: list[str | list[str]] = []
    if mapping.text is not None:
        for text in value if isinstance(value, list) else [value]:
            if not isinstance(text, str):
                row.fail(f"{key!r} must be a text or a list of texts, found {short(text)}")
            found.append(text)
        return found
    several = isinstance(value, list) and value != [] and isinstance(value[0], list)
    for steps in value if isinstance(value, list) and several else [value]:
        if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
            row.fail(f"{key!r} must be a list of steps, or of such lists, found {short(steps)}")
        found.append([str(step) for step in steps])
    return found


def _each(row: Row, key: str | None, solutions: int) -> list[Json]:
    """Return one value per solution: an item each, or the value itself if there is one solution."""
    if key is None:
        return [None] * solutions
    value = _get(row, key)
    if isinstance(value, list) and len(value) == solutions:
        alone = solutions == 1 and not isinstance(value[0], list)
        return [value] if alone else list(value)
    if solutions == 1:
        return [value]
    row.fail(f"{key!r} must hold {solutions} values, one per solution, found {short(value)}")


def _get(row: Row, key: str) -> Json:
    """Return the value of a key, dotted or not.

    Raises:
        DataError: it is not there; names the keys that are.
    """
    if key in row.data:
        return row.data[key]
    value: Json = dict(row.data)
    for part in key.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            row.fail(f"no key {key!r}; the row has {', '.join(list(row.data)[:12])}")
    return value


def _complaint(source: Path, rows: int, unmatched: Iterable[str]) -> str:
    names = list(unmatched)
    shown = "; ".join(short(name) for name in names[:_LISTED])
    more = "; …" if len(names) > _LISTED else ""
    return (
        f"{source}: {len(names)} of {rows} rows belong to no problem of the task: {shown}{more}. "
        "Check the task, or leave them out with --allow-unmatched"
    )


def _line(candidate: dict[str, Json]) -> bytes:
    return json.dumps(candidate, ensure_ascii=False, allow_nan=False).encode() + b"\n"


@contextmanager
def _written(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    """Open a file for writing, compressed or not, and flush it to the disk at the end."""
    with path.open("wb") as file:
        if packed:
            # No time stamp and no name inside: equal content gives equal bytes.
            with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as archive:
                yield archive  # type: ignore[misc]  # an IO[bytes] in all that is used here
        else:
            yield file
        file.flush()
        os.fsync(file.fileno())
