"""Monte-Carlo tree search over steps: select a leaf, expand it, value it, back the value up.

One iteration descends by the selection rule (`harness.search.tree`) to a leaf. A leaf that was
visited before is expanded first, and the rule goes on to one of its children; so each new node is
valued at its first visit and grows at its second. The value is the PRM's score (``prm``), the
score of one solution written from there to the end (``rollout``), or ``(1 - α)`` of the one and α
of the other (``mix``). A finished leaf that is reached again is backed up again with the score it
has: nothing is written.

Candidates are all solutions that get finished, children that end and roll-outs, each reported at
once. The search ends with the n-th of them, when nothing is left to write, or after ``iterations``
per candidate asked for; if nothing is finished then, the end of the most visited path is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from pydantic import Field

from harness.policies.policy import Ability
from harness.prms.aggregate import sigmoid
from harness.search.beam import distinct
from harness.search.moves import (
    UNSCORED,
    Move,
    Scored,
    Search,
    candidate,
    extend,
    judge,
    report,
)
from harness.search.options import ScoredOptions
from harness.search.setting import Setting
from harness.search.shares import softmax
from harness.search.tree import (
    CONSTANTS,
    Node,
    Rule,
    back_up,
    descend,
    grow,
    most_visited,
    most_visited_path,
    select,
)
from harness.types import Choice, Draft, Semantics


class MctsOptions(ScoredOptions):
    """Options of MCTS."""

    selection: Rule = Field("uct", description="rule by which a child is selected")
    value: Literal["prm", "rollout", "mix"] = Field(
        "rollout", description="where a leaf's value comes from"
    )
    alpha: float = Field(0.5, ge=0, le=1, description="share of the roll-out, with value=mix")
    children: int = Field(4, ge=1, description="steps written for a node; equal ones count once")
    c: float | None = Field(
        None, ge=0, description="weight of exploration; none: uct 1.414, puct 1.25, rest 0.7"
    )
    prior: Literal["uniform", "policy"] = Field(
        "uniform",
        description="puct's P: equal, or by the mean log-probability of the step's tokens",
    )
    depth: int = Field(
        40, ge=1, description="steps of a solution at most; the last one is written to the end"
    )
    iterations: int = Field(16, ge=1, description="iterations at most, per candidate asked for")
    final: Literal["best", "visits", "vote"] = Field(
        "best",
        description="the answer: best score, end of the most visited path, or PRM-weighted vote",
    )

    @property
    def choice(self) -> Choice:
        """How candidates are weighed."""
        return "best" if self.final == "best" else "vote"

    def needs(self) -> frozenset[Ability]:
        """The policy's prior needs its log-probabilities."""
        return frozenset({"logprobs"} if self.prior == "policy" else ())


def mcts(setting: Setting, options: MctsOptions) -> Search:
    """Search a tree."""
    yield from _Mcts(setting, options).run()


@dataclass(slots=True)
class _Mcts:
    """A search under way."""

    setting: Setting
    options: MctsOptions
    root: Node = field(default_factory=lambda: Node(Draft()))
    found: int = 0
    nodes: int = 0
    depth: int = 0
    iterations: int = 0
    ballot: tuple[tuple[int, float], ...] = ()

    def run(self) -> Search:
        rule = self.options.selection
        c = CONSTANTS[rule] if self.options.c is None else self.options.c
        yield from self._expand(self.root)
        while self._goes_on():
            self.iterations += 1
            leaf = descend(self.root, rule, c)
            if leaf.visits and leaf.draft.finish is None:
                yield from self._expand(leaf)
                if self.found == self.setting.n:
                    break
                leaf = select(leaf, rule, c)
            back_up(leaf, (yield from self._value(leaf)))
            yield from self._visits()
        if not self.found:
            yield from self._finish(most_visited_path(self.root)[-1])
        yield from report(notes=self._notes())

    def _goes_on(self) -> bool:
        most = self.options.iterations * self.setting.n
        return self.found < self.setting.n and self.iterations < most and not self.root.closed

    def _expand(self, node: Node) -> Move[None]:
        """Write the children of a node; score those that need it."""
        options = self.options
        drafts = yield from extend(
            self.setting,
            [node.draft] * options.children,
            whole=node.depth + 1 >= options.depth,
            logprobs=options.prior == "policy",
        )
        drafts = tuple(distinct(drafts))
        children = [
            Node(draft, node, prior, depth=node.depth + 1)
            for draft, prior in zip(drafts, self._priors(node.draft, drafts), strict=True)
        ]
        grow(node, children)
        self.nodes += len(children)
        self.depth = max(self.depth, node.depth + 1)
        asked = [one for one in children if one.draft.finish or options.value != "rollout"]
        scored = yield from judge(self.setting, [one.draft for one in asked])
        ends: list[tuple[Node, Scored]] = []
        for child, one in zip(asked, scored, strict=True):
            child.value = worth(one.score, self.setting.semantics)
            if child.draft.finish:
                ends.append((child, one))
        yield from self._hand_over(ends)

    def _value(self, leaf: Node) -> Move[float]:
        """Return what a leaf is worth."""
        known = leaf.value or 0.0
        if leaf.draft.finish or self.options.value == "prm":
            return known
        end = yield from self._finish(leaf)
        share = self.options.alpha if self.options.value == "mix" else 1.0
        return (1.0 - share) * known + share * end

    def _finish(self, leaf: Node) -> Move[float]:
        """Write a leaf to its end; return what that is worth."""
        drafts = yield from extend(self.setting, [leaf.draft], whole=True)
        (scored,) = yield from judge(self.setting, drafts)
        yield from self._hand_over([(leaf, scored)])
        return worth(scored.score, self.setting.semantics)

    def _hand_over(self, ends: list[tuple[Node, Scored]]) -> Move[None]:
        """Report candidates, as many as there may be."""
        ends = ends[: self.setting.n - self.found]
        if not ends:
            return
        for place, (node, _) in enumerate(ends):
            node.found.append(self.found + place)
        self.found += len(ends)
        found = [candidate(one) for _, one in ends]
        yield from report(*found, ballot=self._ballot(), notes=self._notes())

    def _visits(self) -> Move[None]:
        """Report a ballot that has changed."""
        before = self.ballot
        now = self._ballot()
        if now is not None and now != before:
            yield from report(ballot=now, notes=self._notes())

    def _ballot(self) -> tuple[tuple[int, float], ...] | None:
        if self.options.final != "visits":
            return None
        self.ballot = most_visited(self.root)
        return self.ballot

    def _notes(self) -> dict[str, float]:
        return {"nodes": self.nodes, "depth": self.depth, "iterations": self.iterations}

    def _priors(self, before: Draft, drafts: tuple[Draft, ...]) -> list[float]:
        """Return P of each child: the softmax of its step's mean log-probability."""
        means = []
        for draft in drafts:
            own = (draft.logprobs or ())[len(before.logprobs or ()) :]
            means.append(sum(own) / len(own) if own else None)
        if self.options.prior == "uniform" or None in means:
            return [1.0 / len(drafts)] * len(drafts)
        return softmax([mean for mean in means if mean is not None])


def worth(score: float, semantics: Semantics) -> float:
    """Return a score on the tree's scale, where constants of exploration have a meaning.

    Probabilities, values and verdicts are on it; rewards and advantages go through the sigmoid, as
    where they vote. A draft of which the PRM says nothing is worth the least there is.
    """
    if score == UNSCORED:
        return -1.0 if semantics == "value" else 0.0
    if semantics in ("reward", "advantage"):
        return float(sigmoid(np.float64(score)))  # type: ignore[arg-type]
    return score
