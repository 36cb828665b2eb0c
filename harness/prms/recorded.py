"""``recorded:FILE`` looks step scores up in a file, so that published PRMs need no weights.

**The form**: JSON lines, plain or .gz, one object per solution: ``id`` (the problem's, or the
item's in a first-error task), ``scores`` (one number per step), and ``index`` where a problem has
several solutions (its candidate number, from 0; default: order of appearance). Other keys are left
alone; a pool file with ``scores`` in every row is such a file.

Options: ``covers=prefix`` declares that scores may stop before the last step (recordings of
first-error benchmarks stop at the first wrong one); first-error metrics accept that, nothing else
does. ``semantics`` (default ``p_correct``), ``aggregation`` (default by semantics), ``steps=whole``
(`harness.prms.recut`: one score per solution).

A solution that the file does not cover has no scores (None): results say how many were covered.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters.options import Options
from harness.adapters.rows import Row, check_keys, read_rows
from harness.cost import Architecture
from harness.errors import DataError
from harness.prms import aggregate
from harness.prms.prm import Covers
from harness.types import Draft, Json, Judge, Judged, Semantics, Spec, StepScores, Tokens


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the scores of one solution lie in the long array, and where they came from."""

    start: int
    count: int
    line: int


class RecordedPrm:
    """Recorded step scores as a PRM.

    Raises:
        ConfigError: a wrong option.
        DataError: the file is missing, empty or breaks the form, with file and line.
    """

    unit_rows = 4096
    architecture: Architecture | None = None
    live = False

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "PRM")
        self.spec = spec
        self.covers: Covers = options.choice("covers", "steps", ("steps", "prefix"))
        self.semantics: Semantics = aggregate.check_semantics(
            options.text("semantics", "p_correct") or "p_correct"
        )
        default = aggregate.declared(self.semantics)
        self.aggregation = options.text("aggregation", default) or default
        aggregate.check(self.aggregation, self.semantics)
        usual = aggregate.threshold(self.semantics)
        self.threshold: float | None = options.number_or("threshold", usual, -1e9, 1e9)
        options.done()
        self._path = Path(spec.target)
        sha = hashlib.sha256()
        self._scores = array("d")
        self._places = self._load(sha)
        self._digest = sha.hexdigest()

    def identity(self) -> dict[str, Json]:
        """The digest of the uncompressed file and how it is read."""
        return {
            "adapter": "recorded",
            "content": self._digest,
            "covers": self.covers,
            "semantics": self.semantics,
        }

    def describe(self) -> dict[str, Json]:
        """Where the file is and how much it holds."""
        problems = {problem for problem, _ in self._places}
        return {
            "file": str(self._path),
            "problems": len(problems),
            "solutions": len(self._places),
            "scores": len(self._scores),
        }

    def load(self) -> None:
        """There is nothing to load."""

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Look up the drafts' scores; draft ``i`` of a request is candidate ``first + i``.

        Raises:
            DataError: a solution with another number of steps than scores.
        """
        return [self._judge(request) for request in requests]

    def remember(self, on: bool) -> None:
        """Nothing to gain from it."""

    def close(self) -> None:
        """Forget the scores."""
        self._scores, self._places = array("d"), {}

    def _judge(self, request: Judge) -> Judged:
        scores = tuple(
            self._look_up(request.question.id, request.first + i, draft, request.blind)
            for i, draft in enumerate(request.drafts)
        )
        return Judged(scores, Tokens(calls=sum(score is not None for score in scores)))

    def _look_up(self, problem: str, index: int, draft: Draft, blind: bool) -> StepScores | None:
        place = self._places.get((problem, index))
        if place is None or not (draft.steps or blind):
            return None
        steps = len(draft.steps) or place.count
        if place.count > steps or (self.covers == "steps" and place.count < steps):
            few = place.count < steps
            hint = "; if they stop at the first wrong step, add ,covers=prefix" if few else ""
            raise DataError(
                f"{self._path}:{place.line}: {place.count} scores for the {steps} steps of "
                f"solution {index} of {problem!r}{hint}"
            )
        return StepScores(
            tuple(self._scores[place.start : place.start + place.count]), self.semantics
        )

    def _load(self, sha: Any) -> dict[tuple[str, int], _Place]:
        """Fill the long array; return where each solution's scores lie."""
        places: dict[tuple[str, int], _Place] = {}
        seen: dict[str, int] = {}
        numbered: dict[str, bool] = {}
        for row in read_rows(self._path, sha):
            check_keys(row, ("id", "scores", "index"))
            problem, index = row.id(), row.count("index")
            if numbered.setdefault(problem, index is not None) != (index is not None):
                row.fail(f"{problem!r} has rows with and rows without 'index'")
            key = (problem, seen.get(problem, 0) if index is None else index)
            if key in places:
                row.fail(f"{problem!r} has index {key[1]} already, in line {places[key].line}")
            seen[problem] = seen.get(problem, 0) + 1
            scores = self._read_scores(row)
            places[key] = _Place(len(self._scores), len(scores), row.line)
            self._scores.extend(scores)
        if not places:
            raise DataError(f"{self._path} holds no scores")
        return places

    def _read_scores(self, row: Row) -> tuple[float, ...]:
        """Return the scores of a row, all of them in the range that the semantics allow."""
        scores = row.numbers("scores")
        if not scores:
            row.fail("'scores' is missing or empty: one number per step is needed")
        for i, score in enumerate(scores):
            if self.semantics == "p_correct" and not 0.0 <= score <= 1.0:
                row.fail(
                    f"'scores'[{i}] is {score:g}, no probability; if it is not meant as one, add "
                    "semantics=reward (or value, advantage)"
                )
            if self.semantics == "verdict" and score not in (0.0, 1.0):
                row.fail(f"'scores'[{i}] is {score:g}, but a verdict is 0 or 1")
        return scores
