"""First-wrong-step evaluation, as ProcessBench defines it (Zheng et al. 2024, arXiv 2412.06559).

A PRM's prediction for a solution is the first step whose score is below a threshold, or -1 when
there is none. Accuracy is taken apart over solutions with an error (the step must be the labelled
one) and without (-1); F1 is the harmonic mean of the two, and the figure of a PRM is the unweighted
mean of F1 over subsets.

For a given solution the prediction is right on one range of thresholds: above the score of the
labelled step and up to the lowest score before it. So a solution is reduced to that range, and an
evaluation at any threshold, or at all of them, is a matter of sorting. The scores after the first
wrong step never matter: that is why files that stop there (``covers=prefix``) are enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Bools, Floats
from harness.stats.intervals import share
from harness.types import Estimate

FIXED = 0.5
"""The threshold for scores that are probabilities."""

DRAWS = 10_000
"""Draws behind an interval of F1."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One solution with the scores of its steps and its label."""

    scores: tuple[float, ...]
    """One per step; for a solution with an error those up to the first wrong step are enough.
    None at all: the PRM was asked and named no step, which is right at no threshold."""
    label: int
    """Index of the first wrong step, from 0; -1 if every step is right."""
    final_correct: bool | None = None
    """Whether its final answer is right, where the data set says."""
    size: int = 0
    """Steps of the solution, where the scores stop before its end; else it is their number."""

    def __post_init__(self) -> None:
        if not -1 <= self.label < (len(self.scores) or math.inf):
            raise ValueError(f"label {self.label} with {len(self.scores)} step scores")
        if any(math.isnan(score) for score in self.scores):
            raise ValueError("no step score may be NaN")
        if self.size < len(self.scores):
            object.__setattr__(self, "size", len(self.scores))


@dataclass(frozen=True, slots=True)
class Subset:
    """The solutions of one subset, each reduced to the thresholds at which a PRM is right on it."""

    name: str
    low: Floats
    """(I,): right only above this threshold; -inf for solutions without an error."""
    high: Floats
    """(I,): right only up to this threshold; inf where the first step is the wrong one."""
    error: Bools
    """(I,): the solution has an error."""
    lucky: Bools
    """(I,): it has an error and its final answer is right all the same."""

    @classmethod
    def of(cls, name: str, solutions: Iterable[Judged]) -> Subset:
        """Reduce solutions to their ranges."""
        items = tuple(solutions)
        ranges = [_range(item) for item in items]
        low, high = [pair[0] for pair in ranges], [pair[1] for pair in ranges]
        error = np.array([item.label >= 0 for item in items], np.bool_)
        right = np.array([item.final_correct is True for item in items], np.bool_)
        return cls(name, np.array(low, float), np.array(high, float), error, error & right)

    def found(self, threshold: float) -> Bools:
        """(I,): whether the prediction at this threshold is the label."""
        return (self.low < threshold) & (threshold <= self.high)


@dataclass(frozen=True, slots=True)
class SubsetResult:
    """ProcessBench's figures for one subset."""

    name: str
    threshold: float
    acc_error: Estimate
    """Over solutions with an error."""
    acc_correct: Estimate
    """Over solutions without."""
    f1: Estimate
    """Harmonic mean of the two, 0 if both are 0, NaN if one kind of solution is missing."""
    wrong_process: Estimate
    """Over solutions with an error whose final answer is right; NaN, n = 0, where there is none."""


@dataclass(frozen=True, slots=True)
class FirstErrorResult:
    """ProcessBench's figures for a PRM."""

    subsets: tuple[SubsetResult, ...]
    f1: Estimate
    """Unweighted mean over subsets."""


def _range(item: Judged) -> tuple[float, float]:
    """Return above which threshold, and up to which, the prediction is the label."""
    if not item.scores:
        return math.inf, -math.inf
    if item.label < 0:
        return -math.inf, min(item.scores)
    return item.scores[item.label], min(item.scores[: item.label], default=math.inf)


def first_below(scores: Sequence[float], threshold: float) -> int:
    """The predicted first wrong step: index of the first score below the threshold, else -1."""
    return next((i for i, score in enumerate(scores) if score < threshold), -1)


def evaluate(
    subsets: Sequence[Subset], thresholds: Sequence[float], seed: int = 0
) -> FirstErrorResult:
    """Evaluate each subset at its threshold.

    The three rules differ in the thresholds alone: `FIXED` everywhere; `tune(one)` everywhere,
    the common choice for scores that are no probabilities, with GSM8K tuned on; or `tune(each)`,
    an upper bound that must be reported as one. Intervals take thresholds as given.

    The interval of F1 draws both accuracies 10,000 times, apart, as a stratified bootstrap does,
    but from their Jeffreys posteriors, beta(k + 1/2, n - k + 1/2). Resampling the items instead
    gives width 0 when all of a kind are right; over 24 settings of accuracies and subset sizes
    (30 to 207 items of a kind) it covered 60 - 95 %, the posteriors 93 - 97 %.

    Raises:
        ValueError: no subset, or not one threshold per subset.
    """
    if not subsets or len(thresholds) != len(subsets):
        raise ValueError(f"{len(subsets)} subsets with {len(thresholds)} thresholds")
    results, draws = [], []
    for i, (subset, threshold) in enumerate(zip(subsets, thresholds, strict=True)):
        found = subset.found(threshold)
        error, correct = (
            share(int(found[kind].sum()), int(kind.sum())) for kind in (subset.error, ~subset.error)
        )
        lucky = share(int(found[subset.lucky].sum()), int(subset.lucky.sum()))
        rng = np.random.default_rng((seed, i))
        draws.append(harmonic(_posterior(error, rng), _posterior(correct, rng)))
        value = float(harmonic(np.array(error.value), np.array(correct.value)))
        f1 = _interval(value, draws[-1], error.n + correct.n)
        results.append(SubsetResult(subset.name, threshold, error, correct, f1, lucky))
    mean = float(np.mean([result.f1.value for result in results]))
    overall = _interval(mean, np.mean(draws, axis=0), sum(result.f1.n for result in results))
    return FirstErrorResult(tuple(results), overall)


def tune(subset: Subset) -> float:
    """The threshold with the highest F1 on a subset.

    Candidates are the midpoints between adjacent distinct scores that decide an item (the labelled
    step's, the lowest before it), all of them: F1 changes nowhere else. Sorting finds them in
    O(I log I). Of equally good thresholds the middle one is taken.

    Raises:
        ValueError: a subset without solutions of either kind, on which no F1 is defined, or
            without scores.
    """
    if subset.error.all() or not subset.error.any():
        raise ValueError(f"subset {subset.name!r} needs solutions with and without an error")
    ends = np.concatenate([subset.low, subset.high])
    levels = np.unique(ends[np.isfinite(ends)])
    if not levels.size:
        raise ValueError(f"subset {subset.name!r} has no scores to choose a threshold between")
    middle = (levels[:-1] + levels[1:]) / 2
    # Neighbouring floats have no number between; "score < threshold" then needs the upper one.
    middle = np.where(middle > levels[:-1], middle, levels[1:])
    if not middle.size:
        return float(levels[0])
    error = accuracies(subset, subset.error, middle)
    score = harmonic(error, accuracies(subset, ~subset.error, middle))
    best = np.flatnonzero(score >= score.max() - 1e-12)
    return float(middle[best[(len(best) - 1) // 2]])


def harmonic(a: Floats, b: Floats) -> Floats:
    """Harmonic mean of two accuracies, element by element; 0 where both are 0."""
    total = a + b
    empty: Floats = np.where(np.isnan(total), np.nan, 0.0)
    found: Floats = np.divide(2 * a * b, total, out=empty, where=total > 0)
    return found


def accuracies(subset: Subset, kind: Bools, thresholds: Floats) -> Floats:
    """Accuracy over one kind of solution at each of (T,) thresholds; NaN without such solutions."""
    possible = kind & (subset.low < subset.high)
    low, high = np.sort(subset.low[possible]), np.sort(subset.high[possible])
    opened = np.searchsorted(low, thresholds, side="left")
    closed = np.searchsorted(high, thresholds, side="left")
    total = np.count_nonzero(kind)
    return (opened - closed) / total if total else np.full(len(thresholds), np.nan)


def count_behind(accuracy: float, total: int, digits: int = 2) -> int | None:
    """The count k for which k of `total` prints as `accuracy` per cent with `digits` decimals.

    None if there is none: then the figure is not an accuracy over `total` items. A published table
    whose figures fail this was averaged over something else.
    """
    guess = round(accuracy * total / 100)
    tolerance = 0.5 * 10**-digits * (1 + 1e-9)
    near = [k for k in (guess - 1, guess, guess + 1) if 0 <= k <= total]
    return next((k for k in near if abs(100 * k / total - accuracy) <= tolerance), None)


def f1_possible(figure: float, errors: int, correct: int, digits: int = 1) -> bool:
    """Whether some counts of solutions, with and without an error, give an F1 that prints as
    `figure` per cent with `digits` decimals; if not, it was measured on something else.

    Args:
        figure: As stated, in per cent.
        errors: Solutions with an error, at least one.
        correct: Solutions without, at least one.
        digits: Decimals of the statement.
    """
    found = np.arange(errors + 1)[:, None] / errors
    kept = np.arange(correct + 1)[None, :] / correct
    tolerance = 0.5 * 10**-digits * (1 + 1e-9)
    return bool((abs(100 * harmonic(found, kept) - figure) <= tolerance).any())


def _posterior(accuracy: Estimate, rng: np.random.Generator) -> Floats:
    """Draws of an accuracy from its Jeffreys posterior; NaN without items."""
    if accuracy.n == 0:
        return np.full(DRAWS, np.nan)
    hits = round(accuracy.value * accuracy.n)
    return rng.beta(hits + 0.5, accuracy.n - hits + 0.5, DRAWS)


def _interval(value: float, draws: Floats, n: int) -> Estimate:
    """The middle 95 % of the draws, widened to hold the value."""
    if math.isnan(value):
        return Estimate(math.nan, math.nan, math.nan, n, n, "none")
    low, high = np.quantile(draws, (0.025, 0.975))
    return Estimate(value, min(value, float(low)), max(value, float(high)), n, n, "bootstrap-beta")
