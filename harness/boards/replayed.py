"""Searches on a frozen pool: what speculative rejection would have done with its candidates.

It goes by the scores of beginnings, so it has figures for PRMs whose score of a step is the same
whatever follows (`harness.boards.ahead` tells which).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.boards.pools import FrozenPool
from harness.boards.recompute import VOTE_DRAWS, Outcome, mean_outcome, solution_scores
from harness.boards.scores import PoolScores
from harness.boards.standing import Column
from harness.search.rejection import RejectionOptions, looks
from harness.stats import speculative_rejection

Floats = NDArray[np.float64]

METHOD = "speculative_rejection"
OPTIONS = RejectionOptions.model_validate({})
_FOUND = {"accuracy": "value", "written": "written"}


def replayed_outcomes(
    pool: FrozenPool, scores: PoolScores, columns: Sequence[Column], aggregation: str, seed: int
) -> Iterator[tuple[str, Outcome]]:
    """Yield the figures of the columns whose method is replayed, options as by default."""
    own = [column for column in columns if column.method == METHOD]
    if not own:
        return
    for budget in sorted({column.budget for column in own if column.budget}):
        plan = looks(budget, OPTIONS)
        begun = [solution_scores(pool, scores.begun(look.steps), aggregation) for look in plan]
        found = speculative_rejection(
            np.array(begun).reshape(len(plan), scores.replicas, *pool.present.shape),
            pool.steps,
            pool.correct,
            pool.present,
            budget,
            plan,
            draws=VOTE_DRAWS,
            seed=seed,
        )
        for column in own:
            if column.budget == budget:
                yield column.id, mean_outcome(getattr(found, _FOUND[column.metric]))
