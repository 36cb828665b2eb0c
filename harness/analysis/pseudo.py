"""A figure that is no mean over items, as one: so that paired tests and ranks can be had of it.

The pseudo-value of an item is the figure plus the item's influence on it (Jaeckel 1972,
"The infinitesimal jackknife"): their mean is the figure itself, and the variance of their mean is
that of the figure by the delta method.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.best_of_n import Floats
from harness.stats.first_error import harmonic


def pseudo_values(right: ArrayLike, error: ArrayLike) -> Floats:
    """Pseudo-values of F1 of the first wrong step: the harmonic mean of two accuracies.

    Args:
        right: (..., P) 1 where an item is answered right, 0 where not; NaN is left out.
        error: (P,) whether the item has a wrong step.

    Returns:
        (..., P); their mean over the known items is `harness.stats.first_error.harmonic` of the
        accuracies on items with and without a wrong step. All NaN where one kind is missing; all 0
        where no item at all is right, where F1 has no derivative.
    """
    values, kind = np.asarray(right, np.float64), np.asarray(error, np.bool_)
    known = ~np.isnan(values)
    held = np.where(known, values, 0.0)
    out = np.full(values.shape, np.nan)
    n = known.sum(axis=-1, keepdims=True)
    count = [(known & own).sum(axis=-1, keepdims=True) for own in (kind, ~kind)]
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (
            (held * own).sum(axis=-1, keepdims=True) / number
            for own, number in zip((kind, ~kind), count, strict=True)
        )
        nothing = a + b == 0
        slopes = [np.where(nothing, 0.0, 2 * other**2 / (a + b) ** 2) for other in (b, a)]
        figure = harmonic(a, b)
        for own, mean, slope, number in zip((kind, ~kind), (a, b), slopes, count, strict=True):
            moved = figure + slope * (values - mean) * n / number
            out = np.where(own & known, moved, out)
    return np.asarray(out, np.float64)


def prm_score_values(counts: ArrayLike) -> Floats:
    """Pseudo-values of PRMScore: the mean of F1 of right steps and F1 of wrong steps.

    Args:
        counts: (P, 4) per problem, as `harness.stats.step_counts` gives them.

    Returns:
        (P,); their mean is the overall PRMScore of `harness.stats.prm_score`. F1 of right steps
        alone where no step is wrong; all NaN without any step.
    """
    kept, missed, found, lost = np.asarray(counts, np.float64).T
    faults = missed + lost
    figures = [_ratio_values(2 * kept, 2 * kept + faults)]
    if found.sum() + missed.sum() > 0:
        figures.append(_ratio_values(2 * found, 2 * found + faults))
    return np.asarray(np.mean(figures, axis=0), np.float64)


def _ratio_values(part: Floats, whole: Floats) -> Floats:
    """Pseudo-values of the ratio of two sums over problems, each (P,)."""
    total = whole.sum()
    if total == 0:
        return np.full(len(whole), np.nan)
    ratio = part.sum() / total
    return np.asarray(ratio + len(whole) * (part - ratio * whole) / total, np.float64)
