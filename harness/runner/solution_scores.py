"""Result rows of a PRM's scores of whole solutions, by its declared aggregation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.reporting.lines import CHOSEN_SCORE
from harness.runner.arrays import PoolArrays, ScoreArrays
from harness.runner.outcomes import with_estimate
from harness.stats import chosen_score
from harness.types import ResultRow


def solution_rows(
    row: ResultRow, pool: PoolArrays, scored: Sequence[ScoreArrays], budgets: Sequence[int]
) -> Iterator[ResultRow]:
    """Yield, for every PRM and budget, the mean score of what best-of-n chooses."""
    for scores in scored:
        name = scores.entry.aggregation
        if name not in scores.scores:  # the run asks for others only
            continue
        own = replace(
            row,
            prm=scores.entry.prm,
            aggregation=name,
            metric=CHOSEN_SCORE,
            headline=False,  # what the PRM says of itself is no result
        )
        present = pool.present & scores.covered[:, None]
        _, means = chosen_score(scores.scores[name], present, budgets)
        for budget, mean in zip(budgets, means, strict=True):
            if mean.n:
                yield with_estimate(replace(own, budget=budget), mean)
