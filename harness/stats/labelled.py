"""The labelled steps of many solutions, and figures of them that resample whole solutions.

The steps that count are those with a known label: all of a right solution, of a wrong one those up
to its first wrong step. What follows an error has no label. Steps of one solution are not
independent, so intervals resample solutions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Bools, Floats, Ints
from harness.stats.first_error import Judged
from harness.types import Estimate

DRAWS = 1000
"""Resamplings behind an interval."""

NONE = Estimate(math.nan, math.nan, math.nan, 0, 0, "none")

_ROOM = 1_000_000
"""Weights that are held at once."""


@dataclass(frozen=True, slots=True)
class Steps:
    """N labelled steps, lowest score first."""

    score: Floats
    wrong: Bools
    owner: Ints
    """Number of the solution."""
    place: Ints
    """Which step of its solution, from 0."""
    depth: Floats
    """Where the middle of the step lies in its solution, from 0 to 1, steps being equally long."""

    @classmethod
    def of(cls, items: Sequence[Judged]) -> Steps:
        """Gather the labelled steps of at least one solution."""
        sizes = np.array([item.label + 1 if item.label >= 0 else item.size for item in items])
        score = np.concatenate(
            [item.scores[:size] for item, size in zip(items, sizes, strict=True)]
        )
        owner = np.repeat(np.arange(len(items)), sizes)
        ends = np.cumsum(sizes)
        place = np.arange(len(score)) - np.repeat(ends - sizes, sizes)
        depth = (place + 0.5) / np.repeat([item.size for item in items], sizes)
        wrong = np.zeros(len(score), np.bool_)
        wrong[ends[[item.label >= 0 for item in items]] - 1] = True
        order = np.argsort(score, kind="stable")
        return cls(score, wrong, owner, place, depth).where(order)

    def where(self, keep: Bools | Ints) -> Steps:
        """Return the steps of a mask, or those of some numbers in their order."""
        return Steps(
            self.score[keep],
            self.wrong[keep],
            self.owner[keep],
            self.place[keep],
            self.depth[keep],
        )

    @property
    def third(self) -> Ints:
        """Whether each lies in the first (0), middle (1) or last (2) third of its solution."""
        return np.minimum((3 * self.depth).astype(np.int64), 2)


def resamplings(solutions: int, seed: int) -> Ints:
    """Return (D, S): how often each solution is drawn in each resampling."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(solutions, np.full(solutions, 1 / solutions), DRAWS)


def in_parts(times: Ints, size: int) -> list[Ints]:
    """Return (D, S) resamplings in parts that leave room for weights of `size` things."""
    return np.array_split(times, max(1, len(times) * size // _ROOM))


def spread(
    value: float, found: Floats, n: int, clusters: int, method: str = "bootstrap-solutions"
) -> Estimate:
    """Return a figure with the middle 95 % of its resampled values, widened to hold it."""
    if math.isnan(value):
        return NONE
    low, high = np.nanquantile(found, (0.025, 0.975))
    ends = min(value, float(low)), max(value, float(high))
    return Estimate(value, *ends, n, clusters, method)


@dataclass(frozen=True, slots=True)
class Ranks:
    """How often wrong ones lie below right ones, as drawn and in each of D resamplings."""

    won: Floats
    """(1 + D,) pairs with the wrong one below, ties half."""
    pairs: Floats
    """(1 + D,)"""
    n: int
    owners: Ints

    @classmethod
    def of(cls, score: Floats, wrong: Bools, owner: Ints, times: Ints) -> Ranks:
        """Compare (N,) scores, ascending, of owners that were drawn (D, S) times."""
        if not len(score) or wrong.all() or not wrong.any():
            return cls(np.zeros(1 + len(times)), np.zeros(1 + len(times)), 0, owner[:0])
        once = _won(score, wrong, np.ones((1, len(score))))
        parts = in_parts(times, len(score))
        found = [once, *(_won(score, wrong, part[:, owner].astype(float)) for part in parts)]
        won, pairs = (np.concatenate(column) for column in zip(*found, strict=True))
        return cls(won, pairs, len(score), owner)


def ranked(strata: Sequence[Ranks]) -> Estimate:
    """Return the AUROC over all pairs within strata; not defined where there are none."""
    won, pairs = (np.sum([getattr(one, name) for one in strata], axis=0) for name in _RANKS)
    if not pairs[0]:
        return NONE
    found = np.full(len(won), np.nan)
    np.divide(won, pairs, out=found, where=pairs > 0)
    solutions = len(np.unique(np.concatenate([one.owners for one in strata])))
    return spread(float(found[0]), found[1:], sum(one.n for one in strata), solutions)


_RANKS = ("won", "pairs")


def averaged(
    values: Floats, owner: Ints, times: Ints, of: Callable[[Floats], Floats] | None = None
) -> Estimate:
    """Return a figure that is a function of means over (N,) steps.

    Args:
        values: (N, K) whose K means matter.
        owner: (N,) the solution of each step.
        times: (D, S) how often each solution was drawn.
        of: the function, from (D, K) means to (D,); None where K = 1 and the mean is the figure.
    """
    if not len(values):
        return NONE
    final = of or (lambda means: means[:, 0])
    # A resampling draws whole solutions, so sums per solution are all that it needs.
    columns = [np.bincount(owner, column, times.shape[1]) for column in values.T]
    sums, sizes = np.stack(columns, axis=1), np.bincount(owner, minlength=times.shape[1])
    value = float(final(sums.sum(0, keepdims=True) / len(values))[0])
    with np.errstate(invalid="ignore"):
        found = final((times @ sums) / (times @ sizes)[:, None])
    return spread(value, found, len(values), int(np.count_nonzero(sizes)))


def _won(score: Floats, wrong: Bools, weight: Floats) -> tuple[Floats, Floats]:
    """Pairs won and pairs in all under each of (D, N) weights, N > 0; scores ascending."""
    bad, good = weight * wrong, weight * ~wrong
    starts = np.flatnonzero(np.append(True, np.diff(score) > 0))
    bad, good = (np.add.reduceat(one, starts, axis=1) for one in (bad, good))
    above = good.sum(1, keepdims=True) - np.cumsum(good, axis=1)
    return (bad * (above + good / 2)).sum(1), bad.sum(1) * good.sum(1)
