"""A run's files as arrays: problems down, candidates across.

What estimators need of a pool and of one PRM's scores of it, read in one pass and held as numbers
only; texts stay on the disk. P problems, N candidates each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.cost import Architecture
from harness.errors import DataError
from harness.prms.aggregate import aggregate_many, legal
from harness.search.ledger import flops_of
from harness.store.format import PoolFolder, RunFolder, read_scores
from harness.store.log import Header, Unit, read_ledger
from harness.store.sweepfile import PoolEntry, ScoreEntry, SweepFile
from harness.types import Problem, Semantics

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


LENGTHS = ("steps", "characters")


@dataclass(frozen=True)
class PoolArrays:
    """The candidates of one pool. Token counts are NaN where the pool does not know them."""

    entry: PoolEntry
    problems: Sequence[Problem]
    correct: Floats
    """(P, N) 1 correct, 0 wrong, NaN ungraded."""
    classes: Ints
    """(P, N) class of the answer, -1 for none."""
    length: Bools
    """(P, N) cut at max_tokens."""
    lengths: Mapping[str, Floats]
    """``steps`` and ``characters`` → (P, N)."""
    tokens: Floats
    """(P, N) tokens decoded."""
    prompt: Floats
    """(P,) tokens of the prompt."""
    seconds: Floats
    """(P,) seconds of generation for all N; NaN if it was not generated (`at_work`)."""
    flops: Floats
    """(P, N) of decoding, NaN if unknown."""
    prompt_flops: Floats
    """(P,) of reading the prompt once."""

    @property
    def present(self) -> Bools:
        """(P, N) all true: a pool is complete when it is evaluated."""
        return np.ones(self.correct.shape, bool)


@dataclass(frozen=True)
class ScoreArrays:
    """One PRM's scores of one pool."""

    entry: ScoreEntry
    semantics: Semantics
    covered: Bools
    """(P,) problems of which at least one candidate was judged."""
    scores: Mapping[str, Floats]
    """Aggregation → (P, N); -inf for a candidate without scores."""
    tokens: Floats
    """(P, N) tokens read and generated; NaN if unknown."""
    seconds: Floats
    """(P,) seconds for all N; NaN if nothing judged them (`at_work`)."""
    flops: Floats
    """(P, N), NaN if unknown."""


def load_pool(run: RunFolder, entry: PoolEntry) -> PoolArrays:
    """Read a graded pool.

    Raises:
        DataError: candidates or grades are missing; the run was interrupted.
    """
    folder = entry.folder(run)
    problems = folder.read_problems()
    rows = {problem.id: row for row, problem in enumerate(problems)}
    shape = (len(problems), entry.samples)
    header, units = read_ledger(folder.candidates)
    architecture = architecture_of(header.facts)
    tokens, prompt, flops = (
        np.full(shape, np.nan),
        np.full(shape[0], np.nan),
        np.full(shape, np.nan),
    )
    length, prompt_flops = np.zeros(shape, bool), np.full(shape[0], np.nan)
    lengths = {name: np.full(shape, np.nan) for name in LENGTHS}
    for candidate in folder.read_candidates():
        row, column = rows[candidate.problem], candidate.index
        length[row, column] = candidate.draft.finish == "length"
        for name, size in lengths_of(candidate.draft.steps).items():
            lengths[name][row, column] = size
        count, before = candidate.draft.tokens, candidate.prompt_tokens
        if count is not None:
            tokens[row, column] = count
        if before is not None:
            prompt[row] = before
        if architecture and count is not None and before is not None:
            flops[row, column] = architecture.decode(before, count)
            prompt_flops[row] = architecture.prefill(before)
    correct, classes = _grades(folder, rows, shape)
    seconds = _seconds(units, rows) if at_work(header) else np.full(shape[0], np.nan)
    return PoolArrays(
        entry,
        problems,
        correct,
        classes,
        length,
        lengths,
        tokens,
        prompt,
        seconds,
        flops,
        prompt_flops,
    )


def lengths_of(steps: Sequence[str]) -> dict[str, int]:
    """Return how long a solution is, by the names of `LENGTHS`."""
    return dict(zip(LENGTHS, (len(steps), sum(map(len, steps))), strict=True))


def _grades(
    folder: PoolFolder, rows: Mapping[str, int], shape: tuple[int, int]
) -> tuple[Floats, Ints]:
    """Return correctness and answer classes."""
    correct, classes = np.full(shape, np.nan), np.full(shape, -1, np.int64)
    graded = 0
    for problem, index, grade in folder.read_grades():
        correct[rows[problem], index] = grade.value
        classes[rows[problem], index] = grade.answer_class
        graded += 1
    if graded != shape[0] * shape[1]:
        raise DataError(
            f"{folder.grades}: {graded} of {shape[0] * shape[1]} candidates are graded; the run "
            "was interrupted: give its command again"
        )
    return correct, classes


def load_scores(
    run: RunFolder,
    sweep: SweepFile,
    entry: ScoreEntry,
    problems: Sequence[Problem],
    shape: tuple[int, ...],
) -> ScoreArrays:
    """Read one PRM's scores of a pool of (P, N) drafts, under every legal aggregation.

    Raises:
        DataError: scores are missing; the run was interrupted.
    """
    path = sweep.scores_path(run, entry)
    rows = {problem.id: row for row, problem in enumerate(problems)}
    header, units = read_ledger(path)
    _complete(path, units, len(rows))
    architecture = architecture_of(header.facts)
    tokens, flops = np.full(shape, np.nan), np.full(shape, np.nan)
    places: list[tuple[int, int]] = []
    values: list[float] = []
    offsets = [0]
    covered = np.zeros(shape[0], bool)
    for problem, index, scores in read_scores(path):
        if scores is None:
            continue
        place = rows[problem], index
        covered[place[0]] = True
        tokens[place] = np.nan if scores.tokens is None else scores.tokens
        flops[place] = flops_of(scores, architecture)
        if scores.values:
            places.append(place)
            values.extend(scores.values)
            offsets.append(len(values))
    where = tuple(np.array(places, np.int64).reshape(-1, 2).T)
    semantics = _semantics(header.facts)
    aggregated = {}
    for name in aggregations(sweep, semantics, entry.aggregation):
        aggregated[name] = np.full(shape, -np.inf)
        aggregated[name][where] = aggregate_many(name, np.array(values), np.array(offsets))
    seconds = _seconds(units, rows) if at_work(header) else np.full(shape[0], np.nan)
    return ScoreArrays(entry, semantics, covered, aggregated, tokens, seconds, flops)


def aggregations(sweep: SweepFile, semantics: Semantics, declared: str) -> tuple[str, ...]:
    """Return the aggregations that a run asks for: all legal ones unless it names some.

    The one that the PRM declares is always among them: the result is by it.
    """
    asked = sweep.config.get("aggregations")
    return tuple(dict.fromkeys((*asked, declared))) if asked else legal(semantics)


def _complete(path: Path, units: Sequence[Unit], problems: int) -> None:
    found = len({problem for unit in units for problem in unit.usage})
    if found != problems:
        raise DataError(
            f"{path}: {found} of {problems} problems are scored; the run was interrupted: give its "
            "command again"
        )


def _seconds(units: Sequence[Unit], rows: Mapping[str, int]) -> Floats:
    """Share each unit's measured seconds among its problems by the tokens spent on them."""
    seconds = np.full(len(rows), np.nan)
    for unit in units:
        work = {p: t.decode + t.prefill_computed for p, t in unit.usage.items()}
        total = sum(work.values())
        for problem, own in work.items():
            share = own / total if total else 1 / len(work)
            seconds[rows[problem]] = unit.seconds * share
    return seconds


def at_work(header: Header) -> bool:
    """Return whether a log's seconds are of something at work, here or behind a server: recorded
    content is only looked up, and a double costs nobody anything."""
    return not _adapters(header.identity) & {"pool", "recorded", "fake"}


def _adapters(identity: object) -> set[str]:
    """Return every adapter of an identity, those of an ensemble's members among them."""
    if isinstance(identity, Mapping):
        own = {str(identity["adapter"])} if "adapter" in identity else set[str]()
        return own.union(*map(_adapters, identity.values()))
    if isinstance(identity, list | tuple):
        return set[str]().union(*map(_adapters, identity))
    return set()


def architecture_of(facts: Mapping[str, Any]) -> Architecture | None:
    """Return the shape of the model that filled a log; None if it is not known, as of recorded
    content or behind a server."""
    found = facts.get("architecture")
    return Architecture(**found) if found else None


def _semantics(facts: Mapping[str, Any]) -> Semantics:
    found: Semantics = facts["semantics"]
    return found
