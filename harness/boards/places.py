"""Who stands where: ranks with intervals, tie groups, and every paired difference.

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
from harness.boards.standing import Pair, Place

Floats = NDArray[np.float64]


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
    return Standing(places, _pairs(names, table, strata, found))


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
    names: Sequence[str], table: Floats, strata: NDArray[np.int64], found: Ranking
) -> tuple[Pair, ...]:
    """Return every pair once, the better entry first; p is adjusted as for the tie groups."""
    adjusted = _adjusted(found)
    place = {at: position for position, at in enumerate(found.order.tolist())}
    pairs = []
    for i in range(len(names) - 1):
        tested = paired((table[i] - table[i + 1 :]).T, strata)
        for offset in range(len(tested.mean)):
            j = i + 1 + offset
            value, low, high = (
                float(one[offset]) for one in (tested.mean, tested.low, tested.high)
            )
            a, b = i, j
            if place[j] < place[i]:
                a, b, value, low, high = j, i, -value, -high, -low
            p = float(tested.p[offset])
            pairs.append(Pair(names[a], names[b], value, low, high, p, float(adjusted[i, j])))
    return tuple(pairs)


def _adjusted(found: Ranking) -> Floats:
    """Return (N, N) p after Holm over both directions of all pairs, of the likelier direction."""
    apart = ~np.eye(len(found.p), dtype=np.bool_)
    one_sided = np.where(found.difference > 0, found.p / 2, 1 - found.p / 2)
    adjusted = np.ones(found.p.shape)
    adjusted[apart] = holm(one_sided[apart])
    return np.minimum(adjusted, adjusted.T)
