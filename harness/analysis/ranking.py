"""Ranks that say how much of them is noise: intervals and tie groups over many entries.

Every two entries are compared on the problems that both have an answer to (`contrast.paired`), and
the p of both directions of all pairs are corrected by Holm as one family: the chance that even one
entry is called better than one that it is not better than is at most 5 %. From these claims

    an entry's rank lies between   1 + number of entries that are significantly better
                            and    N - number of entries that are significantly worse,

for all entries at once with at least 95 %: the simultaneous confidence set for ranks of Mogstad,
Romano, Shaikh and Wilhelm 2024, "Inference for Ranks with Applications to Mobility across
Neighbourhoods and Academic Achievement across Countries", Review of Economic Studies 91(1).
(Entries whose true values are equal share their ranks; the set holds for each of them.)

Tie groups cut the list of entries, best first, where it can be cut: a new group begins with the
first entry that is significantly worse than the first of the group before. So whoever leads a group
is better than whoever leads the next; within a group the order may be noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.contrast import holm, paired
from harness.stats.best_of_n import Bools, Floats, Ints

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Ranking:
    """N entries with everything that pairs of them say, in the order given."""

    value: Floats
    """(N,) mean over the problems an entry has an answer to, or over strata of such means."""
    order: Ints
    """(N,) places of the entries, best first; of equal ones the earlier first; NaN last."""
    low: Ints
    high: Ints
    """(N,) the ends of each entry's rank interval, 1 the best."""
    group: Ints
    """(N,) tie group of each entry, 1 the best."""
    difference: Floats
    """(N, N) row minus column, over the problems both have."""
    p: Floats
    """(N, N) two-sided, of the pair alone; NaN on the diagonal and where nothing is shared."""
    better: Bools
    """(N, N) whether the row is significantly better than the column, after Holm."""
    problems: Ints
    """(N, N) problems that both have an answer to."""


def rank(values: ArrayLike, strata: ArrayLike | None = None) -> Ranking:
    """Rank entries by their mean accuracy.

    Args:
        values: (N, P) per entry and problem, in [0, 1] or of a mean in [0, 1]
            (`pseudo_values`); NaN where there is no answer. Replicas of a problem are averaged
            before: their seeds share nothing between problems.
        strata: (P,) the task of each problem, for the mean over tasks (`contrast.paired`).

    Returns:
        Everything of `Ranking`. An entry that shares no problem with another is neither better nor
        worse than it.

    Raises:
        ValueError: values of another shape, or infinite.
    """
    table = np.asarray(values, np.float64)
    tasks = np.zeros(table.shape[1:]) if strata is None else np.asarray(strata)
    if table.ndim != 2 or tasks.shape != table.shape[1:]:
        raise ValueError(f"shapes differ: values {table.shape}, strata {tasks.shape}")
    if np.isinf(table).any():
        raise ValueError("a value is infinite")
    size = len(table)
    difference, p = np.zeros((size, size)), np.full((size, size), np.nan)
    problems = np.zeros((size, size), np.int64)
    for i in range(size - 1):
        # One entry against all later ones: N rows of P at once stay small.
        tested = paired((table[i] - table[i + 1 :]).T, tasks)
        difference[i, i + 1 :], difference[i + 1 :, i] = tested.mean, -tested.mean
        p[i, i + 1 :] = p[i + 1 :, i] = tested.p
        problems[i, i + 1 :] = problems[i + 1 :, i] = tested.n
    np.fill_diagonal(problems, np.count_nonzero(~np.isnan(table), axis=1))
    better = _better(difference, p)
    value = _means(table, tasks)
    order = np.argsort(np.where(np.isnan(value), np.inf, -value), kind="stable")
    return Ranking(
        value,
        order,
        low=1 + better.sum(axis=0),
        high=size - better.sum(axis=1),
        group=tie_groups(better, order),
        difference=difference,
        p=p,
        better=better,
        problems=problems,
    )


def tie_groups(better: Bools, order: Ints) -> Ints:
    """Return (N,) groups numbered from 1, from (N, N) claims and the entries' order, best first."""
    group = np.ones(len(order), np.int64)
    leader = int(order[0]) if len(order) else 0
    number = 1
    for entry in order.tolist():
        if better[leader, entry]:
            leader, number = entry, number + 1
        group[entry] = number
    return group


def _better(difference: Floats, p: Floats) -> Bools:
    """Which of all N (N - 1) directed claims hold together.

    Both directions of a pair are one-sided tests of the family, so that the direction of what is
    found is covered by the 5 % as well. Of two entries that is the two-sided test.
    """
    size = len(difference)
    one_sided = np.where(difference > 0, p / 2, 1 - p / 2)
    apart = ~np.eye(size, dtype=np.bool_)
    adjusted = np.full((size, size), np.nan)
    adjusted[apart] = holm(one_sided[apart])
    with np.errstate(invalid="ignore"):
        return np.asarray((adjusted < SIGNIFICANT) & (difference > 0), np.bool_)


def _means(table: Floats, tasks: NDArray[Any]) -> Floats:
    """(N,) means over the known problems of each stratum, then over strata."""
    parts = []
    for task in np.unique(tasks):
        own = table[:, tasks == task]
        known = ~np.isnan(own)
        count = known.sum(axis=1)
        mean = np.full(len(table), np.nan)
        np.divide(np.where(known, own, 0.0).sum(axis=1), count, out=mean, where=count > 0)
        parts.append(mean)
    return np.asarray(np.mean(parts, axis=0), np.float64) if parts else np.full(len(table), np.nan)
