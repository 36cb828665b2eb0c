"""95 % intervals for a mean over problems, honest near 0 and 1 and on few problems.

The per-problem values are accuracies in [0, 1]: 0 or 1 where one solution was graded, fractions
where an expectation over subsets or repeats was taken. Wilson's interval does what is wanted for
0/1 values; fractions vary less, so they count as more than n yes-or-no answers. `estimate` is
Wilson's interval with that effective number. Student's t and the bootstrap, the usual choices, hold
the truth far too seldom on few problems with means near 0 or 1.

`python -m benchmarks.coverage` simulates how often intervals hold the truth, and a test holds them
to 93 to 97 %. Means that the problems at hand hardly tell from 0 or 1 are covered more often.

Sources: Wilson 1927; effective sample sizes for proportions as in Korn and Graubard 1998;
clusters and pairing as in Miller 2024, "Adding Error Bars to Evals" (arXiv 2411.00640).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.best_of_n import Floats, Ints
from harness.types import Estimate

Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


def estimate(values: ArrayLike, clusters: ArrayLike | None = None) -> Estimate:
    """Mean of per-problem values with its 95 % interval.

    Args:
        values: (P,) in [0, 1]; NaN (ungraded, too few candidates) is left out and not counted.
        clusters: (P,) labels of any kind, equal for values that are not independent (one problem
            under several seeds); None makes every value a cluster of its own.

    Returns:
        `n` counts the values, `clusters` the distinct labels. `method` is ``wilson`` for
        independent 0/1 values and ``wilson-t`` otherwise: effective n, Student's t with
        clusters - 1 degrees of freedom. The interval lies in [0, 1], holds the mean and never has
        width 0. With no value all three numbers are NaN. One fraction, or one cluster of several
        values, says nothing: [0, 1].

    Raises:
        ValueError: values outside [0, 1], or clusters of another shape.
    """
    kept, label = kept_values(values, clusters)
    n = len(kept)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, "none")
    if kept.min() < 0 or kept.max() > 1:
        raise ValueError(f"values lie in [0, 1], not [{kept.min()}, {kept.max()}]")
    mean = float(kept.mean())
    groups = int(label.max()) + 1
    if groups == n and np.isin(kept, (0.0, 1.0)).all():
        return Estimate(mean, *_score_interval(mean, n, Z), n, n, "wilson")
    if groups == 1:
        return Estimate(mean, 0.0, 1.0, n, 1, "wilson-t")
    # The variance of the mean, in units of that of n independent 0/1 values. Members of a cluster
    # are taken as copies of each other until enough clusters say how alike they are.
    inflation, copies = n / groups, mean * (1 - mean)
    if copies > 0:
        seen = variance_of_mean(kept, label) * (n - n / groups) / copies
        # The spread is drawn towards that of 0/1 values as by one problem, divided by the number of
        # problems that the rarer side comes to: a few fractions near 0 look far too certain.
        weight = (groups - 1) * groups * min(mean, 1 - mean)
        inflation = (weight * seen + inflation) / (weight + 1)
    low, high = _score_interval(mean, n / inflation, t_quantile(groups - 1))
    return Estimate(mean, low, high, n, groups, "wilson-t")


def share(count: int, total: int) -> Estimate:
    """`count` out of `total` independent items, with Wilson's interval; NaN for a total of 0.

    Raises:
        ValueError: a count outside 0 to total.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} out of {total}")
    if total == 0:
        return Estimate(math.nan, math.nan, math.nan, 0, 0, "none")
    mean = count / total
    return Estimate(mean, *_score_interval(mean, total, Z), total, total, "wilson")


def kept_values(values: ArrayLike, clusters: ArrayLike | None) -> tuple[Floats, Ints]:
    """Return the values that are not NaN, and their clusters numbered from 0.

    Raises:
        ValueError: values that are no vector, or clusters of another shape.
    """
    array = np.asarray(values, np.float64)
    labels = np.arange(array.size) if clusters is None else np.asarray(clusters)
    if array.ndim != 1 or labels.shape != array.shape:
        raise ValueError(f"shapes differ: values {array.shape}, clusters {labels.shape}")
    keep = ~np.isnan(array)
    return array[keep], np.unique(labels[keep], return_inverse=True)[1].astype(np.int64)


def variance_of_mean(values: Floats, clusters: Ints) -> float:
    """Cluster-robust variance of the mean of (n,) values in G >= 2 clusters numbered from 0.

    Equals the sample variance over n when every value is its own cluster.
    """
    sums = np.bincount(clusters, values - values.mean())
    groups = len(sums)
    return float(sums @ sums * groups / (groups - 1) / len(values) ** 2)


def t_quantile(freedom: float) -> float:
    """The quantile of Student's t for a two-sided 95 % interval, `freedom` >= 1."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.975))


def _score_interval(mean: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's interval for a mean of n answers; the mean itself is inside, whatever rounding."""
    square = quantile**2 / n
    centre = (mean + square / 2) / (1 + square)
    half = math.sqrt(mean * (1 - mean) * square + square**2 / 4) / (1 + square)
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))
