"""The tree of a Monte-Carlo search: its nodes, the published rules that select one, the back-up.

With Q the mean of the values backed up through a node, N its visits and N(s) its parent's:

uct   ``Q + c · √(ln N(s) / N)``; a node without visits comes first, in the order written
      (Kocsis & Szepesvári 2006; rStar; the reference, arXiv 2506.00027)
puct  ``Q + c(s) · P · √N(s) / (1 + N)``, P the prior, c(s) = c + ln((N(s) + 19652 + 1) / 19652);
      a node without visits has the PRM's score for Q (AlphaZero, OpenR, AlphaMath)
rest  ``Q + c · √(2 ln N(s) / N)``; nodes without visits come first, the best scored first of all
      (ReST-MCTS*, arXiv 2406.03816)

Ties go to the node written first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.types import Draft

Rule: TypeAlias = Literal["uct", "puct", "rest"]

CONSTANTS: dict[Rule, float] = {"uct": math.sqrt(2.0), "puct": 1.25, "rest": 0.7}
"""The c of each rule: Kocsis & Szepesvári's for values in [0, 1], AlphaMath's and OpenR's,
ReST-MCTS*'s."""

_ALPHAZERO = 19652
"""Visits after which AlphaZero begins to explore more."""


@dataclass(slots=True, eq=False)
class Node:
    """A draft in the tree."""

    draft: Draft
    parent: Node | None = None
    prior: float = 1.0
    value: float | None = None
    """What the PRM says of it, on the tree's scale; None: was not asked."""
    depth: int = 0
    visits: int = 0
    total: float = 0.0
    children: list[Node] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    """Candidates written from here to their ends: itself, or roll-outs."""
    closed: bool = False
    """Nothing new can be written below it."""

    @property
    def mean(self) -> float:
        """Q: the mean of what was backed up; 0 before the first visit."""
        return self.total / self.visits if self.visits else 0.0

    def candidates(self) -> Iterator[tuple[int, float]]:
        """Yield (candidate, visits of the node that wrote it) of it and all below."""
        for index in self.found:
            yield index, float(self.visits)
        for child in self.children:
            yield from child.candidates()


def grow(node: Node, children: list[Node]) -> None:
    """Give a node its children; close it, and those above it, if all of them are finished."""
    node.children = children
    for child in children:
        child.closed = child.draft.finish is not None
    above: Node | None = node
    while above is not None and all(child.closed for child in above.children):
        above.closed = True
        above = above.parent


def select(node: Node, rule: Rule, c: float) -> Node:
    """Return the child that a rule goes on with."""
    key = _RULES[rule]
    return max(node.children, key=lambda child: key(child, node.visits, c))


def descend(root: Node, rule: Rule, c: float) -> Node:
    """Return the leaf that a rule leads to."""
    while root.children:
        root = select(root, rule, c)
    return root


def back_up(leaf: Node, value: float) -> None:
    """Count a visit of this value in the leaf and in all above it."""
    node: Node | None = leaf
    while node is not None:
        node.visits += 1
        node.total += value
        node = node.parent


def most_visited_path(root: Node) -> list[Node]:
    """Return the nodes from the root to a leaf that were visited most; ties: the better mean."""
    path = [root]
    while path[-1].children:
        path.append(max(path[-1].children, key=lambda child: (child.visits, child.mean)))
    return path


def most_visited(root: Node) -> tuple[tuple[int, float], ...]:
    """Return the candidates at the end of the most visited path, each with its node's visits.

    Ties: the better mean, then the first. Where nothing was finished at the end of the path, its
    last node with a finished candidate below it speaks.
    """
    for node in reversed(most_visited_path(root)):
        ballot = tuple(node.candidates())
        if ballot:
            return ballot
    return ()


def _uct(child: Node, visits: int, c: float) -> tuple[int, float]:
    if not child.visits:
        return 1, 0.0
    return 0, child.mean + c * math.sqrt(math.log(visits) / child.visits)


def _puct(child: Node, visits: int, c: float) -> tuple[int, float]:
    rate = c + math.log((visits + _ALPHAZERO + 1) / _ALPHAZERO)
    known = child.mean if child.visits else child.value or 0.0
    return 0, known + rate * child.prior * math.sqrt(visits) / (1 + child.visits)


def _rest(child: Node, visits: int, c: float) -> tuple[int, float]:
    if not child.visits:
        return 1, child.value or 0.0
    return 0, child.mean + c * math.sqrt(2.0 * math.log(visits) / child.visits)


_RULES: dict[Rule, Callable[[Node, int, float], tuple[int, float]]] = {
    "uct": _uct,
    "puct": _puct,
    "rest": _rest,
}
