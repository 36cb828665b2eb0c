"""Solutions of one problem share their beginnings: a tree of tokens, laid out in one sequence.

The prompt is common to all solutions, and samples of one policy often begin with the same steps.
Laid out as a tree, each common beginning is there once. In the sequence of a pack, a token may look
at its own ancestors only (a mask says so) and has the position that it has in its solution, so its
hidden state is the same as if the solution stood alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.cost import Architecture
from harness.prms.recipe import Encoded

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pack:
    """Some solutions of one problem in one sequence of tokens."""

    ids: Ints
    """(tokens,)"""
    places: Ints
    """(tokens,): position of each token in its solution."""
    sees: NDArray[np.bool_]
    """(tokens, tokens): whether the row's token may look at the column's."""
    members: tuple[int, ...]
    """Which of the inputs are in it."""
    reads: tuple[Ints, ...]
    """Places in the sequence that are read, for each member."""


def pack(inputs: Sequence[Encoded], limit: int) -> list[Pack]:
    """Return packs of at most `limit` tokens (more, if a single input is longer).

    Inputs are taken in the order of their tokens, so that neighbours share most.
    """
    packs: list[Pack] = []
    open_ = _Open()
    for member in sorted(range(len(inputs)), key=lambda i: (inputs[i].ids, i)):
        if open_.members and open_.size_with(inputs[member]) > limit:
            packs.append(open_.close())
            open_ = _Open()
        open_.add(member, inputs[member])
    if open_.members:
        packs.append(open_.close())
    return packs


def pays(packs: Sequence[Pack], inputs: Sequence[Encoded], shape: Architecture) -> bool:
    """Whether the packs take fewer operations than each input by itself.

    A pack is attended to as a full square, masked or not, which counts twice a causal sequence.
    """
    packed = 0
    for one in packs:
        size = len(one.ids)
        packed += 2 * shape.active * size + 4 * shape.layers * shape.attention_width * size**2
    return packed < sum(shape.prefill(len(one.ids), outputs=0) for one in inputs)


def best_size(shape: Architecture) -> int:
    """Return the tokens of a pack at which attention costs as much as the matrices.

    Larger packs share more, but every further token then pays more for looking than for being.
    """
    return max(1, shape.active // (2 * shape.layers * shape.attention_width))


class _Open:
    """A pack that is being filled."""

    def __init__(self) -> None:
        self.members: list[int] = []
        self._ids: list[int] = []
        self._places: list[int] = []
        self._paths: list[tuple[int, Ints]] = []
        self._reads: list[Ints] = []
        self._last: tuple[int, ...] = ()
        self._path: Ints = np.empty(0, np.int64)

    def size_with(self, one: Encoded) -> int:
        """Tokens of the pack with one more input."""
        return len(self._ids) + len(one.ids) - _common(self._last, one.ids)

    def add(self, member: int, one: Encoded) -> None:
        """Append the input's tokens after what it shares with the one before."""
        shared = _common(self._last, one.ids)
        start = len(self._ids)
        self._ids.extend(one.ids[shared:])
        self._places.extend(range(shared, len(one.ids)))
        path = np.concatenate([self._path[:shared], np.arange(start, len(self._ids))])
        self._paths.append((shared, path))
        self._reads.append(path[list(one.reads)])
        self.members.append(member)
        self._last, self._path = one.ids, path

    def close(self) -> Pack:
        """Return the pack."""
        sees = np.zeros((len(self._ids), len(self._ids)), bool)
        for shared, path in self._paths:
            new = path[shared:]
            if len(new):
                sees[np.ix_(new, path[:shared])] = True
                sees[np.ix_(new, new)] = np.tri(len(new), dtype=bool)
        ids, places = np.array(self._ids), np.array(self._places)
        return Pack(ids, places, sees, tuple(self.members), tuple(self._reads))


def _common(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Return how many tokens two inputs begin with alike."""
    size = min(len(a), len(b))
    if a[:size] == b[:size]:
        return size
    return next(i for i in range(size) if a[i] != b[i])
