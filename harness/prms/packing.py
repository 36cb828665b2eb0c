"""Solutions of one problem share their beginnings: trees of tokens, laid out in one sequence.

The prompt is common to all solutions, and samples of one policy often begin with the same steps.
Laid out as a tree, each common beginning is there once, and is followed by all that goes on from
it. A token may look at its own ancestors only and has the position that it has in its solution, so
its hidden state is the same as if the solution stood alone. Trees of several problems stand side by
side.

What goes on from a token is one stretch of the sequence, which ends where `Pack.ends` says; that is
the whole tree. The ancestors of neighbours are nearly the same, so attention is computed for blocks
of neighbours, each over its own few keys (`blocks`), and not over the square of all tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.cost import Architecture
from harness.prms.render import Encoded

Ints = NDArray[np.int64]

BLOCK = 64
"""Tokens of a block. They look at each other besides their ancestors: more of them waste more of
that, fewer gather the same ancestors more often."""


@dataclass(frozen=True)
class Pack:
    """Some solutions in one sequence of tokens."""

    ids: Ints
    """(tokens,)"""
    places: Ints
    """(tokens,): position of each token in its solution."""
    ends: Ints
    """(tokens,): where in the sequence ends what goes on from each token."""
    parents: Ints
    """(tokens,): place in the sequence of the token before each; -1 for a first one."""
    members: tuple[tuple[int, int], ...]
    """Request and place in it of each solution."""
    spent: tuple[int, ...]
    """Tokens that are there for each member, those of its beginning that others had aside."""
    reads: tuple[Ints, ...]
    """Places in the sequence that are read, for each member."""


@dataclass(frozen=True)
class Tree:
    """The different solutions of one problem, in the order in which neighbours share most."""

    inputs: Sequence[Encoded]
    order: tuple[int, ...]
    """Places in `inputs`."""
    shared: tuple[int, ...]
    """Tokens that each, in order, begins with like the one before it."""

    @staticmethod
    def of(inputs: Sequence[Encoded]) -> Tree:
        """Return the tree of some inputs."""
        order = sorted(range(len(inputs)), key=lambda i: (inputs[i].ids, i))
        pairs = itertools.pairwise(order)
        shared = [_common(inputs[a].ids, inputs[b].ids) for a, b in pairs]
        return Tree(inputs, tuple(order), (0, *shared) if order else ())

    @property
    def tokens(self) -> int:
        """Tokens of the tree."""
        return sum(len(one.ids) for one in self.inputs) - sum(self.shared)

    def pays(self, shape: Architecture) -> bool:
        """Whether the tree takes fewer operations than each input by itself.

        A block is attended to as a full rectangle, masked or not, which counts about twice a causal
        sequence.
        """
        keys = max((len(one.ids) for one in self.inputs), default=0) + BLOCK
        each = 2 * shape.active + 4 * shape.layers * shape.attention_width * keys
        alone = sum(shape.prefill(len(one.ids), outputs=0) for one in self.inputs)
        return self.tokens * each < alone


def pack(trees: Sequence[tuple[int, Tree]], limit: int) -> Iterator[Pack]:
    """Yield packs of at most `limit` tokens (more, if a single solution is longer).

    Args:
        trees: Number of the request, and the tree of its inputs.
        limit: Tokens.
    """
    open_ = _Open()
    for request, tree in trees:
        for member, shared in zip(tree.order, tree.shared, strict=True):
            one = tree.inputs[member]
            if open_.members and open_.size + len(one.ids) - shared > limit:
                yield open_.close()
                open_, shared = _Open(), 0
            open_.add((request, member), one, shared)
    if open_.members:
        yield open_.close()


def blocks(one: Pack) -> tuple[Ints, NDArray[np.bool_]]:
    """Return what each block of tokens may look at.

    Returns:
        Places of the keys of each block, its ancestors and itself: (blocks, keys); whether a token
        of the block sees a key: (blocks, `BLOCK`, keys). Both are padded, and padding sees nothing.
    """
    size = len(one.ids)
    starts = range(0, size, BLOCK)
    found = [
        np.concatenate(
            [np.flatnonzero(one.ends[:start] > start), np.arange(start, min(start + BLOCK, size))]
        )
        for start in starts
    ]
    keys = np.zeros((len(found), max(map(len, found))), np.int64)
    ends = np.zeros_like(keys)
    for row, places in enumerate(found):
        keys[row, : len(places)] = places
        ends[row, : len(places)] = one.ends[places]
    tokens = (np.arange(len(found) * BLOCK).reshape(-1, BLOCK))[:, :, None]
    sees = (keys[:, None] <= tokens) & (ends[:, None] > tokens)
    return keys, sees


class _Open:
    """A pack that is being filled."""

    def __init__(self) -> None:
        self.members: list[tuple[int, int]] = []
        self.size = 0
        self._ids: list[int] = []
        self._places: list[Ints] = []
        self._ends: list[tuple[Ints, int]] = []
        self._parents: list[Ints] = []
        self._spent: list[int] = []
        self._reads: list[Ints] = []
        self._path: Ints = np.empty(0, np.int64)

    def add(self, member: tuple[int, int], one: Encoded, shared: int) -> None:
        """Append the input's tokens after what it shares with the one before."""
        start, new = self.size, len(one.ids) - shared
        self._ids.extend(one.ids[shared:])
        self._places.append(np.arange(shared, len(one.ids)))
        self._ends.append((self._path[shared:], start))
        self.size += new
        self._path = np.concatenate([self._path[:shared], np.arange(start, self.size)])
        self._parents.append(np.concatenate([[-1], self._path[:-1]])[shared:])
        self._spent.append(new)
        self._reads.append(self._path[list(one.reads)])
        self.members.append(member)

    def close(self) -> Pack:
        """Return the pack."""
        ends = np.full(self.size, self.size)
        for path, end in self._ends:
            ends[path] = end
        return Pack(
            np.array(self._ids),
            np.concatenate(self._places),
            ends,
            np.concatenate(self._parents),
            tuple(self.members),
            tuple(self._spent),
            tuple(self._reads),
        )


def _common(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Return how many tokens two inputs begin with alike."""
    size = min(len(a), len(b))
    if a[:size] == b[:size]:
        return size
    return next(i for i in range(size) if a[i] != b[i])
