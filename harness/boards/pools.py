"""A frozen pool in memory: problems, and per candidate the numbers that estimators need.

P problems, N candidates each; where solutions are given, a problem may have fewer. Texts of
candidates are not held: `read_drafts` reads those of some problems.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.boards.archive import CANDIDATES, GRADES, PROBLEMS, Archive, PoolCard
from harness.errors import DataError
from harness.store.format import candidate_from, problem_from
from harness.types import GIVEN_KINDS, Candidate, Draft, Problem

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_VERDICTS: Mapping[Any, float] = {"correct": 1.0, "wrong": 0.0, "ungraded": np.nan}


@dataclass(frozen=True)
class FrozenPool:
    """An archive that was read and found sound."""

    path: Path
    card: PoolCard
    problems: tuple[Problem, ...]
    present: Bools
    """(P, N) whether there is such a candidate."""
    steps: Ints
    """(P, N) steps of each, 0 where there is none."""
    correct: Floats
    """(P, N) 1 correct, 0 wrong, NaN ungraded or absent."""
    classes: Ints
    """(P, N) class of the answer, -1 for none."""
    tokens: Floats
    """(P, N) tokens that the policy decoded; NaN if unknown."""

    @property
    def digest(self) -> str:
        """The pool's digest."""
        return self.card.digest

    @property
    def kind(self) -> str:
        """The task's kind."""
        return self.card.kind

    @cached_property
    def labels(self) -> Ints:
        """(P,) first wrong step, -1 if all are right; of kind ``steps`` alone."""
        return np.array([_label(problem) for problem in self.problems], np.int64)

    @cached_property
    def right(self) -> Ints:
        """(P,) place of the right solution; of kind ``preference`` alone."""
        return np.array([_place(problem) for problem in self.problems], np.int64)

    def row(self, problem: str) -> int:
        """Return the row of a problem."""
        return self._rows[problem]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {problem.id: row for row, problem in enumerate(self.problems)}

    def records(
        self, member: str, problems: Collection[str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the records of a member of the archive, of some problems or of all."""
        with Archive(self.path) as archive:
            for _, record in archive.records(member, problems):
                yield record

    def read_drafts(self, wanted: Collection[str]) -> dict[str, list[Draft]]:
        """Return the candidates of some problems, in the order of their index."""
        if self.kind in GIVEN_KINDS:
            return {p.id: list(p.given) for p in self.problems if p.id in wanted}
        found: dict[str, list[Candidate]] = {name: [] for name in wanted}
        for record in self.records(CANDIDATES, wanted):
            found[record["problem"]].append(candidate_from(record))
        by_index = {name: sorted(own, key=lambda c: c.index) for name, own in found.items()}
        return {name: [candidate.draft for candidate in own] for name, own in by_index.items()}

    def read_answers(self, wanted: Collection[str]) -> dict[tuple[str, int], str | None]:
        """Return the answers that were found in the candidates of some problems."""
        if self.kind in GIVEN_KINDS:
            return {}
        return {
            (record["problem"], record["index"]): record.get("answer")
            for record in self.records(GRADES, wanted)
        }


def load_pool(path: Path, digest: str | None = None) -> FrozenPool:
    """Read an archive and check every record of it.

    Args:
        path: The archive.
        digest: What its digest has to be.

    Raises:
        DataError: not an archive, another digest, or a record that does not fit the others.
    """
    with Archive(path) as archive:
        if digest is not None and archive.digest != digest:
            raise DataError(
                f"{path}: this pool has the digest {archive.digest}, wanted is {digest}; it is "
                f"{archive.card.name} version {archive.card.version}"
            )
        card = archive.card
        problems = _problems(archive)
        shape = len(problems), card.samples
        present, steps = np.zeros(shape, bool), np.zeros(shape, np.int64)
        correct, tokens = np.full(shape, np.nan), np.full(shape, np.nan)
        classes = np.full(shape, -1, np.int64)
        if card.kind in GIVEN_KINDS:
            _read_given(archive, problems, present, steps)
        else:
            rows = {problem.id: row for row, problem in enumerate(problems)}
            _read_candidates(archive, rows, present, steps, tokens)
            _read_grades(archive, rows, correct, classes)
    pool = FrozenPool(path, card, problems, present, steps, correct, classes, tokens)
    if card.kind == "steps":
        correct[:, 0] = pool.labels == -1
    elif card.kind == "preference":
        correct[present] = 0.0
        correct[np.arange(shape[0]), pool.right] = 1.0
    return pool


def _problems(archive: Archive) -> tuple[Problem, ...]:
    card, found, seen = archive.card, [], set()
    for place, record in archive.records(PROBLEMS):
        try:
            if card.withheld:
                # The digest is that of the whole problem, which is not here.
                if record["reference"] is not None:
                    raise DataError(f"{place}: holds the reference that the card says is withheld")
                record.pop("digest")
                solutions = tuple(map(tuple, record.pop("solutions", ())))
                problem = Problem(
                    **{**record, "steps": tuple(record["steps"]), "solutions": solutions}
                )
            else:
                problem = problem_from(record)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{place}: not a problem: {error}") from None
        except DataError as error:
            raise DataError(f"{place}: {error}") from None
        if (problem.task, problem.kind) != (card.task, card.kind) or problem.id in seen:
            raise DataError(f"{place}: problem {problem.id!r} is there twice or of another task")
        seen.add(problem.id)
        found.append(problem)
    if len(found) != card.problems:
        raise DataError(f"{archive.path}: {len(found)} problems, the card says {card.problems}")
    return tuple(found)


def _read_given(
    archive: Archive, problems: tuple[Problem, ...], present: Bools, steps: Ints
) -> None:
    for row, problem in enumerate(problems):
        given = problem.given
        if len(given) > archive.card.samples or problem.blind:
            raise DataError(f"{archive.path}: problem {problem.id!r} has no texts, or too many")
        present[row, : len(given)] = True
        steps[row, : len(given)] = [len(draft.steps) for draft in given]


def _read_candidates(
    archive: Archive, rows: Mapping[str, int], present: Bools, steps: Ints, tokens: Floats
) -> None:
    for place, record in archive.records(CANDIDATES):
        row, column = _at(place, record, rows, present.shape[1])
        own = record.get("steps")
        if not isinstance(own, list) or not all(isinstance(step, str) and step for step in own):
            raise DataError(f"{place}: the steps are not a list of texts")
        if present[row, column]:
            raise DataError(f"{place}: this candidate is there twice")
        present[row, column], steps[row, column] = True, len(own)
        count = record.get("tokens")
        tokens[row, column] = count if isinstance(count, int) else np.nan
    if not present.all():
        raise DataError(
            f"{archive.path}: {int((~present).sum())} candidates are missing; the card says "
            f"{present.shape[1]} of each problem"
        )


def _read_grades(archive: Archive, rows: Mapping[str, int], correct: Floats, classes: Ints) -> None:
    graded = np.zeros(correct.shape, bool)
    for place, record in archive.records(GRADES):
        row, column = _at(place, record, rows, correct.shape[1])
        if record.get("verdict") not in _VERDICTS or not isinstance(record.get("class"), int):
            raise DataError(f"{place}: not a grade")
        if graded[row, column]:
            raise DataError(f"{place}: this grade is there twice")
        graded[row, column] = True
        correct[row, column] = _VERDICTS[record["verdict"]]
        classes[row, column] = record["class"]
    if not graded.all():
        raise DataError(f"{archive.path}: {int((~graded).sum())} candidates have no grade")


def _at(
    place: str, record: Mapping[str, Any], rows: Mapping[str, int], samples: int
) -> tuple[int, int]:
    problem, index = record.get("problem"), record.get("index")
    if not isinstance(problem, str) or problem not in rows:
        raise DataError(f"{place}: problem {problem!r} is not in the pool")
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < samples:
        raise DataError(f"{place}: candidate {index!r} is not one of {samples}")
    return rows[problem], index


def _label(problem: Problem) -> int:
    reference = problem.reference
    if isinstance(reference, dict):
        label, wrong = reference.get("label"), reference.get("wrong")
        if isinstance(label, int):
            return label
        if isinstance(wrong, list):
            return min((step for step in wrong if isinstance(step, int)), default=-1)
    raise DataError(f"problem {problem.id!r}: the reference has no label")


def _place(problem: Problem) -> int:
    reference = problem.reference
    if isinstance(reference, dict) and isinstance(right := reference.get("right"), int):
        return right
    raise DataError(f"problem {problem.id!r}: the reference names no right solution")
