"""From step scores to figures on given solutions: first wrong steps, labelled steps, choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.boards.pools import FrozenPool
from harness.boards.recompute import Outcome, Rule, mean_outcome, solution_scores
from harness.boards.scores import PoolScores
from harness.boards.standing import Bin, Calibration, Column
from harness.stats import Judged, Labelled, Subset, preference, prm_score, reliability
from harness.stats import evaluate as evaluate_subsets
from harness.stats.first_error import harmonic
from harness.stats.prm_score import OVERALL
from harness.types import Estimate

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def given_outcomes(
    pool: FrozenPool, scores: PoolScores, columns: Sequence[Column], rule: Rule, seed: int
) -> dict[str, Outcome]:
    """Return the figures on given solutions; those that are not defined are left out."""
    if pool.kind == "steps":
        return dict(_steps(pool, scores, columns, rule, seed))
    if pool.kind == "preference":
        single = solution_scores(pool, scores, rule.aggregation)
        return {c.id: _preference(pool, single) for c in columns if c.method == "preference"}
    return {}


def _preference(pool: FrozenPool, single: Floats) -> Outcome:
    sizes = pool.present.sum(axis=1)
    return mean_outcome(
        np.stack([preference(_finite(own), pool.right, sizes).accuracy for own in single])
    )


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


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
        kinds = parts[0].error
        for column in columns:
            if column.method != "first_error":
                continue
            figure = _pooled([getattr(one.subsets[0], column.metric) for one in made])
            if column.metric == "f1":
                yield column.id, Outcome(_at_mean(figure, found, kinds), found, kinds)
            else:
                side = kinds if column.metric == "acc_error" else ~kinds
                yield column.id, Outcome(figure, found[:, side])
    if "prm_score" in methods:
        figure = _labelled(pool, scores, rule.threshold, seed)
        yield from ((c.id, Outcome(figure)) for c in columns if c.method == "prm_score")


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
    figure = _pooled([evaluate_subsets([one], [0.0], seed).subsets[0].f1 for one in subsets])
    return _at_mean(figure, found, kinds)


def _at_mean(figure: Estimate, found: Floats, kinds: Bools) -> Estimate:
    """Return F1 of the accuracies over all replicas, which is what entries are ranked by."""
    if len(found) == 1 or kinds.all() or not kinds.any():
        return figure
    value = float(
        harmonic(found[:, kinds].mean(keepdims=True), found[:, ~kinds].mean(keepdims=True))[0, 0]
    )
    return replace(figure, value=value, low=min(figure.low, value), high=max(figure.high, value))


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
