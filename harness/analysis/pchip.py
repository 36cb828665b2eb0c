"""Monotone cubic interpolation of many curves at once, each with knots of its own.

Fritsch and Carlson 1980 with the slopes of Fritsch and Butland 1984, as in scipy's
``PchipInterpolator``; that one takes one set of knots, whereas here every bootstrap resample moves
the mean costs too. Between two knots the curve rises or falls, never both, so it invents no peak.
"""

from __future__ import annotations

import numpy as np

from harness.stats.best_of_n import Floats

_APART = 1e-9
"""Knots that coincide (in a resample, say) are moved apart by this, relative to their range."""


class Pchip:
    """Curves through (S, K) knots, K >= 2, made non-decreasing in x and distinct."""

    def __init__(self, x: Floats, y: Floats) -> None:
        if x.shape != y.shape or x.ndim != 2 or x.shape[1] < 2:
            raise ValueError(f"knots are (S, K >= 2): x {x.shape}, y {y.shape}")
        ramp = np.arange(x.shape[1]) * _APART * max(1.0, float(np.ptp(x)))
        x = np.maximum.accumulate(x, axis=1)
        tied = (np.diff(x, axis=1) <= ramp[1]).any(axis=1)
        self.x = np.where(tied[:, None], x + ramp, x)
        self.y = y
        self.slope = _slopes(np.diff(self.x, axis=1), np.diff(y, axis=1))

    def __call__(self, at: Floats) -> Floats:
        """Return (S, G) values at (S, G) or (G,) places; beyond the ends, the end's value."""
        at = np.broadcast_to(at, (len(self.x), at.shape[-1]))
        at = np.clip(at, self.x[:, :1], self.x[:, -1:])
        inner = self.x[:, None, 1:-1]
        left = (at[:, :, None] >= inner).sum(axis=2)
        pick = np.take_along_axis
        x0, x1 = pick(self.x, left, 1), pick(self.x, left + 1, 1)
        y0, y1 = pick(self.y, left, 1), pick(self.y, left + 1, 1)
        d0, d1 = pick(self.slope, left, 1), pick(self.slope, left + 1, 1)
        width = x1 - x0
        t = (at - x0) / width
        rise = y0 + t * t * (3 - 2 * t) * (y1 - y0)
        return np.asarray(rise + width * t * (1 - t) * ((1 - t) * d0 - t * d1), np.float64)

    def first_at_least(self, level: Floats) -> Floats:
        """Return, (S,), where each curve first reaches its level; +inf where it never does.

        -inf where it already starts there: it may have been reached before.
        """
        enough = self.y >= level[:, None]
        knot = enough.argmax(axis=1)
        right = np.maximum(knot, 1)
        rows = np.arange(len(self.x))
        low, high = self.x[rows, right - 1].copy(), self.x[rows, right].copy()
        for _ in range(24):
            middle = (low + high) / 2
            reached = self(middle[:, None])[:, 0] >= level
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        found = np.where(knot == 0, -np.inf, high)
        return np.where(enough.any(axis=1), found, np.inf)


def _slopes(width: Floats, rise: Floats) -> Floats:
    """Return the slopes at the knots from (S, K-1) widths and rises."""
    secant = rise / width
    if secant.shape[1] == 1:
        return np.repeat(secant, 2, axis=1)
    before, after = secant[:, :-1], secant[:, 1:]
    w0 = 2 * width[:, 1:] + width[:, :-1]
    w1 = width[:, 1:] + 2 * width[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = (w0 + w1) / (w0 / before + w1 / after)
    inner = np.where(before * after > 0, mean, 0.0)
    first = _end(width[:, 0], width[:, 1], secant[:, 0], secant[:, 1])
    last = _end(width[:, -1], width[:, -2], secant[:, -1], secant[:, -2])
    return np.concatenate([first[:, None], inner, last[:, None]], axis=1)


def _end(width0: Floats, width1: Floats, secant0: Floats, secant1: Floats) -> Floats:
    """Three-point slope at an end, cut back where it would overshoot."""
    slope = ((2 * width0 + width1) * secant0 - width0 * secant1) / (width0 + width1)
    wrong = np.sign(slope) != np.sign(secant0)
    steep = (np.sign(secant0) != np.sign(secant1)) & (np.abs(slope) > 3 * np.abs(secant0))
    return np.where(wrong, 0.0, np.where(steep, 3 * secant0, slope))
