"""Which beginnings of token sequences are remembered, and in which slots: a tree without tensors.

Sequences that begin alike share the slots of what they have in common, so a step that was written
once is kept once, however many continuations it gets. Each edge of the tree holds several tokens;
looking a sequence up costs one comparison per edge, not per token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.int64]
Ids = tuple[int, ...]

_EXTRA = 1 / 8
"""Share of the budget freed beyond need: finding what is oldest costs a walk of the tree."""


@dataclass(slots=True, eq=False)
class _Node:
    """An edge of the tree and what hangs below it."""

    tokens: Ids
    slots: Slots
    parent: _Node | None
    used: int
    children: dict[int, _Node] = field(default_factory=dict)
    """By the first token of their edge."""


class Prefixes:
    """A set of token sequences, closed under taking beginnings; every token has a slot.

    Slots are numbers from 0; the caller keeps something for each, in a store that is as large as
    `capacity` says.
    """

    def __init__(self, budget: int) -> None:
        """An empty set that `trim` cuts down to at most `budget` tokens."""
        self.budget = budget
        self.capacity = 0
        self.held = 0
        """Tokens remembered."""
        self._root = _Node((), np.empty(0, np.int64), None, 0)
        self._free: Slots = np.empty(0, np.int64)
        self._clock = 0

    def find(self, tokens: Ids) -> Slots:
        """Return the slots of the longest remembered beginning; it counts as used now."""
        _, parts = self._walk(tokens)
        return np.concatenate(parts) if parts else self._root.slots

    def add(self, tokens: Ids) -> Slots:
        """Remember a sequence; return the slots of its last tokens, those that were unknown."""
        node, parts = self._walk(tokens)
        known = sum(map(len, parts))
        rest = tokens[known:]
        if not rest:
            return self._root.slots
        if parts and len(parts[-1]) < len(node.slots):
            node = self._split(node, len(parts[-1]))
        slots = self._take(len(rest))
        node.children[rest[0]] = _Node(rest, slots, node, self._clock)
        self.held += len(rest)
        return slots

    def trim(self) -> None:
        """Forget what was not used for longest, ends first, if more is held than the budget."""
        if self.held <= self.budget:
            return
        goal = int(self.budget * (1 - _EXTRA))
        number = count()
        ends = [(leaf.used, next(number), leaf) for leaf in self._leaves()]
        heapify(ends)
        freed = [self._free]
        while self.held > goal:
            _, _, leaf = heappop(ends)
            parent = leaf.parent
            assert parent is not None
            del parent.children[leaf.tokens[0]]
            freed.append(leaf.slots)
            self.held -= len(leaf.slots)
            if parent.parent is not None and not parent.children:
                heappush(ends, (parent.used, next(number), parent))
        self._free = np.concatenate(freed)

    def _walk(self, tokens: Ids) -> tuple[_Node, list[Slots]]:
        """Follow a sequence; return the last edge met and the slots on the way.

        The last edge may have been left before its end, which shows in its number of slots.
        """
        self._clock += 1
        node, at, parts = self._root, 0, list[Slots]()
        while at < len(tokens) and (child := node.children.get(tokens[at])) is not None:
            child.used = self._clock
            edge, node = child.tokens, child
            if tokens[at : at + len(edge)] != edge:
                size = min(len(edge), len(tokens) - at)
                same = next((i for i in range(size) if edge[i] != tokens[at + i]), size)
                parts.append(child.slots[:same])
                break
            parts.append(child.slots)
            at += len(edge)
        return node, parts

    def _split(self, node: _Node, at: int) -> _Node:
        """Cut an edge in two; return its upper part."""
        parent = node.parent
        assert parent is not None
        upper = _Node(node.tokens[:at], node.slots[:at], parent, node.used)
        parent.children[upper.tokens[0]] = upper
        node.tokens, node.slots, node.parent = node.tokens[at:], node.slots[at:], upper
        upper.children[node.tokens[0]] = node
        return upper

    def _take(self, size: int) -> Slots:
        """Return free slots; there are always enough, because the capacity grows."""
        if len(self._free) < size:
            # Twice as much up to the budget, a quarter more beyond it: what one pass reads is kept
            # until the next `trim`, however small the budget.
            wish = min(self.capacity, max(self.budget - self.capacity, self.capacity // 4))
            new = self.capacity + max(size, wish)
            self._free = np.concatenate([np.arange(new - 1, self.capacity - 1, -1), self._free])
            self.capacity = new
        slots, self._free = self._free[-size:][::-1].copy(), self._free[:-size]
        return slots

    def _leaves(self) -> Iterator[_Node]:
        stack = [self._root]
        while stack:
            node = stack.pop()
            if node.children:
                stack.extend(node.children.values())
            elif node.parent is not None:
                yield node
