"""From step scores to figures: what PRMs choose from a pool of candidates, problem by problem.

The estimators are those of every run (`harness.stats`); here they are asked for a board's columns
only, under the one aggregation that was declared. Given solutions: `harness.boards.given`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.boards.pools import FrozenPool
from harness.boards.scores import PoolScores
from harness.boards.standing import Column
from harness.prms.aggregate import aggregate_many, vote_weight
from harness.stats import best_of_n, estimate, pass_at_n, vote
from harness.types import Estimate, Semantics

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

VOTE_DRAWS = 100
"""Subsets per problem and budget, as in a run."""


@dataclass(frozen=True)
class Outcome:
    """One entry in one column."""

    figure: Estimate
    items: Floats | None = None
    """(R, I) expected correctness per replica and problem or item; NaN: ungraded. None: the figure
    is no mean over items."""
    kinds: Bools | None = None
    """(I,) where the figure is F1: whether the item has an error."""
    steps: Floats | None = None
    """(O, 4) where the figure is PRMScore: `harness.stats.step_counts` of each original problem,
    means over replicas. With neither these nor `items` nobody is ranked by the figure."""
    parts: Mapping[str, Estimate] = field(default_factory=dict)
    """Category of error → the figure on that category, where the task has such categories."""


@dataclass(frozen=True)
class Rule:
    """How a PRM's scores are read, as declared."""

    semantics: Semantics
    aggregation: str
    threshold: float | None


def solution_scores(pool: FrozenPool, scores: PoolScores, aggregation: str) -> Floats:
    """Return (R, P, N) scores of whole solutions; -inf without a verdict, NaN where none is."""
    shape = (scores.replicas, *pool.present.shape)
    found = np.full(shape, np.nan)
    place = np.nonzero(np.broadcast_to(pool.present, shape))
    said = scores.lengths > 0
    own = np.full(len(said), -np.inf)
    if said.any():
        offsets = np.concatenate([[0], np.cumsum(scores.lengths[said])])
        own[said] = aggregate_many(aggregation, scores.values, offsets)
    found[place] = own
    return found


def choices(
    pool: FrozenPool,
    scored: Sequence[tuple[Floats, Semantics]],
    columns: Sequence[Column],
    seed: int,
) -> list[dict[str, Outcome]]:
    """Return the figures of best-of-n and votes, of all PRMs at once.

    All votes of a pool are counted over the same subsets in one call: most of a vote's time goes
    into the subsets.

    Args:
        pool: Whose candidates are chosen from.
        scored: Per PRM `solution_scores` and what they mean.
        columns: The pool's columns.
        seed: Of the subsets.
    """
    found: list[dict[str, Outcome]] = [{} for _ in scored]
    if not scored:
        return found
    ends = np.cumsum([len(single) for single, _ in scored])
    for method in ("best_of_n", "weighted_vote"):
        asked = {column.budget: column.id for column in columns if column.method == method}
        budgets = sorted(budget for budget in asked if budget)
        if not budgets:
            continue
        if method == "best_of_n":
            stacked = np.concatenate([single for single, _ in scored])
            values = best_of_n(stacked, pool.correct, pool.present, budgets)
        else:
            weights = np.concatenate([_weights(single, meant) for single, meant in scored])
            values = vote_values(pool, weights, budgets, seed)
        for own, part in zip(found, np.split(values, ends[:-1]), strict=True):
            for at, budget in enumerate(budgets):
                own[asked[budget]] = mean_outcome(part[..., at])
    return found


def _weights(single: Floats, semantics: Semantics) -> Floats:
    """Without a verdict a candidate has no weight; its answer can win by others' votes."""
    known = np.isfinite(single)
    return np.where(known, vote_weight(np.where(known, single, 0.0), semantics), 0.0)


def vote_values(pool: FrozenPool, weights: Floats, budgets: Sequence[int], seed: int) -> Floats:
    """Return (R, P, B) expected correctness of votes of such weights; NaN if nothing is graded."""
    counted = vote(
        pool.classes,
        pool.correct,
        pool.present,
        budgets,
        weights,
        draws=VOTE_DRAWS,
        seed=seed,
    ).value
    counted[..., np.isnan(pool.correct).all(axis=1), :] = np.nan
    return counted


def mean_outcome(items: Floats) -> Outcome:
    """Return the outcome of (R, I) values; replicas of a problem are one cluster."""
    replicas, count = items.shape
    clusters = None if replicas == 1 else np.tile(np.arange(count), replicas)
    return Outcome(estimate(items.ravel(), clusters), items)


# --- what needs no PRM ---------------------------------------------------------------------------


def references(
    pool: FrozenPool, columns: Sequence[Column], seed: int
) -> Iterator[tuple[str, str, Outcome]]:
    """Yield (name, column, outcome) of the figures that a pool has by itself."""
    columns = [column for column in columns if column.metric == "accuracy"]
    budgets = sorted({c.budget for c in columns if c.budget})
    if not budgets:
        return
    ceiling = pass_at_n(pool.correct, pool.present, budgets)
    single = pass_at_n(pool.correct, pool.present, [1])[:, 0]
    majority = vote_values(pool, np.ones((1, *pool.correct.shape)), budgets, seed)[0]
    for column in columns:
        if column.budget:
            at = budgets.index(column.budget)
            yield "ceiling (pass@N)", column.id, mean_outcome(ceiling[None, :, at])
            if column.method == "weighted_vote":
                yield "majority vote", column.id, mean_outcome(majority[None, :, at])
            yield "one sample", column.id, mean_outcome(single[None])


def policy_tokens(pool: FrozenPool, column: Column) -> float | None:
    """Return the tokens that a problem's candidates took at a column's budget, None if unknown."""
    if not column.budget or np.isnan(pool.tokens).any():
        return None
    return float(pool.tokens.sum() / len(pool.problems) * column.budget / pool.card.samples)
