"""One problem's voters, sorted for counting, and the sums of their weights per class.

A vote is counted for hundreds of subsets and weightings at once. The dear part is to find which
members of a subset belong together; the sums are then products of a 0/1 matrix (subset, voter) with
the weights (voter, weighting).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Bools, Floats, Ints

NO_ANSWER = -1
"""Class of a candidate without an answer: it does not vote, and it is wrong."""

_DENSE = 5.0
"""Expected members of a class in a subset from which one dense product is faster than listing."""

_FEW = 3
"""Classes for which a dense product each is faster than one listing."""

_SLACK = 1e-9
"""Share of a sum by which a class must be out of reach of the winner before it is not counted: far
more than sums differ by the order of adding, and than what counts as a tie."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One problem's voters, sorted so that classes of equal value, then classes, are adjacent.

    Which of several classes of equal value wins makes no difference, so only the best sum of each
    value is ever compared: usually two, the right class against the strongest wrong one.
    """

    voters: Ints
    """(V,): candidates that vote, in sorted order."""
    weights: Floats
    """(V, K)."""
    starts: Ints
    """(C + 1,): where each class begins among the voters, and V."""
    group: Ints
    """(C,): index into `values`, ascending."""
    values: Floats
    """(G,): the distinct values of classes; NaN, of classes without a graded member, comes last."""
    silent: int
    """Candidates without an answer."""

    @classmethod
    def of(cls, label: Ints, grade: Floats, weights: Floats) -> Ballot:
        """Sort one problem's candidates: (N,) classes, (N,) grades, (K, N) weights."""
        voters = np.flatnonzero(label != NO_ANSWER)
        _, member = np.unique(label[voters], return_inverse=True)
        graded = ~np.isnan(grade[voters])
        right = np.bincount(member, np.where(graded, grade[voters], 0.0))
        known = np.bincount(member, graded)
        worth = np.full(len(known), np.nan)
        np.divide(right, known, out=worth, where=known > 0)
        values, group = np.unique(worth, return_inverse=True)
        order = np.lexsort((member, group[member]))
        ordered = member[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1, append=-1))
        chosen = voters[order]
        return cls(
            voters=chosen,
            weights=np.ascontiguousarray(weights[:, chosen].T),
            starts=starts,
            group=group[ordered[starts[:-1]]],
            values=values,
            silent=len(label) - len(voters),
        )

    @property
    def constant(self) -> float | None:
        """The value of every subset, where all subsets have the same; else None."""
        values = np.union1d(self.values, [0.0]) if self.silent else self.values
        return float(values[0]) if values.size == 1 and not np.isnan(values[0]) else None

    @property
    def single(self) -> float:
        """The mean value of one candidate, which elects its own class whatever its weight."""
        sizes = np.bincount(self.group, np.diff(self.starts), minlength=len(self.values))
        known = ~np.isnan(self.values)
        graded = sizes[known].sum() + self.silent
        return float(self.values[known] @ sizes[known] / graded) if graded else np.nan


def class_sums(ballot: Ballot, member: Bools) -> Iterator[tuple[Floats, int]]:
    """Yield (sums, group) blocks: sums are (S, slots, K), -inf where a subset lacks the class.

    Classes with many members in a subset are a dense product each, and so are the classes of a
    group that has few; the others are listed, with as many slots as the fullest subset needs,
    because most of them are absent from most subsets.
    """
    sizes = np.diff(ballot.starts)
    density = np.count_nonzero(member) / max(1, member.size)
    dense = sizes * density >= _DENSE
    sparse = np.bincount(ballot.group[~dense], minlength=len(ballot.values))
    dense |= (sparse <= _FEW)[ballot.group]
    number = member.astype(np.float64)
    absent = ~np.logical_or.reduceat(member, ballot.starts[:-1], axis=1)
    floor = np.full(len(member), -np.inf)
    for c in np.flatnonzero(dense).tolist():
        part = slice(ballot.starts[c], ballot.starts[c + 1])
        sums = number[:, part] @ ballot.weights[part]
        sums[absent[:, c]] = -np.inf
        if not dense.all():
            np.maximum(floor, sums.min(axis=1), out=floor)
        yield sums[:, None], int(ballot.group[c])
    if dense.all():
        return
    floor -= _SLACK * np.abs(floor, where=np.isfinite(floor), out=np.zeros_like(floor))
    owner = np.repeat(np.arange(len(sizes)), sizes)
    for g in np.flatnonzero(sparse > _FEW).tolist():
        columns = np.flatnonzero(((ballot.group == g) & ~dense)[owner])
        yield _listed(member[:, columns], owner[columns], ballot.weights[columns], floor), g


def _listed(member: Bools, owner: Ints, weights: Floats, floor: Floats) -> Floats:
    """Sums of the classes that each subset holds, side by side: (S, slots, K), padded with -inf.

    A class that cannot reach its subset's `floor`, (S,), under any weighting is left out.
    """
    from scipy.sparse import csr_array

    total, width = member.shape
    place = np.flatnonzero(member)
    subset = place // width
    voter = place - subset * width
    key = subset * (owner[-1] + 1) + owner[voter]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    size = np.diff(starts, append=len(voter))
    top = weights.max(axis=1)
    most = np.maximum.reduceat(top, np.flatnonzero(np.diff(owner, prepend=-1)))
    rank = np.cumsum(np.diff(owner, prepend=owner[0]) > 0)
    kept = size * most[rank[voter[starts]]] >= floor[subset[starts]]
    voter, size, holder = voter[np.repeat(kept, size)], size[kept], subset[starts[kept]]
    if not voter.size:
        return np.empty((total, 0, weights.shape[1]))
    slot = np.arange(len(holder)) - np.searchsorted(holder, holder)
    slots = int(slot.max()) + 1
    counts = np.zeros(total * slots, np.int32)
    counts[holder * slots + slot] = size
    pointers = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=pointers[1:])
    ones = np.ones(len(voter))
    table = csr_array((ones, voter.astype(np.int32), pointers), shape=(len(counts), width))
    sums = np.asarray(table @ weights)
    sums[counts == 0] = -np.inf
    return sums.reshape(total, slots, -1)
