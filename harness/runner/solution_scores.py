"""Result rows of a PRM's scores of whole solutions, by its declared aggregation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.reporting.lines import CHOSEN_SCORE
from harness.reporting.solutions import (
    SOLUTION_AUROC,
    SOLUTION_SCORES,
    length_metric,
    probe_metric,
    unprobed,
)
from harness.runner.arrays import LENGTHS, PoolArrays, ScoreArrays
from harness.runner.outcomes import with_estimate
from harness.stats import chosen_score, length_correlation, probe_change, within_auroc
from harness.types import Estimate, ResultRow


def solution_rows(
    row: ResultRow,
    pool: PoolArrays,
    scored: Sequence[ScoreArrays],
    budgets: Sequence[int],
    seed: int,
) -> Iterator[ResultRow]:
    """Yield, for every PRM, the mean score of what best-of-n chooses at each budget; how its scores
    rank solutions within a problem; how they hang on length; and what added steps do to them."""
    plain = {scores.entry.prm: scores for scores in scored}
    for scores in scored:
        name = scores.entry.aggregation
        if name not in scores.scores:  # the run asks for others only
            continue
        # What the PRM says of itself is no result of a method.
        own = replace(row, prm=scores.entry.prm, aggregation=name, headline=False)
        values = scores.scores[name]
        present = pool.present & scores.covered[:, None]
        _, means = chosen_score(values, present, budgets)
        for budget, mean in zip(budgets, means, strict=True):
            if mean.n:
                yield with_estimate(replace(own, metric=CHOSEN_SCORE, budget=budget), mean)
        found: dict[str, Estimate] = {SOLUTION_AUROC: within_auroc(values, pool.correct, seed)}
        for kind in LENGTHS:
            parts = length_correlation(values, pool.lengths[kind], pool.correct, seed)
            for among, estimate in zip(("", "right", "wrong"), parts, strict=True):
                found[length_metric(kind, among)] = estimate
        if (base := plain.get(unprobed(scores.entry.prm))) and name in base.scores:
            for among in ("right", "wrong"):
                change, rises = probe_change(
                    base.scores[name], values, pool.correct, among == "right", seed
                )
                found |= {probe_metric("change", among): change}
                found |= {probe_metric("rises", among): rises}
        for metric, estimate in found.items():
            if estimate.n:
                judged = replace(own, method=SOLUTION_SCORES, metric=metric)
                n = int(scores.covered.sum())
                yield replace(with_estimate(judged, estimate), n_problems=n)
