"""Accuracy against cost: bands, the Pareto frontier, and who wins at which cost.

Everything is paired over problems and seeded; `harness.analysis.panel` says how curves are read at
equal cost. Intervals are 95 %, from resamples that all curves share
(`harness.analysis.resample`); tests at equal cost are those of `harness.analysis.contrast`,
corrected by Holm over all pairs and costs of a panel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.analysis.contrast import holm, paired
from harness.analysis.curve import Axis, Curve, Group
from harness.analysis.panel import Panel, Track, panel
from harness.analysis.pchip import Pchip
from harness.analysis.power import Power, power_of
from harness.analysis.resample import DRAWS, Resamples, percentiles, resamples
from harness.stats.best_of_n import Bools, Floats
from harness.stats.intervals import estimate
from harness.types import Estimate

GRID = 9
"""Costs at which methods are compared. More of them cost power (Holm) and tell little: they lie on
the same few measured points."""

SIGNIFICANT = 0.05
_FINE = 33
"""Points of the trapezoid rule for areas."""


@dataclass(frozen=True, slots=True)
class Gain:
    """How many times cheaper a curve reaches the best accuracy of a reference curve.

    The cost at which the reference is at its best, divided by the cost at which this curve reaches
    the same accuracy: the efficiency gain of compute-optimal test-time scaling (Liu et al. 2025,
    arXiv 2502.06703). 0: it never does.
    """

    value: float
    low: float
    high: float
    at_least: bool
    """The curve starts above that accuracy, so that the gain may be larger."""


@dataclass(frozen=True)
class Line:
    """One curve of a frontier: a point per budget, by rising cost."""

    track: Track
    costs: Floats
    values: Floats
    low: Floats
    high: Floats
    pareto: Bools
    """No other point of the panel is as good for less, or better for as much."""
    area: Estimate | None
    """Mean accuracy over the common range, each doubling of the cost weighing the same; None for a
    single point, or where the curves have no range in common."""
    gain: Gain | None
    """Against the panel's reference; None for the reference itself, or without one."""

    @property
    def curve(self) -> Curve:
        """What it is the line of."""
        return self.track.curve


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two curves at equal cost, a minus b."""

    a: int
    b: int
    """Places in `Frontier.lines`."""
    cost: float
    difference: Estimate
    """With the interval for this comparison alone."""
    p: float
    adjusted: float
    """p after Holm's correction over the panel."""

    @property
    def winner(self) -> int | None:
        """The curve that is significantly ahead after correction, if any."""
        if not self.adjusted < SIGNIFICANT:
            return None
        return self.a if self.difference.value > 0 else self.b


@dataclass(frozen=True, slots=True)
class Win:
    """A stretch of costs, end points included, over which one curve beats all that are there."""

    line: int
    low: float
    high: float


@dataclass(frozen=True)
class Frontier:
    """A panel with everything that can be said of it."""

    panel: Panel
    lines: tuple[Line, ...]
    common: tuple[float, float] | None
    """The costs at which all lines of several points can be read."""
    reference: int | None
    """The line that gains are measured against: the first method without a PRM that has a range."""
    contrasts: tuple[Contrast, ...]
    wins: tuple[Win, ...]
    power: Power
    """Of a single comparison, by the median discordance over all of them."""

    @property
    def axis(self) -> Axis:
        """What is on the horizontal axis."""
        return self.panel.axis

    def wins_of(self, line: int) -> tuple[Win, ...]:
        """Return where a line is the significant winner."""
        return tuple(win for win in self.wins if win.line == line)


def frontier(
    group: Group,
    axis: Axis,
    *,
    points: int = GRID,
    draws: int = DRAWS,
    seed: int = 0,
    crossed: bool = False,
) -> Frontier | None:
    """Analyse the curves of a group on one axis; None where no curve has it.

    Args:
        group: what is compared.
        axis: the cost.
        points: costs of the grid on which the curves are compared, evenly spread in log cost over
            the costs at which at least two of them can be read; costs of single points (greedy) in
            addition.
        draws: bootstrap resamples.
        seed: of the resamples.
        crossed: draw replicas as well as problems; see `harness.analysis.resample`.
    """
    found = panel(group, axis)
    if not found.tracks:
        return None
    n = len(found.problems)
    counts = [len(t.spread) for t in found.tracks if t.spread is not None] if crossed else []
    drawn = resamples(n, replicas=counts, draws=draws, seed=seed)
    moved = [_moved(track, drawn) for track in found.tracks]
    common = found.common()
    reference = next(
        (
            i
            for i, track in enumerate(found.tracks)
            if track.curve.prm is None and len(track.budgets) > 1
        ),
        None,
    )
    best = _pareto(found.tracks)
    lines = []
    for i, track in enumerate(found.tracks):
        low, high = _band(track, moved[i][1])
        gain = None
        if reference is not None and i != reference and len(track.budgets) > 1:
            gain = _gain(found.tracks, moved, i, reference)
        area = _area(track, moved[i], common) if common and len(track.budgets) > 1 else None
        lines.append(
            Line(track, track.costs, track.values, low, high, best[i], area, gain),
        )
    costs = _grid(found.tracks, points)
    contrasts, power = _contrasts(found, costs)
    wins = tuple(_wins(contrasts, costs))
    return Frontier(found, tuple(lines), common, reference, contrasts, wins, power)


# --- points --------------------------------------------------------------------------------------


def pareto(costs: Floats, values: Floats) -> Bools:
    """Return (N,) whether no other point is as good for less, or better for as much.

    Equal points stand or fall together.
    """
    order = np.lexsort((-values, costs))
    best = np.zeros(len(costs), np.bool_)
    top = (math.nan, -math.inf)
    for place in order.tolist():
        cost, value = float(costs[place]), float(values[place])
        if value > top[1]:
            top = (cost, value)
        best[place] = (cost, value) == top
    return best


def _pareto(tracks: Sequence[Track]) -> list[Bools]:
    costs = np.concatenate([track.costs for track in tracks])
    values = np.concatenate([track.values for track in tracks])
    ends = np.cumsum([len(track.budgets) for track in tracks])[:-1]
    return [np.asarray(part, np.bool_) for part in np.split(pareto(costs, values), ends)]


def _moved(track: Track, drawn: Resamples) -> tuple[Floats, Floats]:
    """Return (S, K) mean costs and accuracies in every resample."""
    if track.spread is not None and drawn.replicas is not None:
        return drawn.known_means(track.cost), drawn.replicated_means(track.spread)
    return drawn.known_means(track.cost), drawn.means(track.value)


def _band(track: Track, values: Floats) -> tuple[Floats, Floats]:
    """Return the ends of the bands. Where all problems agree, resamples know no doubt: there the
    band is that of `harness.stats.estimate`, so that no band has width 0."""
    low, high = percentiles(values)
    for column in np.flatnonzero(high - low < 1e-12):
        known = estimate(np.clip(track.value[:, column], 0, 1))
        low[column], high[column] = known.low, known.high
    return low, high


# --- scalars -------------------------------------------------------------------------------------


def _area(
    track: Track, moved: tuple[Floats, Floats], common: tuple[float, float]
) -> Estimate | None:
    places = np.linspace(math.log(common[0]), math.log(common[1]), _FINE)
    whole = _mean_height(Pchip(np.log(track.costs)[None], track.values[None])(places))
    sampled = _mean_height(Pchip(np.log(moved[0]), moved[1])(places))
    low, high = percentiles(sampled)
    n = len(track.value)
    return Estimate(float(whole[0]), float(low), float(high), n, n, "bootstrap")


def _mean_height(heights: Floats) -> Floats:
    """Return the trapezoid rule over the last axis, divided by the width."""
    inner = heights[..., 1:-1].sum(axis=-1) + (heights[..., 0] + heights[..., -1]) / 2
    return np.asarray(inner / (heights.shape[-1] - 1), np.float64)


def _gain(
    tracks: Sequence[Track], moved: Sequence[tuple[Floats, Floats]], own: int, other: int
) -> Gain:
    track, reference = tracks[own], tracks[other]
    value, bound = _ratios(
        (track.costs[None], track.values[None]), (reference.costs[None], reference.values[None])
    )
    sampled, _ = _ratios(moved[own], moved[other])
    low, high = percentiles(sampled)
    return Gain(float(value[0]), float(low), float(high), bool(bound[0]))


def _ratios(own: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Bools]:
    """Return (S,) gains, and whether each is a lower bound."""
    peak = other[1].argmax(axis=1)
    rows = np.arange(len(peak))
    level, spent = other[1][rows, peak], other[0][rows, peak]
    reached = Pchip(np.log(own[0]), own[1]).first_at_least(level)
    start = np.isneginf(reached)
    cost = np.where(start, own[0][:, 0], np.exp(np.where(start, 0.0, reached)))
    return np.asarray(spent / cost, np.float64), np.asarray(start, np.bool_)


# --- comparisons ---------------------------------------------------------------------------------


def _grid(tracks: Sequence[Track], points: int) -> Floats:
    """Return the costs at which curves are compared, rising."""
    long = [track for track in tracks if len(track.budgets) > 1]
    single = [track.range[0] for track in tracks if len(track.budgets) == 1]
    spaced = np.empty(0)
    if len(long) > 1:
        # At least two can be read from the second lowest start to the second highest end.
        low = sorted(track.range[0] for track in long)[1]
        high = sorted(track.range[1] for track in long)[-2]
        if low < high:
            spaced = np.geomspace(low, high, points)
    costs = np.unique(np.concatenate([spaced, single]))
    readers = np.sum([track.covers(costs) for track in tracks], axis=0)
    return np.asarray(costs[readers > 1], np.float64)


def _contrasts(found: Panel, costs: Floats) -> tuple[tuple[Contrast, ...], Power]:
    influences = [track.influence(costs) for track in found.tracks]
    covered = [track.covers(costs) for track in found.tracks]
    where: list[tuple[int, int, int]] = []
    gaps: list[Floats] = []
    for a, b in combinations(range(len(found.tracks)), 2):
        for place in np.flatnonzero(covered[a] & covered[b]).tolist():
            where.append((a, b, place))
            gaps.append(influences[a][:, place] - influences[b][:, place])
    table = np.stack(gaps, axis=1) if gaps else np.empty((len(found.problems), 0))
    tested = paired(table)
    adjusted = holm(tested.p)
    contrasts = tuple(
        Contrast(
            a,
            b,
            float(costs[place]),
            tested.estimate(i),
            float(tested.p[i]),
            float(adjusted[i]),
        )
        for i, (a, b, place) in enumerate(where)
    )
    return contrasts, power_of(table)


def _wins(contrasts: Sequence[Contrast], costs: Floats) -> list[Win]:
    """Return the stretches of neighbouring costs that one curve wins."""
    winners: list[int | None] = []
    for cost in costs.tolist():
        here = [contrast for contrast in contrasts if contrast.cost == cost]
        rivals = {c.a for c in here} | {c.b for c in here}
        beaten = [(c.winner, c.b if c.winner == c.a else c.a) for c in here]
        full = [
            i for i in sorted(rivals) if {b for w, b in beaten if w == i} == rivals - {i} and rivals
        ]
        winners.append(full[0] if full else None)
    wins: list[Win] = []
    for place, winner in enumerate(winners):
        cost = float(costs[place])
        if winner is None:
            continue
        if place and winners[place - 1] == winner:
            wins[-1] = Win(winner, wins[-1].low, cost)
        else:
            wins.append(Win(winner, cost, cost))
    return wins
