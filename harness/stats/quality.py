"""How good step scores are whatever the threshold: ranking and calibration.

The steps that count are those with a known label: all of a right solution, of a wrong one those up
to its first wrong step. What follows an error has no label.

auroc         chance that a wrong step has a lower score than a right one, ties half; the same for
              solutions, by their least score
brier, ece    of probabilities: mean squared error, and the expected calibration error over ten bins
              of equal width
last_is_least share of solutions of two or more steps whose lowest score stands at the last one: a
              PRM that has become an outcome model shows there (arXiv:2501.07301, figure 8)

Intervals resample whole solutions: steps of one are not independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Bools, Floats, Ints
from harness.stats.first_error import Judged
from harness.stats.intervals import share
from harness.types import Estimate

BINS = 10
DRAWS = 1000
"""Resamplings behind an interval."""

_ROOM = 1_000_000
"""Weights that are held at once."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one PRM on one set of solutions; NaN and n = 0 where one is not defined."""

    step_auroc: Estimate
    solution_auroc: Estimate
    """Of solutions by their least score, over solutions with all of their scores."""
    brier: Estimate
    ece: Estimate
    last_is_least: Estimate


@dataclass(frozen=True, slots=True)
class _Steps:
    """The labelled steps of all solutions, lowest score first."""

    score: Floats
    wrong: Bools
    owner: Ints
    """Number of the solution."""

    @classmethod
    def of(cls, items: Sequence[Judged]) -> _Steps:
        sizes = [item.label + 1 if item.label >= 0 else len(item.scores) for item in items]
        score = np.concatenate(
            [item.scores[:size] for item, size in zip(items, sizes, strict=True)]
        )
        owner = np.repeat(np.arange(len(items)), sizes)
        wrong = np.zeros(len(score), np.bool_)
        ends = np.cumsum(sizes) - 1
        wrong[ends[[item.label >= 0 for item in items]]] = True
        order = np.argsort(score, kind="stable")
        return cls(score[order], wrong[order], owner[order])


def quality(items: Sequence[Judged], probabilities: bool, whole: bool, seed: int = 0) -> Quality:
    """Return the figures of some solutions.

    Args:
        items: The solutions, at least one.
        probabilities: Whether scores are; else nothing is said of their calibration.
        whole: Whether every step has a score, also those after the first wrong one.
        seed: Of the resampling.
    """
    steps = _Steps.of(items)
    none = Estimate(math.nan, math.nan, math.nan, 0, 0, "none")
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(items), np.full(len(items), 1 / len(items)), DRAWS)
    size = len(steps.score)

    def estimated(of: Callable[[Floats], Floats], n: int, owner: Ints) -> Estimate:
        """Value and interval of a figure, a function of weights (draws, what has such owners)."""
        value = float(of(np.ones((1, len(owner))))[0])
        if math.isnan(value):
            return none
        parts = np.array_split(times, max(1, DRAWS * len(owner) // _ROOM))
        found = np.concatenate([of(part[:, owner].astype(float)) for part in parts])
        low, high = np.nanquantile(found, (0.025, 0.975))
        ends = min(value, float(low)), max(value, float(high))
        return Estimate(value, *ends, n, len(items), "bootstrap-solutions")

    auroc = estimated(lambda w: _auroc(steps.score, steps.wrong, w), size, steps.owner)
    solutions, least = none, none
    if whole:
        low = np.array([min(item.scores) for item in items])
        order = np.argsort(low, kind="stable")
        wrong = np.array([item.label >= 0 for item in items])[order]
        solutions = estimated(lambda w: _auroc(low[order], wrong, w), len(items), order)
        several = [item.scores for item in items if len(item.scores) > 1]
        # The last score alone is the least: where an earlier one is as low, it shows nothing.
        last = sum(scores[-1] < min(scores[:-1]) for scores in several)
        least = share(last, len(several))
    brier, ece = none, none
    if probabilities:
        error = (steps.score - ~steps.wrong) ** 2
        brier = estimated(lambda w: w @ error / w.sum(1), size, steps.owner)
        ece = estimated(lambda w: _ece(steps, w), size, steps.owner)
    return Quality(auroc, solutions, brier, ece, least)


def _auroc(score: Floats, wrong: Bools, weight: Floats) -> Floats:
    """AUROC under each of (D, N) weights; scores ascending. NaN where a kind is missing."""
    bad, good = weight * wrong, weight * ~wrong
    starts = np.flatnonzero(np.diff(score, prepend=-np.inf) > 0)
    if not starts.size:
        starts = np.array([0])
    bad, good = (np.add.reduceat(one, starts, axis=1) for one in (bad, good))
    above = good.sum(1, keepdims=True) - np.cumsum(good, axis=1)
    pairs = bad.sum(1) * good.sum(1)
    won = (bad * (above + good / 2)).sum(1)
    found: Floats = np.full(len(pairs), np.nan)
    np.divide(won, pairs, out=found, where=pairs > 0)
    return found


def _ece(steps: _Steps, weight: Floats) -> Floats:
    """Expected calibration error under each of (D, N) weights."""
    place = np.minimum((steps.score * BINS).astype(int), BINS - 1)
    gap = steps.score - ~steps.wrong
    bins = [place == i for i in range(BINS)]
    total = np.sum([np.abs(weight[:, own] @ gap[own]) for own in bins], axis=0)
    found: Floats = total / weight.sum(1)
    return found
