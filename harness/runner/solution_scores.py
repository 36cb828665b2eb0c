"""Result rows of a PRM's scores of whole solutions, by its declared aggregation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.prms.aggregate import aggregate_many
from harness.reporting.lines import CHOSEN_SCORE
from harness.reporting.solutions import (
    SOLUTION_AUROC,
    SOLUTION_SCORES,
    length_metric,
    probe_metric,
    unprobed,
)
from harness.runner.arrays import LENGTHS, Floats, PoolArrays, ScoreArrays, lengths_of
from harness.runner.outcomes import with_estimate
from harness.stats import (
    chosen_score,
    given_length_correlation,
    length_correlation,
    probe_change,
    within_auroc,
)
from harness.types import Estimate, Problem, ResultRow

_AMONG = ("", "right", "wrong")
"""Solutions that a correlation with length is over, in the order of the estimates."""


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
            for among, estimate in zip(_AMONG, parts, strict=True):
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


@dataclass(frozen=True, slots=True)
class Given:
    """A solution that comes with a task, as a PRM scored it."""

    problem: Problem
    scores: tuple[float, ...]
    """None at all: a critic named no step."""
    right: bool
    """Every step is."""
    origin: str | None = None
    """The problem that it was made from, where several were made from one."""


def given_rows(
    row: ResultRow, aggregation: str, given: Sequence[Given], whole: bool, seed: int
) -> Iterator[ResultRow]:
    """Yield how a PRM's scores of given solutions hang on their length.

    If they stop at the first wrong step (not `whole`), only right solutions have a whole score.
    """
    own = replace(
        row, method=SOLUTION_SCORES, aggregation=aggregation, headline=False, n_problems=len(given)
    )
    scores = _aggregated(aggregation, [one.scores for one in given])
    right = np.array([one.right for one in given])
    origins = [one.origin for one in given]
    problems = None if None in origins else np.array(origins)
    sizes = [lengths_of(one.problem.steps) for one in given]
    for kind in LENGTHS:
        lengths = [size[kind] for size in sizes]
        parts = given_length_correlation(scores, lengths, right, problems, seed)
        for among, estimate in zip(_AMONG, parts, strict=True):
            if estimate.n and (whole or among == "right"):
                made = with_estimate(replace(own, metric=length_metric(kind, among)), estimate)
                yield replace(made, n_problems=own.n_problems)


def _aggregated(name: str, scores: Sequence[tuple[float, ...]]) -> Floats:
    """Return (I,) scores of solutions; -inf for one without step scores."""
    found = np.full(len(scores), -np.inf)
    said = np.array([len(own) > 0 for own in scores])
    if said.any():
        offsets = np.cumsum([0, *(len(own) for own in scores if own)])
        found[said] = aggregate_many(name, np.concatenate([own for own in scores if own]), offsets)
    return found
