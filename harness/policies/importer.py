"""``run-benchmark pool import``: other people's recordings become a pool file, or scores.

Recordings of sampled solutions come in a few shapes: one row per problem with a list of texts, one
row per sample, or texts inside an object per model; as JSON lines or one JSON array; with an id or
with the question's text. A mapping says which key holds what::

    id=KEY | question=KEY    the problem's id, or its text (white space aside)
    text=KEY | steps=KEY     one solution, or a list of them; or its steps, or a list of such lists
    scores=KEY               step scores, one list per solution
    score=KEY                instead: one number per solution, of what scores whole answers
    tokens=KEY, finish=KEY   one value per solution
    correct=KEY, answer=KEY  the same: whether it is right, and its final answer, as recorded
    join=TEXT                stands after every step but the last, where the source dropped what
                             stood between them (``\\n`` for a line end)

With scores and neither texts nor steps, a file of recorded scores is written, in the form of
`harness.prms.recorded`. A list of lists is then several solutions, a list of numbers the steps of
one (``scores``) or several solutions (``score``). A row that says again what an earlier one says of
a problem's several solutions is left out, counted and listed.

A key may be dotted (``175b_verification.solution``) and may pick an item of a list (``outputs.2``).
Nothing is guessed: rows whose question belongs to no problem are left out, counted and listed. The
form written is that of `harness.policies.pool`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from harness.adapters.rows import Row, opened, parse_json, read_rows, reading, short
from harness.errors import ConfigError, DataError, unknown, writing
from harness.types import Json

_EACH = ("scores", "score", "tokens", "finish", "correct", "answer")
"""Fields with one value per solution."""
FIELDS = ("id", "question", "text", "steps", "join", *_EACH)

_MANY = 2**30
"""Bytes of a JSON array that are read at most: it must fit in memory as a whole."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    rows: int
    """Rows of the source."""
    candidates: int
    problems: frozenset[str]
    """Ids that have candidates now."""
    unmatched: tuple[str, ...]
    """``file:row`` of those that belong to no problem."""
    repeated: tuple[str, ...] = ()
    """The same of those that say again what an earlier row says."""


def parse_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """Return field -> key of ``field=key`` pairs.

    Raises:
        ConfigError: no such field, one twice, or not enough of them.
    """
    chosen: dict[str, str] = {}
    for pair in pairs:
        name, equals, key = pair.partition("=")
        if not equals or not key:
            raise ConfigError(f"--map {pair!r}: write field=key")
        if name not in FIELDS:
            raise unknown("field", name, FIELDS, "--map")
        if name in chosen:
            raise ConfigError(f"--map {name}= is given twice")
        chosen[name] = key
    if ("id" in chosen) == ("question" in chosen):
        raise ConfigError("which problem is it? give --map id=KEY or --map question=KEY")
    if "scores" in chosen and "score" in chosen:
        raise ConfigError("--map scores= and --map score= are two forms of the same; give one")
    told = {"text", "steps"} & chosen.keys()
    scored = {"scores", "score"} & chosen.keys()
    if len(told) == 2 or not (told or (scored and chosen.keys().isdisjoint(_EACH[2:]))):
        raise ConfigError(
            "where is the solution? give --map text=KEY or --map steps=KEY, or scores alone"
        )
    if "join" in chosen and "steps" not in chosen:
        raise ConfigError("--map join= goes with --map steps=KEY")
    return chosen


def write_pool(
    source: Path, target: Path, mapping: Mapping[str, str], ids: Mapping[str, str]
) -> Imported:
    """Write `source` as a pool file.

    Args:
        source: JSON lines or one JSON array, plain or gzip.
        target: Replaced as a whole once all is read; gzip if its name ends in ``.gz``.
        mapping: From `parse_mapping`.
        ids: Normalised text of a question -> id of its problem. With ``id=`` it may be empty; else
            ids that it does not know are left out.

    Raises:
        DataError: a key that is missing, a value of the wrong shape (with file and row), no row
            that belongs to a problem.
    """
    known = frozenset(ids.values())
    rows = candidates = 0
    problems: set[str] = set()
    unmatched: list[str] = []
    repeated: list[str] = []
    said: set[bytes] = set()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with writing(target), _written(temporary, packed=target.suffix == ".gz") as out:
            for row in _rows(source):
                rows += 1
                problem = _problem(row, mapping, ids, known)
                if problem is None:
                    unmatched.append(row.where)
                    continue
                lines = [_line({"id": problem, **one}) for one in _candidates(row, mapping)]
                if len(lines) > 1 and not {"text", "steps"} & mapping.keys():
                    whole = hashlib.sha256(b"".join(lines)).digest()
                    if whole in said:
                        repeated.append(row.where)
                        continue
                    said.add(whole)
                out.writelines(lines)
                candidates += len(lines)
                problems.add(problem)
        if not rows:
            raise DataError(f"{source} holds no rows")
        if not problems:
            raise DataError(
                f"{source}: none of its {rows} rows belongs to a problem; check the task and the "
                "--map"
            )
        with writing(target):
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return Imported(rows, candidates, frozenset(problems), tuple(unmatched), tuple(repeated))


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
    # A file of one line that holds a list is an array, too; its items are the rows then.
    items = parse_json(raw, f"{source}:1")
    for number, item in enumerate(items if isinstance(items, list) else (), 1):
        if not isinstance(item, dict):
            raise DataError(f"{source}:{number}: not a JSON object: {short(item)}")
        yield Row(source, number, item, b"")


def _problem(
    row: Row, mapping: Mapping[str, str], ids: Mapping[str, str], known: frozenset[str]
) -> str | None:
    """Return the id of the row's problem, None if it has none."""
    if "id" in mapping:
        value = _get(row, mapping["id"])
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            row.fail(f"the id must be a text or a whole number, found {short(value)}")
        return str(value) if not known or str(value) in known else None
    question = _get(row, mapping["question"])
    if not isinstance(question, str):
        row.fail(f"the question must be a text, found {short(question)}")
    return ids.get(" ".join(question.split()))


def _candidates(row: Row, mapping: Mapping[str, str]) -> Iterator[dict[str, Json]]:
    """Yield the row's candidates, without id."""
    if not {"text", "steps"} & mapping.keys():
        yield from _scores_alone(row, mapping)
        return
    steps = "steps" in mapping
    solutions = _solutions(row, mapping["steps" if steps else "text"], steps=steps)
    extras = {name: _each(row, mapping[name], len(solutions)) for name in _EACH if name in mapping}
    join = mapping.get("join", "").replace("\\n", "\n").replace("\\t", "\t")
    for number, solution in enumerate(solutions):
        made: dict[str, Json] = {"text": solution}
        if isinstance(solution, list):
            parts = [f"{step}{join}" for step in solution[:-1]] + solution[-1:]
            if "" in parts:
                row.fail("a step is empty")
            made = {"steps": parts}
        made.update((name, values[number]) for name, values in extras.items())
        if "score" in made:
            made["scores"] = [made.pop("score")]
        if "scores" in made and not isinstance(made["scores"], list):
            made["scores"] = [made["scores"]]
        checked = Row(row.path, row.line, made, b"")
        checked.numbers("scores")
        checked.count("tokens")
        for name, kind in (("correct", bool), ("answer", str)):
            if made.get(name) is not None and not isinstance(made[name], kind):
                row.fail(f"{name!r} of solution {number} is {short(made[name])}")
        yield made


def _scores_alone(row: Row, mapping: Mapping[str, str]) -> Iterator[dict[str, Json]]:
    """Yield the scores of the row's solutions, one list each."""
    key = mapping.get("scores") or mapping["score"]
    value = _get(row, key)
    found: list[Json] = [value]
    if "score" in mapping:
        found = [[one] for one in value] if isinstance(value, list) else [[value]]
    elif isinstance(value, list) and value and isinstance(value[0], list):
        found = value
    for scores in found:
        if not Row(row.path, row.line, {key: scores}, b"").numbers(key):
            row.fail(f"{key!r} must be a list of numbers, or of such lists")
        yield {"scores": scores}


def _solutions(row: Row, key: str, *, steps: bool) -> list[Json]:
    """Return the row's solutions: texts, or lists of steps."""
    value = _get(row, key)
    if not steps:
        texts: list[Json] = list(value) if isinstance(value, list) else [value]
        for text in texts:
            if not isinstance(text, str):
                row.fail(f"the solution must be a text or a list of texts, found {short(text)}")
        return texts
    several = isinstance(value, list) and bool(value) and isinstance(value[0], list)
    found = value if several and isinstance(value, list) else [value]
    for one in found:
        if not isinstance(one, list) or not all(isinstance(step, str) for step in one):
            row.fail(f"the steps must be a list of texts, or of such lists, found {short(one)}")
    return found


def _each(row: Row, key: str, solutions: int) -> list[Json]:
    """Return one value per solution: an item each, or the value itself if there is one solution."""
    value = _get(row, key)
    if solutions == 1 and not (isinstance(value, list) and _nested(value)):
        return [value]
    if not isinstance(value, list) or len(value) != solutions:
        size = len(value) if isinstance(value, list) else 1
        row.fail(f"lists of unequal length: {solutions} solutions, {size} of {key!r}")
    return list(value)


def _nested(value: list[Json]) -> bool:
    return len(value) == 1 and isinstance(value[0], list)


def _get(row: Row, key: str) -> Json:
    """Return the value of a key, dotted or not; if none, the error names those there are."""
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
