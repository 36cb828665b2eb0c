"""Accuracy against the size of a PRM: a saturating curve, and the smallest PRM that is enough.

The curve is  accuracy = a - b * x ** -c,  with 0 <= a <= 1, b >= 0 and c > 0: the form of scaling
laws with an irreducible part (Hestness et al. 2017, arXiv 1712.00409). For a given c it is linear
in a and b, so these are had in closed form and c by a fine grid (variable projection, Golub and
Pereyra 1973): no starting point, no local minimum. Bands are percentiles over resamples of
problems, the same ones for all sizes, each fitted anew. They say what the choice of problems leaves
open; whether the law holds beyond the sizes measured is not in them, so nothing is extrapolated but
the limit a.

Three numbers cannot be had, with an interval, of three points: at least `FEWEST` sizes are fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.contrast import holm, paired
from harness.analysis.power import Power, power_of
from harness.analysis.resample import percentiles, resamples
from harness.stats.best_of_n import Floats
from harness.stats.intervals import estimate
from harness.types import Estimate

FEWEST = 4
"""Different sizes from which a curve is fitted."""

SIGNIFICANT = 0.05

_POWERS = np.geomspace(0.02, 8.0, 160)
"""Values of c that are tried, x in units of the smallest: from nearly a line in log x to a step."""

_FITS = 500
"""Resamples that are fitted."""

_FINE = 60
"""Places at which a curve is drawn."""


@dataclass(frozen=True)
class Sized:
    """One PRM with its size and its answers."""

    prm: str
    size: float
    """Parameters."""
    flops: float | None
    """Its operations per problem; None if unknown."""
    values: Floats
    """(P,) expected correctness per problem, the same problems for all; none NaN."""


@dataclass(frozen=True)
class Fit:
    """A saturating curve with its band."""

    a: float
    """Where it goes to."""
    b: float
    c: float
    a_low: float
    a_high: float
    """The 95 % interval of the limit."""
    x: Floats
    """(F,) places from the smallest to the largest measured."""
    y: Floats
    low: Floats
    high: Floats
    """(F,) the curve and its band there."""


@dataclass(frozen=True)
class Contrast:
    """One PRM against the largest: itself minus that."""

    difference: Estimate
    adjusted: float
    """p after Holm over the series."""


@dataclass(frozen=True)
class Series:
    """PRMs that are alike but for their size, by rising size."""

    points: tuple[Sized, ...]
    accuracy: tuple[Estimate, ...]
    contrasts: tuple[Contrast | None, ...]
    """None for the largest itself."""
    enough: int
    """Place of the smallest PRM that is not significantly worse than the largest."""
    power: Power
    by_size: Fit | None
    by_flops: Fit | None
    """None with fewer than `FEWEST` different places."""


def series(points: Sequence[Sized], seed: int = 0) -> Series:
    """Analyse PRMs of several sizes on the same problems.

    Raises:
        ValueError: no PRM, or other problems.
    """
    if not points or len({len(point.values) for point in points}) != 1:
        raise ValueError("PRMs of a series answer the same problems")
    rising = tuple(sorted(points, key=lambda point: (point.size, point.prm)))
    table = np.stack([point.values for point in rising], axis=1)
    gaps = table[:, :-1] - table[:, -1:]
    tested = paired(gaps)
    adjusted = holm(tested.p)
    contrasts = [Contrast(tested.estimate(i), float(adjusted[i])) for i in range(len(rising) - 1)]
    worse = [c.adjusted < SIGNIFICANT and c.difference.value < 0 for c in contrasts]
    flops = [point.flops for point in rising]
    known = [one for one in flops if one is not None]
    return Series(
        rising,
        tuple(estimate(np.clip(point.values, 0, 1)) for point in rising),
        (*contrasts, None),
        worse.index(False) if False in worse else len(rising) - 1,
        power_of(gaps),
        _fitted(np.array([point.size for point in rising]), table, seed),
        _fitted(np.array(known), table, seed) if len(known) == len(flops) else None,
    )


def _fitted(x: Floats, table: Floats, seed: int) -> Fit | None:
    if len(np.unique(x)) < FEWEST or len(table) < 2:
        return None
    drawn = resamples(len(table), draws=_FITS, seed=seed).means(table)
    places = np.geomspace(x.min(), x.max(), _FINE)
    unit = float(x.min())
    a, b, c = fit(x / unit, table.mean(axis=0)[None])
    moved = fit(x / unit, drawn)
    heights = _heights(places / unit, *moved)
    low, high = percentiles(heights)
    ends = percentiles(moved[0][:, None])
    return Fit(
        float(a[0]),
        float(b[0] * unit ** c[0]),
        float(c[0]),
        float(ends[0][0]),
        float(ends[1][0]),
        places,
        _heights(places / unit, a, b, c)[0],
        low,
        high,
    )


def fit(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """Return a, b and c, each (S,), of the least squares fit of (S, K) values at (K,) places >= 1.

    A curve that does not rise has b = 0 and a the mean.
    """
    best = np.full(len(y), np.inf)
    a, b, c = y.mean(axis=1), np.zeros(len(y)), np.full(len(y), _POWERS[0])
    for power in _POWERS:
        z = x**-power
        centred = z - z.mean()
        slope = -(y @ centred) / (centred @ centred)
        slope = np.maximum(slope, 0.0)
        top = y.mean(axis=1) + slope * z.mean()
        # Beyond 1 nothing can be: the limit is 1, and the slope the best through it.
        over = top > 1
        slope = np.where(over, ((1 - y) @ z) / (z @ z), slope)
        top = np.where(over, 1.0, top)
        squares = ((top[:, None] - slope[:, None] * z - y) ** 2).sum(axis=1)
        better = squares < best
        best = np.where(better, squares, best)
        a, b, c = (np.where(better, new, old) for new, old in ((top, a), (slope, b), (power, c)))
    return a, b, c


def _heights(x: Floats, a: Floats, b: Floats, c: Floats) -> Floats:
    return np.asarray(a[:, None] - b[:, None] * x ** -c[:, None], np.float64)
