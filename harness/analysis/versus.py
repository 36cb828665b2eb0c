"""Two ways of answering, problem by problem: how far apart they are, where, and how sure that is.

A difference is a minus b over the problems that both have an answer to, in shares. At each budget
the test is that of `harness.stats.compare` (McNemar's exact test for 0/1 answers, else sign-flip);
p is corrected by Holm over everything that one comparison tests, all tasks and budgets. F1 of the
first wrong step and PRMScore are no means over problems: their differences are tested by
pseudo-values (`pseudo`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.contrast import holm, paired
from harness.analysis.power import Power, pairing, power_of
from harness.analysis.pseudo import prm_score_values, pseudo_values
from harness.analysis.resample import bootstrap
from harness.stats.best_of_n import Bools, Floats
from harness.stats.first_error import harmonic
from harness.stats.paired import compare, mcnemar
from harness.types import Comparison, Estimate

SIGNIFICANT = 0.05

FEWEST = 5
"""Problems of a part from which it gets an interval and a test: fewer cannot say how they vary."""


@dataclass(frozen=True)
class Answers:
    """One side on one task."""

    name: str
    """What tells it from the other side."""
    problems: tuple[str, ...]
    budgets: tuple[int | None, ...]
    """Candidates, rising; (None,) where solutions come with the task."""
    values: Floats
    """(P, B) expected correctness, mean over replicas; NaN where there is no answer."""
    error: Bools | None = None
    """(P,) for the first wrong step: whether the item has one. The figure is then F1."""
    steps: Floats | None = None
    """(P, 4) of `harness.stats.step_counts`, where every step has a label. The figure is then
    PRMScore, and `values` are the shares of steps that are judged rightly."""


@dataclass(frozen=True)
class _Side:
    """One side's answers at a budget, on some problems."""

    values: Floats
    error: Bools | None
    steps: Floats | None

    def on(self, rows: Bools) -> _Side:
        """Return those of the rows that a mask says."""
        error = None if self.error is None else self.error[rows]
        return _Side(self.values[rows], error, None if self.steps is None else self.steps[rows])

    @property
    def is_mean(self) -> bool:
        """Whether the figure is the mean of the values."""
        return self.error is None and self.steps is None

    def pseudo(self) -> Floats:
        """Return values whose mean is the figure and varies as it does; NaN if there is none."""
        if self.steps is not None:
            return prm_score_values(self.steps)
        return self.values if self.error is None else pseudo_values(self.values, self.error)

    def figure(self) -> float:
        """Return the accuracy, F1 or PRMScore; NaN if there is none."""
        if self.error is not None and (self.error.all() or not self.error.any()):
            return math.nan
        if self.error is not None:
            means = (np.array(self.values[kind].mean()) for kind in (self.error, ~self.error))
            return float(harmonic(*means))
        found = self.pseudo()
        return float(found.mean()) if len(found) else math.nan


@dataclass(frozen=True, slots=True)
class Point:
    """The two sides at one budget."""

    budget: int | None
    a: float
    b: float
    """Their figures on the problems compared."""
    comparison: Comparison
    adjusted: float
    """p after Holm."""
    mid_p: float | None
    """McNemar's mid-p, where all answers are 0 or 1."""
    bootstrap: tuple[float, float]
    """The interval by the paired bootstrap over problems, beside that of `comparison`."""

    @property
    def difference(self) -> Estimate:
        """a minus b, with the interval for this comparison alone."""
        return self.comparison.difference

    @property
    def significant(self) -> bool:
        """Whether one is ahead, after correction."""
        return bool(self.adjusted < SIGNIFICANT)


@dataclass(frozen=True, slots=True)
class Slice:
    """The two sides on the problems of one subject, level or source, at the largest budget."""

    key: str
    value: str
    a: float
    b: float
    comparison: Comparison
    adjusted: float
    """p after Holm over the values of this key; NaN with fewer than `FEWEST` problems."""


@dataclass(frozen=True)
class Versus:
    """Two sides on one task."""

    task: str
    metric: str
    """``accuracy``, ``f1``, ``prm_score`` or ``preference_accuracy``."""
    a: str
    b: str
    points: tuple[Point, ...]
    """At least one, by rising budget."""
    gaps: Floats
    """(P,) differences at the largest budget on the problems compared, largest first."""
    only: tuple[int, int]
    """Problems that a alone, and b alone, has: they are left out."""
    power: Power
    correlation: float
    """Of the two sides over problems, at the largest budget; NaN where one does not vary."""
    family: int
    """Tests that Holm's correction counts."""
    tasks: int
    """Tasks among them."""
    slices: tuple[Slice, ...] = ()

    @property
    def last(self) -> Point:
        """The comparison at the largest budget."""
        return self.points[-1]


@dataclass(frozen=True)
class Pair:
    """Two sides on one task, not yet compared."""

    task: str
    metric: str
    a: Answers
    b: Answers
    meta: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Key → problem → value: what the task's problems can be told apart by."""
    same_pool: bool = False
    """Both choose from one pool: at one candidate there is nothing to choose."""
    strata: Mapping[str, str] | None = None
    """Problem → member, for a group of tasks: its figure is the mean of theirs."""


def versus(pairs: Sequence[Pair], seed: int = 0) -> tuple[Versus, ...]:
    """Compare two sides on every task, all of it one family of tests.

    Raises:
        ValueError: a pair without a budget or a problem in common.
    """
    found = [_versus(pair, seed) for pair in pairs]
    adjusted = holm([point.comparison.p for one in found for point in one.points])
    places = iter(adjusted.tolist())
    return tuple(
        replace(
            one,
            points=tuple(replace(point, adjusted=next(places)) for point in one.points),
            family=int((~np.isnan(adjusted)).sum()),
            tasks=len(found),
        )
        for one in found
    )


def _versus(pair: Pair, seed: int) -> Versus:
    a, b = pair.a, pair.b
    places = [{name: place for place, name in enumerate(side.problems)} for side in (a, b)]
    shared = [name for name in a.problems if name in places[1]]
    budgets = [budget for budget in a.budgets if budget in b.budgets]
    if pair.same_pool and len(budgets) > 1:
        budgets = [budget for budget in budgets if budget != 1]
    if not shared or not budgets:
        raise ValueError(f"{pair.task}: no {'problem' if budgets else 'budget'} in common")
    rows = [[own[name] for name in shared] for own in places]
    members = np.zeros(len(shared))
    if pair.strata is not None:
        members = np.array([pair.strata[name] for name in shared])

    def at(budget: int | None) -> tuple[_Side, _Side]:
        return _side(a, rows[0], budget), _side(b, rows[1], budget)

    found = [_point(a.name, b.name, budget, *at(budget), seed, members) for budget in budgets]
    (left, right), gaps = at(budgets[-1]), found[-1][1]
    moved = left.values - right.values
    return Versus(
        pair.task,
        pair.metric,
        a.name,
        b.name,
        tuple(point for point, _ in found),
        np.sort(moved[~np.isnan(moved)])[::-1],
        (len(a.problems) - len(shared), len(b.problems) - len(shared)),
        power_of(gaps),
        pairing(left.values, right.values),
        len(found),
        1,
        tuple(_slices(pair, shared, left, right, seed)),
    )


def _side(answers: Answers, rows: Sequence[int], budget: int | None) -> _Side:
    return _Side(
        answers.values[rows, answers.budgets.index(budget)],
        None if answers.error is None else answers.error[rows],
        None if answers.steps is None else answers.steps[rows],
    )


def _point(
    a: str,
    b: str,
    budget: int | None,
    left: _Side,
    right: _Side,
    seed: int,
    members: NDArray[Any],
) -> tuple[Point, Floats]:
    """Return the two sides at a budget, and differences whose mean is that of the two figures."""
    known = ~(np.isnan(left.values) | np.isnan(right.values))
    own, other, members = left.on(known), right.on(known), members[known]
    mid = None
    if own.is_mean:
        found = compare(a, b, own.values, other.values, seed=seed)
        gaps = own.values - other.values
        if found.test == "mcnemar-exact":
            mid = mcnemar(round(found.only_a), round(found.only_b), mid=True)
    else:
        found, gaps = _by_pseudo_values(a, b, own, other, members)
    figures = _figure(own, members), _figure(other, members)
    ends = (math.nan, math.nan)
    if len(gaps) > 1 and not np.isnan(gaps).any():
        low, high = bootstrap(gaps[:, None], seed=seed)
        ends = float(low[0]), float(high[0])
    return Point(budget, *figures, found, found.p, mid, ends), gaps


def _by_pseudo_values(
    a: str, b: str, own: _Side, other: _Side, members: NDArray[Any]
) -> tuple[Comparison, Floats]:
    """Compare two figures that are no means, or two means of them over the members of a group."""
    gaps, weighed = np.full(len(members), np.nan), np.full(len(members), np.nan)
    names = np.unique(members)
    for name in names:
        rows = members == name
        gaps[rows] = own.on(rows).pseudo() - other.on(rows).pseudo()
        weighed[rows] = gaps[rows] * len(members) / (len(names) * np.count_nonzero(rows))
    moved = own.values - other.values
    only = float(moved[moved > 0].sum()), float(-moved[moved < 0].sum())
    if not len(gaps) or np.isnan(gaps).any():
        none = Estimate(math.nan, math.nan, math.nan, 0, 0, "none")
        return Comparison(a, b, none, math.nan, "none", *only), gaps
    tested = paired(gaps[:, None], members)
    return Comparison(a, b, tested.estimate(0), float(tested.p[0]), "delta-t", *only), weighed


def _figure(side: _Side, members: NDArray[Any]) -> float:
    """Return the mean over members of their figures; NaN where one has none."""
    found = [side.on(members == name).figure() for name in np.unique(members)]
    return float(np.mean(found)) if found else math.nan


def _slices(
    pair: Pair,
    problems: Sequence[str],
    left: _Side,
    right: _Side,
    seed: int,
) -> list[Slice]:
    """Return the breakdown by every key under which problems differ."""
    found: list[Slice] = []
    for key, values in pair.meta.items():
        labels = np.array([values.get(name, "") for name in problems])
        names = sorted({*labels.tolist()} - {""}, key=_order)
        if len(names) < 2:
            continue
        own = []
        for name in names:
            rows = labels == name
            alone = np.zeros(np.count_nonzero(rows))
            sides = left.on(rows), right.on(rows)
            point, _ = _point(pair.a.name, pair.b.name, None, *sides, seed, alone)
            own.append(Slice(key, name, point.a, point.b, _enough(point.comparison), math.nan))
        adjusted = holm([one.comparison.p for one in own])
        found += [replace(one, adjusted=float(p)) for one, p in zip(own, adjusted, strict=True)]
    return found


def _enough(found: Comparison) -> Comparison:
    """Return a comparison without interval and p, if it rests on too few problems."""
    d = found.difference
    if d.n >= FEWEST:
        return found
    return replace(found, difference=replace(d, low=math.nan, high=math.nan), p=math.nan)


def _order(name: str) -> tuple[float, str]:
    """Sort numbers as numbers, before words."""
    try:
        return float(name), name
    except ValueError:
        return math.inf, name
