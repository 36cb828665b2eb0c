"""Curves side by side on one axis of cost, on the same problems, read at the same cost.

A curve is read between its budgets by monotone interpolation of mean accuracy over the logarithm of
mean cost, and nowhere else: below its cheapest and above its dearest point it is absent. What is
read at a cost is a function of means over problems, so each problem has its influence on it
(jackknife); two curves are compared by the differences of influences, problem by problem, which
counts the noise of the costs too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.curve import Axis, Curve, Group
from harness.analysis.pchip import Pchip
from harness.stats.best_of_n import Bools, Floats, Ints

_SAME = 1e-9
"""Relative difference under which two costs are one: a search that ended before its budget."""


@dataclass(frozen=True)
class Track:
    """One curve on the panel's axis and problems, by rising cost."""

    curve: Curve
    budgets: tuple[int, ...]
    """(K,) those with a known cost; of budgets that cost the same, the largest."""
    value: Floats
    """(P, K)"""
    cost: Floats
    """(P, K); NaN where a latency was not measured."""
    spread: Floats | None
    """(R, P, K), where the curve has replicas and all are known."""

    @property
    def values(self) -> Floats:
        """(K,) mean accuracies."""
        return np.asarray(self.value.mean(axis=0), np.float64)

    @property
    def costs(self) -> Floats:
        """(K,) mean costs, of the problems on which they are known."""
        return np.asarray(np.nanmean(self.cost, axis=0), np.float64)

    @property
    def range(self) -> tuple[float, float]:
        """Where the curve can be read."""
        costs = self.costs
        return float(costs[0]), float(costs[-1])

    def covers(self, costs: Floats) -> Bools:
        """Return (G,) whether the curve can be read at each cost."""
        low, high = self.range
        inside = (costs >= low * (1 - _SAME)) & (costs <= high * (1 + _SAME))
        return np.asarray(inside, np.bool_)

    def at(self, costs: Floats) -> Floats:
        """Return (G,) mean accuracy at equal cost; NaN outside the curve's range."""
        read: Floats = _read(self.costs[None], self.values[None], costs)[0]
        return read

    def influence(self, costs: Floats) -> Floats:
        """Return (P, G) influences of the problems, with mean `at`; NaN outside the range."""
        n = len(self.value)
        here = self.at(costs)
        if n < 2:
            return np.broadcast_to(here, (n, len(costs))).copy()
        value = (self.value.sum(axis=0) - self.value) / (n - 1)
        known = ~np.isnan(self.cost)
        count = known.sum(axis=0) - known
        cost = (np.nansum(self.cost, axis=0) - np.where(known, self.cost, 0.0)) / count
        without = _read(cost, value, costs)
        without[:, ~self.covers(costs)] = np.nan
        return np.asarray(here + (n - 1) * (without.mean(axis=0) - without), np.float64)


@dataclass(frozen=True)
class Panel:
    """The curves of a group that have a place on one axis."""

    group: Group
    axis: Axis
    problems: tuple[str, ...]
    """On which every curve is known; the others are left out for all of them."""
    asked: int
    """Problems before any was left out."""
    tracks: tuple[Track, ...]

    def common(self, tracks: Sequence[Track] | None = None) -> tuple[float, float] | None:
        """Return the costs at which all of `tracks` (all that have a range) can be read."""
        chosen = [t for t in (self.tracks if tracks is None else tracks) if len(t.budgets) > 1]
        if not chosen:
            return None
        low, high = max(t.range[0] for t in chosen), min(t.range[1] for t in chosen)
        return (low, high) if low < high else None

    def find(self, family: str) -> Track | None:
        """Return the first curve of a method, with whatever options."""
        return next((track for track in self.tracks if track.curve.family == family), None)


def panel(group: Group, axis: Axis) -> Panel:
    """Bring the curves of a group onto one axis.

    A curve without this axis, or without one graded problem, is left out; a budget of which the
    cost is unknown on some problem too. Latency alone is measured on a part of the problems, drawn
    at random: two of them are enough, and their mean stands for all. A problem is kept if the
    answer of every remaining curve to it is graded at every remaining budget.
    """
    curves = [c for c in group.curves if axis in c.costs and not np.isnan(c.values).all()]
    asked = max((len(curve.problems) for curve in group.curves), default=0)
    if not curves:
        return Panel(group, axis, (), asked, ())
    shared = _shared(curves)
    order = [_places(curve, shared) for curve in curves]
    columns = [_columns(curve, rows, axis) for curve, rows in zip(curves, order, strict=True)]
    keep = np.ones(len(shared), np.bool_)
    for curve, rows, chosen in zip(curves, order, columns, strict=True):
        keep &= ~np.isnan(curve.values[rows][:, chosen]).any(axis=1)
    tracks = []
    for curve, rows, chosen in zip(curves, order, columns, strict=True):
        track = _track(curve, rows[keep], chosen, axis)
        if track is not None:
            tracks.append(track)
    problems = tuple(np.array(shared, object)[keep])
    return Panel(group, axis, problems, asked, tuple(tracks) if problems else ())


def _shared(curves: Sequence[Curve]) -> list[str]:
    others = [set(curve.problems) for curve in curves[1:]]
    return [name for name in curves[0].problems if all(name in other for other in others)]


def _places(curve: Curve, names: Iterable[str]) -> Ints:
    place = {name: row for row, name in enumerate(curve.problems)}
    return np.array([place[name] for name in names], np.int64)


def _columns(curve: Curve, rows: Ints, axis: Axis) -> list[int]:
    """Return the budgets of which something is graded and something of the cost known."""
    values, costs = curve.values[rows], curve.costs[axis][rows]
    some = ~np.isnan(values).all(axis=0) & ~np.isnan(costs).all(axis=0)
    return [int(column) for column in np.flatnonzero(some)]


def _track(
    curve: Curve,
    rows: Ints,
    columns: Sequence[int],
    axis: Axis,
) -> Track | None:
    cost = curve.costs[axis][rows]
    if not len(rows):
        return None
    measured = (~np.isnan(cost)).sum(axis=0)
    needed = min(2, len(rows)) if axis == "latency_seconds" else len(rows)
    total = np.nansum(cost, axis=0)
    means = np.divide(total, measured, out=np.zeros(len(total)), where=measured >= needed)
    known = [c for c in columns if means[c] > 0]
    known.sort(key=lambda c: (means[c], curve.budgets[c]))
    kept = [
        c
        for place, c in enumerate(known)
        if place == len(known) - 1 or means[known[place + 1]] > means[c] * (1 + _SAME)
    ]
    if not kept:
        return None
    spread = None
    if curve.spread is not None:
        spread = curve.spread[:, rows][:, :, kept]
        spread = None if np.isnan(spread).any() else spread
    budgets = tuple(curve.budgets[c] for c in kept)
    return Track(curve, budgets, curve.values[rows][:, kept], cost[:, kept], spread)


def _read(cost: Floats, value: Floats, at: Floats) -> Floats:
    """Return (S, G) readings of S curves through (S, K) knots; NaN outside the knots of S = 1."""
    if cost.shape[1] == 1:
        read = np.broadcast_to(value, (len(value), len(at))).copy()
    else:
        read = Pchip(np.log(cost), value)(np.log(at))
    if len(cost) == 1:
        low, high = cost[0, 0] * (1 - _SAME), cost[0, -1] * (1 + _SAME)
        read[:, (at < low) | (at > high)] = np.nan
    return read
