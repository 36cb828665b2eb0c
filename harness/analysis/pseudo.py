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
