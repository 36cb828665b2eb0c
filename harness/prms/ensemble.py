"""``ensemble:A+B+…`` joins PRMs: every step gets the mean, the least or a vote of their scores.

``combine=mean`` (default) · ``min`` · ``vote``: the share of members whose score is at least their
own threshold. Members are catalogue names or specs in brackets: ``ensemble:prm-code+[…]``. All must
score every step; where scores are joined and not votes, all numbers mean the same. Each reads
everything, so tokens add up; operations do not follow from their sum and are not told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Literal, get_args

import numpy as np

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms import aggregate
from harness.prms.prm import Covers, Prm
from harness.types import Json, Judge, Judged, Semantics, Spec, StepScores

Combine = Literal["mean", "min", "vote"]
_MEMBER = re.compile(r"\[([^\[\]]+)\]|([^+\[\]]+)")


class EnsemblePrm:
    """Several PRMs as one.

    Raises:
        ConfigError: fewer than two members, members whose numbers mean different things.
    """

    covers: Covers = "steps"
    architecture: Architecture | None = None

    def __init__(self, spec: Spec, open_: Callable[[str], Prm]) -> None:
        options = Options(spec, "PRM")
        self.spec = spec
        names = [a or b for a, b in _MEMBER.findall(spec.target)]
        if len(names) < 2:
            raise ConfigError(f"PRM {spec.name}: an ensemble has two members or more, as in A+B")
        self._combine: Combine = options.choice("combine", "mean", get_args(Combine))
        self._members = [open_(name) for name in names]
        if why := self._unfit():
            raise ConfigError(f"PRM {spec.name}: these cannot be joined: {why}")
        voting = self._combine == "vote"
        self._semantics = "p_correct" if voting else self._members[0].semantics
        limits = {0.5} if voting else {member.threshold for member in self._members}
        limit = limits.pop() if len(limits) == 1 else None
        self._threshold = options.number_or("threshold", limit, -1e9, 1e9)
        usual = aggregate.declared(self._semantics)
        self._aggregation = options.text("aggregation", usual) or usual
        options.done()
        aggregate.check(self._aggregation, self._semantics)

    def _unfit(self) -> str:
        """Say why the members cannot be joined, if so."""
        for member in self._members:
            if member.covers != "steps":
                return f"{member.spec.name} does not score every step"
            if self._combine == "vote" and member.threshold is None:
                return f"{member.spec.name} names no threshold to vote by"
        if self._combine != "vote" and len({member.semantics for member in self._members}) > 1:
            said = ", ".join(f"{m.spec.name}: {m.semantics}" for m in self._members)
            return f"their numbers mean {said}"
        return ""

    @property
    def semantics(self) -> Semantics:
        """That of the members; a share of votes is a probability."""
        return self._semantics

    @property
    def aggregation(self) -> str:
        """The option's, else that of the semantics."""
        return self._aggregation

    @property
    def threshold(self) -> float | None:
        """The option's, else that of the members, where they agree; half of the votes."""
        return self._threshold

    @property
    def live(self) -> bool:
        """Whether all members are."""
        return all(member.live for member in self._members)

    @property
    def unit_rows(self) -> int:
        """What all members like."""
        return min(member.unit_rows for member in self._members)

    def identity(self) -> dict[str, Json]:
        """The members', and how they are joined."""
        return {
            "adapter": "ensemble",
            "combine": self._combine,
            "members": [member.identity() for member in self._members],
            "votes": [member.threshold for member in self._members]
            if self._combine == "vote"
            else None,
        }

    def describe(self) -> dict[str, Json]:
        """The members'."""
        return {member.spec.name: member.describe() for member in self._members}

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score; see `Prm.judge`. A draft that a member cannot score has no score."""
        replies = [member.judge(requests) for member in self._members]
        return [self._joined(own) for own in zip(*replies, strict=True)]

    def _joined(self, replies: tuple[Judged, ...]) -> Judged:
        """Return one reply of those of all members to one request."""
        drafts = zip(*(reply.scores for reply in replies), strict=True)
        tokens = reduce(add, (reply.tokens for reply in replies))
        return Judged(tuple(map(self._score, drafts)), tokens)

    def _score(self, own: tuple[StepScores | None, ...]) -> StepScores | None:
        known = [one for one in own if one is not None and one.values]
        if len(known) < len(own):
            return None
        rows = np.array([one.values for one in known])
        match self._combine:
            case "mean":
                values = rows.mean(axis=0)
            case "min":
                values = rows.min(axis=0)
            case "vote":
                limits = np.array([[member.threshold] for member in self._members], float)
                values = (rows >= limits).mean(axis=0)
        sizes = [one.tokens for one in known if one.tokens is not None]
        tokens = sum(sizes) if len(sizes) == len(known) else None
        return StepScores(
            tuple(values.tolist()),
            self._semantics,
            truncated=any(one.truncated for one in known),
            tokens=tokens,
        )

    def remember(self, on: bool) -> None:
        """As each member does."""
        for member in self._members:
            member.remember(on)

    def close(self) -> None:
        """Close all members."""
        for member in self._members:
            member.close()
