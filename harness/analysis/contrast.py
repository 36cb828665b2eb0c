"""Many paired differences at once, and Holm's correction for having looked at many.

The test is the one whose interval `harness.stats.compare` gives: half a problem that only a solves
and half a problem that only b solves are added, then Student's t is taken (`harness.stats.paired`).
Interval and p agree. p follows McNemar's mid-p (5 problems won, none lost, of 40: 0.040, mid-p
0.031, exact 0.063; 20 of 40: 6.7e-7, 9.5e-7, 1.9e-6) and, unlike that of a permutation test, has no
smallest value, which a correction for hundreds of comparisons would run into.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.best_of_n import Floats, Ints
from harness.stats.paired import ADDED
from harness.types import Estimate


@dataclass(frozen=True, slots=True)
class Paired:
    """Mean differences, each (T,), with 95 % intervals and two-sided p."""

    n: Ints
    """(T,) problems behind each."""
    mean: Floats
    low: Floats
    high: Floats
    p: Floats

    def estimate(self, place: int) -> Estimate:
        """One of them, with the interval for itself alone."""
        value, low, high = (float(one[place]) for one in (self.mean, self.low, self.high))
        n = int(self.n[place])
        return Estimate(value, low, high, n, n, "added-halves-t")


def paired(gaps: Floats, strata: ArrayLike | None = None) -> Paired:
    """Test every column of per-problem differences.

    Args:
        gaps: (P, T) in [-1, 1]; NaN where either side lacks the problem: left out.
        strata: (P,) labels of any kind, the task of each problem, say; None is one stratum.

    Returns:
        With strata, the difference is the plain mean over them of their mean differences: a task
        of 30 problems counts as much as one of 500. Their squared errors add up, degrees of freedom
        are those of Welch and Satterthwaite. NaN in a column without a problem in some stratum.
    """
    from scipy.special import stdtr, stdtrit

    tasks = np.zeros(len(gaps), np.int64)
    if strata is not None:
        tasks = np.unique(np.asarray(strata), return_inverse=True)[1]
    strata_of = range(int(tasks.max(initial=0)) + 1)
    parts = [_moments(gaps[tasks == task], ADDED / len(strata_of)) for task in strata_of]
    n = np.sum([part.n for part in parts], axis=0)
    mean, centre = (
        np.mean([getattr(part, name) for part in parts], axis=0) for name in ("mean", "centre")
    )
    squares = np.stack([part.square for part in parts]) / len(parts) ** 2
    total = squares.sum(axis=0)
    freedom = total**2 / (squares**2 / np.stack([part.freedom for part in parts])).sum(axis=0)
    error = np.sqrt(total)
    half = stdtrit(freedom, 0.975) * error
    p = np.asarray(2 * stdtr(freedom, -np.abs(centre) / error), np.float64)
    low = np.maximum(-1.0, np.minimum(mean, centre - half))
    high = np.minimum(1.0, np.maximum(mean, centre + half))
    return Paired(n, mean, low, high, p)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Of one stratum, each (T,)."""

    n: Ints
    mean: Floats
    centre: Floats
    """The mean with the added problems."""
    square: Floats
    """Squared error of `centre`."""
    freedom: Floats


def _moments(gaps: Floats, added: float) -> _Moments:
    """Of (P, T) differences of one stratum, `added` problems of each kind among them."""
    known = ~np.isnan(gaps)
    n = np.count_nonzero(known, axis=0)
    held = gaps if known.all() else np.where(known, gaps, 0.0)
    total = held.sum(axis=0)
    mean = np.full(n.shape, np.nan)
    np.divide(total, n, out=mean, where=n > 0)
    # Pseudo-values lie beyond 1; a made-up problem counts as one problem at most.
    scale = np.minimum(1.0, np.abs(held).max(axis=0, initial=0.0))
    scale = np.where(scale == 0, 1.0, scale)
    problems = n + 2 * added
    centre = np.where(n > 0, total / problems, np.nan)
    squares = (held**2).sum(axis=0) + 2 * added * scale**2 - problems * centre**2
    freedom = np.maximum(1.0, problems - 1)
    return _Moments(n, mean, centre, squares / problems / (problems - 1), freedom)


def holm(p: ArrayLike) -> Floats:
    """Return p adjusted for the number of tests: below 0.05, at most 5 % of such families err.

    Source: Holm 1979. NaN (no test was made) stays NaN and is not counted.
    """
    raw = np.asarray(p, np.float64)
    adjusted = np.full(raw.shape, np.nan)
    known = np.flatnonzero(~np.isnan(raw))
    order = known[np.argsort(raw[known], kind="stable")]
    steps = raw[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted
