"""``ensemble:A+B+…`` joins PRMs: every step gets the mean, the least or a vote of their scores.

``combine=mean`` (default) · ``min`` · ``vote``: the share of members whose score is at least their
own threshold. Members are catalogue names or specs in brackets: ``ensemble:prm-code+[…]``. All must
score every step; where scores are joined and not votes, all numbers mean the same. Each reads
everything, so tokens add up; operations do not follow from their sum and are not told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np

from harness.adapters.options import Options
from harness.prms import aggregate
from harness.prms.joint import Joint, tokens_of
from harness.prms.prm import Prm
from harness.types import Json, Spec, StepScores

Combine = Literal["mean", "min", "vote"]


class EnsemblePrm(Joint):
    """Several PRMs as one.

    Raises:
        ConfigError: fewer than two members, members whose numbers mean different things or that
            name no threshold to vote by.
    """

    def __init__(self, spec: Spec, open_: Callable[[str], Prm]) -> None:
        options = Options(spec, "PRM")
        self._combine: Combine = options.choice("combine", "mean", get_args(Combine))
        super().__init__(spec, open_)
        self._check()
        voting = self._combine == "vote"
        # A share of votes is a probability, and half of them are a majority.
        semantics = "p_correct" if voting else self._members[0].semantics
        limits = {0.5} if voting else {member.threshold for member in self._members}
        limit = limits.pop() if len(limits) == 1 else None
        self._declare(options, semantics, aggregate.declared(semantics), limit)

    def _check(self) -> None:
        """Refuse members that cannot be joined in this way."""
        if self._combine == "vote":
            for member in self._members:
                if member.threshold is None:
                    raise self._unfit(f"{member.spec.name} names no threshold to vote by")
        elif len({member.semantics for member in self._members}) > 1:
            said = ", ".join(f"{m.spec.name}: {m.semantics}" for m in self._members)
            raise self._unfit(f"their numbers mean {said}")

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
        return StepScores(
            tuple(values.tolist()),
            self.semantics,
            truncated=any(one.truncated for one in known),
            tokens=tokens_of(known),
        )
