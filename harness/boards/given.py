"""From step scores to figures on given solutions: first wrong steps, labelled steps, choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from harness.analysis.pseudo import prm_score_values
from harness.boards.pools import FrozenPool
from harness.boards.recompute import Outcome, Rule, mean_outcome, solution_scores
from harness.boards.scores import PoolScores
from harness.boards.standing import Bin, Calibration, Column
from harness.runner.prm_score import labelled
from harness.stats import Judged, Subset, preference, prm_score, reliability, step_counts
from harness.stats import evaluate as evaluate_subsets
from harness.stats.first_error import harmonic
from harness.stats.prm_score import CATEGORIES, OVERALL
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
        own = [column for column in columns if column.method == "prm_score"]
        yield from _every_step(pool, scores, own, rule.threshold, seed)


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
    return _at(figure, value)


def _at(figure: Estimate, value: float) -> Estimate:
    """Return the figure with another value, in an interval that holds it."""
    return replace(figure, value=value, low=min(figure.low, value), high=max(figure.high, value))


def _judged(pool: FrozenPool, scores: PoolScores, replica: int) -> list[Judged]:
    items = []
    own = _values(pool, scores, replica)
    for problem, label, values in zip(pool.problems, pool.labels.tolist(), own, strict=True):
        reference = problem.reference
        final = reference.get("final_answer_correct") if isinstance(reference, dict) else None
        known = final if isinstance(final, bool) else None
        items.append(Judged(values, label, known, len(problem.steps)))
    return items


def _every_step(
    pool: FrozenPool, scores: PoolScores, columns: Sequence[Column], threshold: float, seed: int
) -> Iterator[tuple[str, Outcome]]:
    """Yield PRMScore over all modified solutions, and of the groups whose categories are there."""
    made, counts = [], []
    for replica in range(scores.replicas):
        values = _values(pool, scores, replica)
        items, originals = labelled(zip(pool.problems, values, strict=True))
        if not items:
            return
        made.append(prm_score(items, originals, threshold, seed))
        counts.append(step_counts(items, threshold)[1])
    steps = np.mean(counts, axis=0)
    figures = {name: _pooled([one[name].prm_score for one in made]) for name in made[0]}
    for column in columns:
        if column.metric in figures:
            yield column.id, Outcome(figures[column.metric])
        elif column.metric == "prm_score":
            whole = figures[OVERALL]
            if scores.replicas > 1:  # of the counts over all of them, as entries are ranked by it
                whole = _at(whole, float(prm_score_values(steps).mean()))
            parts = {name: figures[name] for name in CATEGORIES if name in figures}
            yield column.id, Outcome(whole, steps=steps, parts=parts)


def _values(pool: FrozenPool, scores: PoolScores, replica: int) -> list[tuple[float, ...]]:
    """Return the step scores of the pool's problems, one given solution each; () without any."""
    count = len(pool.problems)
    ends = scores.offsets[replica * count : (replica + 1) * count + 1].tolist()
    return [tuple(scores.values[a:b].tolist()) for a, b in pairwise(ends)]


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
