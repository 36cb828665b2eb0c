"""``ensemble:A+B+…`` joins PRMs: every step gets the mean, the least or a vote of their scores.

``combine=mean`` (default) · ``min`` · ``vote``: the share of members whose score is at least
``threshold`` (0.5). Members are catalogue names or specs in brackets: ``ensemble:prm-code+[…]``.
All must score every step, and all numbers mean the same. Each reads everything: tokens add up.
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

    def __init__(self, spec: Spec, open_: Callable[[str], Prm]) -> None:
        options = Options(spec, "PRM")
        self.spec = spec
        names = [a or b for a, b in _MEMBER.findall(spec.target)]
        if len(names) < 2:
            raise ConfigError(f"PRM {spec.name}: an ensemble has two members or more, as in A+B")
        self._combine: Combine = options.choice("combine", "mean", get_args(Combine))
        self._threshold = options.number("threshold", 0.5, -1e9, 1e9)
        self._members = [open_(name) for name in names]
        meanings = {member.semantics for member in self._members}
        partial = [member.spec.name for member in self._members if member.covers != "steps"]
        if len(meanings) > 1 or partial:
            why = (
                f"{partial[0]} does not score every step"
                if partial
                else "their numbers mean "
                + (", ".join(f"{m.spec.name}: {m.semantics}" for m in self._members))
            )
            raise ConfigError(f"PRM {spec.name}: these cannot be joined: {why}")
        self._semantics = "p_correct" if self._combine == "vote" else self._members[0].semantics
        usual = aggregate.declared(self._semantics)
        self._aggregation = options.text("aggregation", usual) or usual
        options.done()
        aggregate.check(self._aggregation, self._semantics)

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
        """That of the members, where they agree; half of the votes."""
        own = {member.threshold for member in self._members}
        return 0.5 if self._combine == "vote" else own.pop() if len(own) == 1 else None

    @property
    def live(self) -> bool:
        """Whether all members are."""
        return all(member.live for member in self._members)

    @property
    def architecture(self) -> Architecture | None:
        """What a token costs, where it costs all members the same; else unknown."""
        shapes = {member.architecture for member in self._members}
        return shapes.pop() if len(shapes) == 1 else None

    @property
    def unit_rows(self) -> int:
        """What all members like."""
        return min(member.unit_rows for member in self._members)

    def identity(self) -> dict[str, Json]:
        """The members', and how they are joined."""
        return {
            "adapter": "ensemble",
            "combine": self._combine,
            "threshold": self._threshold if self._combine == "vote" else None,
            "members": [member.identity() for member in self._members],
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
        known = [one for one in own if one is not None]
        if len(known) < len(own):
            return None
        rows = np.array([one.values for one in known])
        match self._combine:
            case "mean":
                values = rows.mean(axis=0)
            case "min":
                values = rows.min(axis=0)
            case "vote":
                values = (rows >= self._threshold).mean(axis=0)
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
