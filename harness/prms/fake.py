"""Fake PRMs with known quality: what a method can gain at best, at worst and in between.

==============  ===================================================================================
oracle          1 for every step before the first wrong one, 0 from it on; where all wrong steps are
                known, 0 for these alone
anti-oracle     the opposite of the oracle
noisy           judges each draft rightly with probability ``p`` (default 0.9), else calls a right
                draft wrong from a random step on, and a wrong one right; one judgement per draft,
                drawn from (``seed``, question, draft)
constant        ``value`` (default 0.5) for every step: selection by it is a coin toss
==============  ===================================================================================

**The reference never reaches a PRM.** The first three need the truth, and get it in the one way
there is: a `Truth` given to the constructor by whoever runs the benchmark. `Judge` requests cannot
carry it, and no other adapter takes it.

Where a whole candidate was graded, "wrong" means wrong from its first step: `first_wrong_of_grade`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.digest import canonical
from harness.errors import ConfigError, unknown
from harness.prms.prm import Covers, check_steps
from harness.types import (
    Draft,
    Grade,
    Json,
    Judge,
    Judged,
    Question,
    Semantics,
    Spec,
    StepScores,
    Tokens,
)

Truth: TypeAlias = Callable[[Question, Draft], int | frozenset[int] | None]
"""Index of the draft's first wrong step, -1 if all are right; or the indices of all its wrong
steps, where they are known; None if nobody knows anything (ungraded)."""

KINDS = ("oracle", "anti-oracle", "noisy", "constant")


def first_wrong_of_grade(grade: Grade) -> int | None:
    """Return a graded candidate's first wrong step: -1 correct, 0 wrong, None ungraded."""
    return {"correct": -1, "wrong": 0}.get(grade.verdict)


class FakePrm:
    """A PRM of known quality.

    Raises:
        ConfigError: an unknown kind or option, or a kind that needs the truth without it.
    """

    unit_rows = 4096
    threshold: float | None = 0.5
    architecture: Architecture | None = None
    semantics: Semantics = "p_correct"
    aggregation = "min"
    covers: Covers = "steps"

    def __init__(self, spec: Spec, truth: Truth | None = None) -> None:
        options = Options(spec, "PRM")
        if spec.target not in KINDS:
            raise unknown("fake PRM", spec.target, KINDS)
        self.spec = spec
        self._p, self._value, self._seed = 1.0, 0.5, 0
        if spec.target == "noisy":
            self._p = options.number("p", 0.9, 0.0, 1.0)
            self._seed = options.integer("seed", 0, low=0) or 0
        if spec.target == "constant":
            self._value = options.number("value", 0.5, 0.0, 1.0)
        options.done()
        if truth is None and spec.target != "constant":
            raise ConfigError(
                f"the fake PRM {spec.target!r} must be told the truth, which this command does "
                "not know; fake:constant needs none"
            )
        self._truth = truth

    @property
    def live(self) -> bool:
        """The truth of a draft is known only when it was graded, so only ``constant`` is."""
        return self.spec.target == "constant"

    def identity(self) -> dict[str, Json]:
        """The kind and its numbers."""
        return {
            "adapter": "fake",
            "kind": self.spec.target,
            "p": self._p,
            "value": self._value,
            "seed": self._seed,
        }

    def describe(self) -> dict[str, Json]:
        """Nothing beyond its identity."""
        return {}

    def load(self) -> None:
        """There is nothing to load."""

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score the drafts; None for those of which nobody knows the truth."""
        replies = []
        for request in requests:
            check_steps(request)
            scores = tuple(self._score(request.question, draft) for draft in request.drafts)
            replies.append(Judged(scores, Tokens(calls=len(scores))))
        return replies

    def remember(self, on: bool) -> None:
        """Nothing to gain from it."""

    def close(self) -> None:
        """Nothing to give back."""

    def _score(self, question: Question, draft: Draft) -> StepScores | None:
        steps = len(draft.steps)
        if not steps:
            return None
        if self.spec.target == "constant" or self._truth is None:
            return StepScores((self._value,) * steps, self.semantics)
        known = self._truth(question, draft)
        if known is None:
            return None
        first = wrong = known if isinstance(known, int) else min(known, default=-1)
        if not -1 <= wrong < steps:
            raise ValueError(f"the first wrong step of {question.id!r} is {wrong} of {steps}")
        if self.spec.target == "noisy":
            wrong = self._blur(wrong, question, draft)
        right = steps if wrong < 0 else wrong
        values = (1.0,) * right + (0.0,) * (steps - right)
        if isinstance(known, frozenset) and wrong == first:
            values = tuple(float(step not in known) for step in range(steps))
        if self.spec.target == "anti-oracle":
            values = tuple(1.0 - value for value in values)
        return StepScores(values, self.semantics)

    def _blur(self, wrong: int, question: Question, draft: Draft) -> int:
        """Return the first wrong step as a noisy judge sees it."""
        name = canonical([self._seed, question.task, question.id, list(draft.steps)])
        key = int.from_bytes(hashlib.sha256(name).digest()[:16], "little")
        random = np.random.Generator(np.random.Philox(key=key))
        if random.random() < self._p:
            return wrong
        return int(random.integers(len(draft.steps))) if wrong < 0 else -1
