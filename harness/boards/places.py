"""Who stands where: ranks with intervals, tie groups, and every paired difference, also by column.

The statistics are `harness.analysis.ranking`'s; here the entries' outcomes become its table. A task
counts as much as any other, whatever its size. Replicas of a problem are averaged: they share the
problem, so they are no further problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.contrast import holm, paired
from harness.analysis.pseudo import prm_score_values, pseudo_values
from harness.analysis.ranking import Ranking, rank
from harness.boards.recompute import Outcome
from harness.boards.standing import ColumnPair, Pair, Place

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ROOM = 1 << 22
"""Differences that are held at once."""


@dataclass(frozen=True)
class Standing:
    """Places by entry, and all pairs."""

    places: Mapping[str, Place]
    pairs: tuple[Pair, ...]


def stand(entries: Mapping[str, Mapping[str, Outcome]], columns: Sequence[str]) -> Standing:
    """Rank entries by the plain mean of some columns.

    Args:
        entries: Id → column → outcome; each has all of `columns`, over the same items.
        columns: What the rank goes by.
    """
    if not entries:
        return Standing({}, ())
    names = list(entries)
    table = np.concatenate(
        [np.stack([_items(entries[name][column]) for name in names]) for column in columns], axis=1
    )
    strata = np.concatenate(
        [np.full(len(_items(entries[names[0]][c])), i) for i, c in enumerate(columns)]
    )
    found = rank(table, strata)
    places = {}
    for position, at in enumerate(found.order.tolist(), start=1):
        own = [entries[names[at]][column].figure for column in columns]
        score = float(np.mean([one.value for one in own]))
        # The margins of independent parts add up in squares (Zou and Donner 2008, "Construction of
        # confidence limits about effect measures: a general approach", Statistics in Medicine 27).
        below = float(np.sqrt(sum((one.value - one.low) ** 2 for one in own))) / len(own)
        above = float(np.sqrt(sum((one.high - one.value) ** 2 for one in own))) / len(own)
        places[names[at]] = Place(
            score,
            max(0.0, score - below),
            min(1.0, score + above),
            position,
            int(found.low[at]),
            int(found.high[at]),
            int(found.group[at]),
        )
    return Standing(places, _pairs(names, columns, table, strata, found))


def _items(outcome: Outcome) -> Floats:
    """Return (I,) values whose mean is the figure."""
    if outcome.steps is not None:
        return prm_score_values(outcome.steps)
    assert outcome.items is not None
    items = outcome.items
    known = ~np.isnan(items)
    count = known.sum(axis=0)
    mean = np.full(items.shape[1], np.nan)
    np.divide(np.where(known, items, 0.0).sum(axis=0), count, out=mean, where=count > 0)
    return mean if outcome.kinds is None else pseudo_values(mean, outcome.kinds)


def _pairs(
    names: Sequence[str],
    columns: Sequence[str],
    table: Floats,
    strata: NDArray[np.int64],
    found: Ranking,
) -> tuple[Pair, ...]:
    """Return every pair once, the better entry first; p is adjusted as for the tie groups."""
    place = {at: position for position, at in enumerate(found.order.tolist())}
    ends = [
        (i, j) if place[i] < place[j] else (j, i)
        for i in range(len(names) - 1)
        for j in range(i + 1, len(names))
    ]
    if not ends:
        return ()
    first, second = np.array(ends).T
    overall = _tested(table, first, second, strata)
    alone = [_tested(table[:, strata == at], first, second) for at in range(len(columns))]
    adjusted = _adjusted(*overall[[0, 3]])
    each = _adjusted(*np.stack(alone)[:, [0, 3]].transpose(1, 0, 2))
    return tuple(
        Pair(
            names[a],
            names[b],
            *_numbers(overall, at),
            float(adjusted[at]),
            tuple(
                ColumnPair(column, *_numbers(tested, at), float(own[at]))
                for column, tested, own in zip(columns, alone, each, strict=True)
            ),
        )
        for at, (a, b) in enumerate(ends)
    )


def _tested(
    table: Floats, first: Ints, second: Ints, strata: NDArray[np.int64] | None = None
) -> Floats:
    """Return (4, pairs): difference, low, high, p of each pair, over all items or over strata."""
    parts = []
    for rows in np.array_split(np.arange(len(first)), 1 + len(first) * table.shape[1] // _ROOM):
        found = paired((table[first[rows]] - table[second[rows]]).T, strata)
        parts.append(np.stack([found.mean, found.low, found.high, found.p]))
    return np.concatenate(parts, axis=1)


def _numbers(tested: Floats, at: int) -> tuple[float, float, float, float]:
    difference, low, high, p = tested[:, at].tolist()
    return difference, low, high, p


def _adjusted(difference: Floats, p: Floats) -> Floats:
    """Return p after Holm over both directions of all tests, of the likelier direction."""
    both = np.stack(
        [np.where(ahead, p / 2, 1 - p / 2) for ahead in (difference > 0, difference < 0)]
    )
    return np.asarray(holm(both.ravel()).reshape(both.shape).min(axis=0), np.float64)
