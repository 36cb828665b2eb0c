"""PRMs that are a function: a prompt and solutions in, a number per step out.

One's own code (`harness.prms.python`) and a server (`harness.prms.http`) are met this way. What the
function gives is checked as strictly as a file: one finite number per step, or null for a solution
that it cannot score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import DataError
from harness.prms import aggregate
from harness.prms.prm import Covers, check_fit, check_steps
from harness.types import Draft, Json, Judge, Judged, Semantics, Spec, StepScores, Tokens

Ask: TypeAlias = Callable[[str, list[list[str]]], object]
"""(prompt, solutions as lists of steps) → per solution a list of numbers, or None."""


class FunctionPrm:
    """A function as a PRM."""

    covers: Covers = "steps"
    live = True
    architecture: Architecture | None = None
    unit_rows = 256

    def __init__(
        self, spec: Spec, options: Options, ask: Ask, identity: dict[str, Json], at_once: int = 1
    ) -> None:
        """Read ``semantics``, ``aggregation`` and ``threshold``, which must be all that is left.

        Args:
            spec: As the user wrote it.
            options: Its options; what the caller wanted of them is taken.
            ask: The function.
            identity: Whatever decides its scores.
            at_once: Requests under way at the same time.
        """
        self.spec = spec
        self._ask, self._identity, self._at_once = ask, identity, at_once
        self._semantics = aggregate.check_semantics(options.text("semantics", "p_correct") or "")
        usual = aggregate.declared(self._semantics)
        self._aggregation = options.text("aggregation", usual) or usual
        limit = aggregate.threshold(self._semantics)
        self._threshold = options.number_or("threshold", limit, -1e9, 1e9)
        options.done()
        aggregate.check(self._aggregation, self._semantics)

    @property
    def semantics(self) -> Semantics:
        """As the options say."""
        return self._semantics

    @property
    def aggregation(self) -> str:
        """As the options say."""
        return self._aggregation

    @property
    def threshold(self) -> float | None:
        """As the options say."""
        return self._threshold

    def identity(self) -> dict[str, Json]:
        """What was given, and what its numbers mean."""
        return {**self._identity, "semantics": self._semantics}

    def describe(self) -> dict[str, Json]:
        """Nothing more is known."""
        return {}

    def load(self) -> None:
        """It has loaded what it needs, or does so when it is asked."""

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score; see `Prm.judge`. Equal drafts of a request are asked about once.

        Raises:
            DataError: an answer that does not fit the question.
        """
        if self._at_once == 1 or len(requests) == 1:
            return [self._judge(request) for request in requests]
        with ThreadPoolExecutor(self._at_once) as pool:
            return list(pool.map(self._judge, requests))

    def _judge(self, request: Judge) -> Judged:
        where = f"PRM {self.spec.name}, problem {request.question.id!r}"
        check_steps(request)
        wanted = list(dict.fromkeys(draft.steps for draft in request.drafts if draft.steps))
        given: object = (
            self._ask(request.question.prompt, [list(s) for s in wanted]) if wanted else []
        )
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != len(wanted):
            raise DataError(
                f"{where}: asked about {len(wanted)} solutions, it answers {given!r:.80}"
            )
        found = {
            steps: self._scores(Draft(steps), one, where)
            for steps, one in zip(wanted, given, strict=True)
        }
        scores = tuple(found.get(draft.steps) for draft in request.drafts)
        return Judged(scores, Tokens(sum(one is not None for one in scores)))

    def _scores(self, draft: Draft, given: object, where: str) -> StepScores | None:
        """Return the scores of one solution once they fit.

        Raises:
            DataError: they do not.
        """
        if given is None:
            return None
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise DataError(f"{where}: {given!r:.80} is no list of numbers")
        if any(isinstance(one, bool) or not isinstance(one, int | float) for one in given):
            raise DataError(f"{where}: {list(given)!r:.80} is no list of numbers")
        try:
            scores = StepScores(tuple(map(float, given)), self._semantics)
            if self._semantics == "p_correct" and not all(0 <= v <= 1 for v in scores.values):
                raise ValueError(f"{max(scores.values, key=abs):g} is no probability")
            return check_fit(scores, draft, self.covers, where)
        except (ValueError, OverflowError) as error:
            said = str(error)
            raise DataError(said if said.startswith(where) else f"{where}: {said}") from error

    def remember(self, on: bool) -> None:
        """It remembers what it wants to."""

    def close(self) -> None:
        """Nothing to give back."""
