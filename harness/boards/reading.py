"""What a board keeps of one PRM's scores of one pool: no step scores, they may be a million.

A board of a hundred PRMs is read one file at a time; what the figures, the checks and the page need
of it is taken out at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.boards.findings import Finding
from harness.boards.given import calibration, given_outcomes
from harness.boards.pools import FrozenPool
from harness.boards.recompute import Outcome, Rule, policy_tokens, solution_scores
from harness.boards.replayed import METHOD, replayed_outcomes
from harness.boards.scores import PoolScores
from harness.boards.shown import scored
from harness.boards.standing import Calibration, Column, Cost, Sample, Scored
from harness.boards.suspicion import Fingerprint, fingerprint, suspicions
from harness.types import GIVEN_KINDS


@dataclass(frozen=True)
class Reading:
    """One PRM's scores of one pool, without the scores."""

    replicas: int
    single: NDArray[np.float64] | None
    """(R, P, N) scores of whole candidates, where they are chosen from."""
    figures: Mapping[str, Outcome]
    """Column → figure, of all that is computed of one PRM at a time: on given solutions, and of
    searches that are replayed."""
    tokens: float | None
    """Tokens for judging all of a problem's solutions once, a mean; None if unknown."""
    flops: float | None
    seconds: float | None
    fingerprint: Fingerprint | None
    """None: all scores are the same, which anybody's can be."""
    calibration: Calibration | None
    scored: tuple[Scored, ...]

    def cost(self, pool: FrozenPool, column: Column) -> Cost:
        """Return what one problem takes at a column's budget."""
        if column.method == METHOD:  # the pool does not say which tokens belong to which step
            return Cost()
        share = (column.budget or pool.card.samples) / pool.card.samples
        prm = [None if x is None else x * share for x in (self.tokens, self.flops, self.seconds)]
        return Cost(prm[0], policy_tokens(pool, column), prm[1], prm[2])


def read(
    path: Path,
    pool: FrozenPool,
    scores: PoolScores,
    columns: Sequence[Column],
    rule: Rule,
    seed: int,
    shown: Sequence[Sample],
    baseline: bool,
) -> tuple[Reading, list[Finding]]:
    """Take out of a file's scores what a board needs, and say what looks odd.

    Args:
        path: The file.
        pool: What was scored.
        scores: The scores.
        columns: The pool's columns that this PRM can have figures of.
        rule: How they are read.
        seed: Of subsets and resampling.
        shown: The pool's problems that the board shows.
        baseline: Whether it may say the same of everything.
    """
    single = solution_scores(pool, scores, rule.aggregation)
    odd = list(suspicions(path, pool, scores, single, rule, baseline))
    per = len(pool.problems) * scores.replicas
    figures = given_outcomes(pool, scores, columns, rule, seed)
    figures |= replayed_outcomes(pool, scores, columns, rule.aggregation, seed)
    reading = Reading(
        scores.replicas,
        None if pool.kind in GIVEN_KINDS else single,
        figures,
        _mean(scores.tokens, per),
        _mean(scores.flops, per),
        None if scores.seconds is None else scores.seconds / per,
        fingerprint(scores),
        calibration(pool, scores, rule),
        scored(shown, pool, scores),
    )
    return reading, odd


def _mean(values: NDArray[np.float64], per: int) -> float | None:
    total = float(values.sum()) / per
    return None if np.isnan(total) else total
