"""From step scores to figures: what one PRM does on one pool, item by item.

The estimators are those of every run (`harness.stats`); here they are asked for a board's columns
only, under the one aggregation that was declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.boards.pools import FrozenPool
from harness.boards.scores import PoolScores
from harness.boards.standing import Bin, Calibration, Column, Cost
from harness.prms.aggregate import aggregate_many, vote_weight
from harness.stats import (
    Judged,
    Labelled,
    Subset,
    best_of_n,
    estimate,
    pass_at_n,
    preference,
    prm_score,
    reliability,
    vote,
)
from harness.stats import evaluate as evaluate_subsets
from harness.stats.prm_score import OVERALL
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
    is no mean over items, and nobody is ranked by it."""
    kinds: Bools | None = None
    """(I,) where the figure is F1: whether the item has an error."""


@dataclass(frozen=True)
class Rule:
    """How a PRM's scores are read, as declared."""

    semantics: Semantics
    aggregation: str
    threshold: float | None


def outcomes(
    pool: FrozenPool,
    scores: PoolScores,
    columns: Sequence[Column],
    rule: Rule,
    seed: int,
) -> dict[str, Outcome]:
    """Return the figures of some columns of a pool; those that are not defined are left out."""
    if pool.kind == "steps":
        return dict(_steps(pool, scores, columns, rule, seed))
    single = solution_scores(pool, scores, rule.aggregation)
    if pool.kind == "preference":
        return {c.id: _preference(pool, single) for c in columns if c.method == "preference"}
    return dict(_choices(pool, single, columns, rule, seed))


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


def _choices(
    pool: FrozenPool, single: Floats, columns: Sequence[Column], rule: Rule, seed: int
) -> Iterator[tuple[str, Outcome]]:
    """Yield best-of-n and votes at every budget that is asked for."""
    for method in ("best_of_n", "weighted_vote"):
        own = [column for column in columns if column.method == method and column.budget]
        budgets = sorted({column.budget for column in own if column.budget})
        if not own:
            continue
        if method == "best_of_n":
            values = best_of_n(single, pool.correct, pool.present, budgets)
        else:
            values = _votes(pool, single, rule.semantics, budgets, seed)
        for column in own:
            assert column.budget is not None
            yield column.id, mean_outcome(values[..., budgets.index(column.budget)])


def _votes(
    pool: FrozenPool, single: Floats, semantics: Semantics, budgets: Sequence[int], seed: int
) -> Floats:
    known = np.isfinite(single)
    weights = np.where(known, vote_weight(np.where(known, single, 0.0), semantics), 0.0)
    return vote_values(pool, weights, budgets, seed)


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


def _preference(pool: FrozenPool, single: Floats) -> Outcome:
    sizes = pool.present.sum(axis=1)
    return mean_outcome(
        np.stack([preference(_finite(own), pool.right, sizes).accuracy for own in single])
    )


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def mean_outcome(items: Floats) -> Outcome:
    """Return the outcome of (R, I) values; replicas of a problem are one cluster."""
    replicas, count = items.shape
    clusters = None if replicas == 1 else np.tile(np.arange(count), replicas)
    return Outcome(estimate(items.ravel(), clusters), items)


# --- given steps ---------------------------------------------------------------------------------


def _steps(
    pool: FrozenPool, scores: PoolScores, columns: Sequence[Column], rule: Rule, seed: int
) -> Iterator[tuple[str, Outcome]]:
    """Yield first-wrong-step and step-label figures; without a threshold there are none."""
    if rule.threshold is None:
        return
    methods = {column.method for column in columns}
    if "first_error" in methods:
        parts = [
            Subset.of(pool.card.task, _judged(pool, scores, replica))
            for replica in range(scores.replicas)
        ]
        found = np.stack([part.found(rule.threshold) for part in parts]).astype(np.float64)
        made = [evaluate_subsets([part], [rule.threshold], seed) for part in parts]
        for column in columns:
            if column.method == "first_error":
                own = [getattr(one.subsets[0], column.metric) for one in made]
                kinds = parts[0].error
                use = found if column.metric == "f1" else found[:, _side(kinds, column.metric)]
                yield (
                    column.id,
                    Outcome(_pooled(own), use, kinds if column.metric == "f1" else None),
                )
    if "prm_score" in methods:
        figure = _labelled(pool, scores, rule.threshold, seed)
        yield from ((c.id, Outcome(figure)) for c in columns if c.method == "prm_score")


def _side(kinds: Bools, metric: str) -> Bools:
    return kinds if metric == "acc_error" else ~kinds


def _pooled(parts: Sequence[Estimate]) -> Estimate:
    """Return the mean over replicas. Its interval is the mean of theirs: items are the same, so
    repeating them narrows nothing that comes from the choice of items."""
    first = parts[0]
    if len(parts) == 1:
        return first
    value, low, high = (
        float(np.mean([getattr(part, name) for part in parts])) for name in ("value", "low", "high")
    )
    return Estimate(value, low, high, first.n, first.clusters, first.method)


def f1_of(found: Floats, kinds: Bools, seed: int) -> Estimate:
    """Return F1 of (R, I) right answers to items with and without an error, over replicas."""
    subsets = [
        # Right at threshold 0, or at none.
        Subset(
            "",
            np.where(right == 1, -np.inf, np.inf),
            np.where(right == 1, np.inf, -np.inf),
            kinds,
            np.zeros(len(kinds), np.bool_),
        )
        for right in found
    ]
    return _pooled([evaluate_subsets([one], [0.0], seed).subsets[0].f1 for one in subsets])


def _judged(pool: FrozenPool, scores: PoolScores, replica: int) -> list[Judged]:
    count = len(pool.problems)
    items = []
    for row, problem in enumerate(pool.problems):
        start, end = scores.offsets[replica * count + row : replica * count + row + 2]
        reference = problem.reference
        final = reference.get("final_answer_correct") if isinstance(reference, dict) else None
        items.append(
            Judged(
                tuple(scores.values[start:end].tolist()),
                int(pool.labels[row]),
                final if isinstance(final, bool) else None,
                len(problem.steps),
            )
        )
    return items


def _labelled(pool: FrozenPool, scores: PoolScores, threshold: float, seed: int) -> Estimate:
    """Return PRMScore over all modified solutions, of the first replica."""
    items, originals = [], {}
    for row, problem in enumerate(pool.problems):
        reference = problem.reference
        assert isinstance(reference, dict)
        own = tuple(scores.values[scores.offsets[row] : scores.offsets[row + 1]].tolist())
        category, origin = str(reference["category"]), str(reference["origin"])
        wrong = reference.get("wrong")
        if category == "original":
            originals[origin] = own
        elif own:
            steps = (
                frozenset(s for s in wrong if isinstance(s, int))
                if isinstance(wrong, list)
                else frozenset()
            )
            items.append(Labelled(own, steps, category, origin))
    return prm_score(items, originals, threshold, seed)[OVERALL].prm_score


def calibration(pool: FrozenPool, scores: PoolScores, rule: Rule) -> Calibration | None:
    """Return the reliability diagram of probabilities on given steps."""
    if pool.kind != "steps" or rule.semantics != "p_correct":
        return None
    said = [item for item in _judged(pool, scores, 0) if item.scores]
    if not said:
        return None
    bins = reliability(said).overall
    return Calibration(
        pool.card.task,
        tuple(Bin(b.score, b.right.value, b.right.low, b.right.high, b.right.n) for b in bins),
    )


# --- what needs no PRM ---------------------------------------------------------------------------


def references(
    pool: FrozenPool, columns: Sequence[Column], seed: int
) -> Iterator[tuple[str, str, Outcome]]:
    """Yield (name, column, outcome) of the figures that a pool has by itself."""
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


def cost(pool: FrozenPool, scores: PoolScores | None, column: Column) -> Cost:
    """Return what one problem takes at a column's budget; None is unknown."""
    count, samples = pool.present.shape
    share = (column.budget or samples) / samples
    policy = pool.tokens.sum() / count * share if pool.kind not in ("steps", "preference") else None
    if scores is None:
        return Cost(policy_tokens=_known(policy))
    per = count * scores.replicas
    return Cost(
        prm_tokens=_known(scores.tokens.sum() / per * share),
        policy_tokens=_known(policy),
        flops=_known(scores.flops.sum() / per * share),
        seconds=None if scores.seconds is None else scores.seconds / per * share,
    )


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
