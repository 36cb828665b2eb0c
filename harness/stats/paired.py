"""Comparing two results on the same problems.

Most of the variance of an accuracy is between problems, some easy and some hard; it cancels when
two methods are compared problem by problem. So every comparison here is paired.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.best_of_n import Floats, Ints
from harness.stats.intervals import kept_values, t_quantile
from harness.types import Comparison, Estimate

FLIPS = 20_000
"""Sign patterns drawn by the permutation test: its smallest p is 1 / 20,001."""

_LISTED = 14
"""Up to this many differences all 2 ** 14 sign patterns are listed instead."""

ADDED = 0.5
"""Problems that only a solves, and as many that only b solves, added to every difference. With
whole ones, as Bonett and Price have it, intervals of 30 problems hold the truth too often; without
any, far too seldom where few differ. Halves are what Agresti and Min (2005) found best for the
interval of a paired difference."""

_BLOCK = 1 << 21
"""Signs held at once."""


def compare(
    a: str,
    b: str,
    a_values: ArrayLike,
    b_values: ArrayLike,
    clusters: ArrayLike | None = None,
    seed: int = 0,
) -> Comparison:
    """Mean of a - b over problems, with a 95 % interval and a two-sided p.

    Args:
        a, b: names for the sentence.
        a_values, b_values: (P,) in [0, 1], row by row the same problems; a problem where either is
            NaN is left out.
        clusters: (P,) labels, equal for rows that are not independent.
        seed: of the permutation test.

    Returns:
        `test` is ``mcnemar-exact`` when all values are 0 or 1 and independent: the binomial test on
        the problems that only one solves. Otherwise ``sign-flip``: how often randomly swapping a
        and b within problems (within whole clusters) gives a difference at least as large, over
        20,000 swaps, or over all of them where there are few. Without any difference p is 1.
        The interval is described at `_difference`; where few problems differ it may exclude 0 at a
        p just above 0.05, as the exact test errs on the careful side: such a difference is not
        `separable`. With no problem in common all numbers are NaN.

    Raises:
        ValueError: shapes that differ, or values outside [0, 1].
    """
    left, right = np.asarray(a_values, np.float64), np.asarray(b_values, np.float64)
    if left.shape != right.shape:
        raise ValueError(f"shapes differ: {a} {left.shape}, {b} {right.shape}")
    gap, label = kept_values(left - right, clusters)
    both = np.concatenate([left, right])
    if ((both < 0) | (both > 1)).any():
        raise ValueError("values lie in [0, 1]")
    if not len(gap):
        none = Estimate(math.nan, math.nan, math.nan, 0, 0, "none")
        return Comparison(a, b, none, math.nan, "none", 0.0, 0.0)
    only_a, only_b = float(gap[gap > 0].sum()), float(np.abs(gap[gap < 0]).sum())
    graded = both[~np.isnan(np.tile(left - right, 2))]
    independent = int(label.max()) + 1 == len(gap)
    if independent and np.isin(graded, (0.0, 1.0)).all():
        test, p = "mcnemar-exact", mcnemar(round(only_a), round(only_b))
    else:
        test, p = "sign-flip", sign_flip(np.bincount(label, gap).astype(float), seed)
    return Comparison(a, b, _difference(gap, label), p, test, only_a, only_b)


def mcnemar(only_a: int, only_b: int, *, mid: bool = False) -> float:
    """Two-sided p of McNemar's test from the discordant counts; 1 when both are 0.

    Exact, which on few discordant problems errs in far fewer than 5 % of cases; `mid` counts what
    was seen by half: close to 5 % on average, and above it by a little at the worst (Fagerland,
    Lydersen and Laake 2013, "The McNemar test for binary matched-pairs data", BMC Medical Research
    Methodology 13:91).
    """
    from scipy.special import bdtr

    total, least = only_a + only_b, min(only_a, only_b)
    if not total:
        return 1.0
    p = min(1.0, 2 * float(bdtr(least, total, 0.5)))
    if not mid:
        return p
    # What was seen is two outcomes, one the mirror of the other, unless it is its own mirror.
    seen: float = math.comb(total, least) / 2**total
    return p - (seen / 2 if only_a == only_b else seen)


def sign_flip(gaps: Floats, seed: int) -> float:
    """Two-sided p that (G,) independent differences are symmetric about 0; 1 when all are 0.

    All sign patterns are counted for up to 14 differences other than 0; else 20,000 are drawn and
    the observed one is counted among them, which keeps p valid and above 0.
    """
    moved = gaps[gaps != 0]
    if not moved.size:
        return 1.0
    # Sums that differ by rounding alone are as large as the observed one.
    reach = abs(moved.sum()) * (1 - 1e-12) - 1e-15
    if moved.size <= _LISTED:
        patterns = np.arange(2**moved.size)[:, None] >> np.arange(moved.size) & 1
        return float(np.mean(np.abs((2 * patterns - 1) @ moved) >= reach))
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // moved.size)
    extreme = 0
    for start in range(0, FLIPS, step):
        shape = (min(step, FLIPS - start), moved.size)
        signs = 2.0 * rng.integers(0, 2, shape, np.int8) - 1.0
        extreme += int(np.count_nonzero(np.abs(signs @ moved) >= reach))
    return (1 + extreme) / (1 + FLIPS)


def _difference(gap: Floats, label: Ints) -> Estimate:
    """Mean of differences with its interval: (n,) values in [-1, 1], clusters numbered from 0.

    Bonett and Price (2012) add one problem that only a solves and one that only b solves, then take
    the plain interval. Here half a problem of each kind is added (`ADDED`), Student's t is taken,
    errors are cluster-robust, and for fractions the added problems differ by the largest difference
    seen (1 if there is none). So the interval never has width 0. `python -m benchmarks.coverage`
    says how often it holds the truth: more often where hardly any problems differ. What it cannot
    know is a rare large difference that the sample lacks.
    """
    n, groups = len(gap), int(label.max()) + 1
    mean = float(gap.mean())
    scale = float(np.abs(gap).max()) or 1.0
    problems, independent = n + 2 * ADDED, groups + 2 * ADDED
    centre = float(gap.sum()) / problems
    sums = np.bincount(label, gap - centre)
    squares = float(sums @ sums) + 2 * ADDED * (scale**2 + centre**2)
    error = math.sqrt(squares * independent / (independent - 1)) / problems
    half = t_quantile(independent - 1) * error
    low, high = max(-1.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))
    return Estimate(mean, low, high, n, groups, "added-halves-t")
