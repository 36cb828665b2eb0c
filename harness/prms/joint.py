"""What PRMs that are made of several have in common: members that each read everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add

from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms import aggregate
from harness.prms.prm import Covers, Prm, check_alone
from harness.types import Json, Judge, Judged, Semantics, Spec, StepScores, Tokens

_MEMBER = re.compile(r"\[([^\[\]]+)\]|([^+\[\]]+)")


def members(target: str) -> list[str]:
    """Return the PRMs that ``A+B`` or ``[A,key=value]+B`` names."""
    return [a or b for a, b in _MEMBER.findall(target)]


class Joint:
    """Several PRMs. Tokens add up; operations do not follow from their sum and are not told.

    Options of all: ``aggregation``, ``threshold``.

    Raises:
        ConfigError: fewer than two members, one that does not score every step.
    """

    covers: Covers = "steps"
    architecture: Architecture | None = None
    semantics: Semantics
    aggregation: str
    threshold: float | None

    def __init__(self, spec: Spec, open_: Callable[[str], Prm]) -> None:
        self.spec = spec
        names = members(spec.target)
        if len(names) < 2:
            way = f"{spec.adapter}:A+B"
            raise ConfigError(f"PRM {spec.name}: it has two members or more, as in {way}")
        self._members = [open_(name) for name in names]
        for member in self._members:
            check_alone(member, f"{spec.adapter}:")
            if member.covers != "steps":
                raise self._unfit(f"{member.spec.name} does not score every step")

    def _declare(
        self, options: Options, semantics: Semantics, aggregation: str, threshold: float | None
    ) -> None:
        """Say what the joint numbers mean, and take what is usual where no option says otherwise.

        Raises:
            ConfigError: an option that is none, an aggregation that the numbers forbid.
        """
        self.semantics = semantics
        self.aggregation = options.text("aggregation", None) or aggregation
        self.threshold = options.number_or("threshold", threshold, -1e9, 1e9)
        options.done()
        aggregate.check(self.aggregation, semantics)

    def _unfit(self, why: str) -> ConfigError:
        """Return what says why these members cannot be joined."""
        return ConfigError(f"PRM {self.spec.name}: these cannot be joined: {why}")

    @property
    def live(self) -> bool:
        """Whether all members are."""
        return all(member.live for member in self._members)

    @property
    def unit_rows(self) -> int:
        """What all members like."""
        return min(member.unit_rows for member in self._members)

    def describe(self) -> dict[str, Json]:
        """The members'."""
        return {member.spec.name: member.describe() for member in self._members}

    def load(self) -> None:
        """Load all members."""
        for member in self._members:
            member.load()

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score; see `Prm.judge`. A draft that a member cannot score has no score."""
        replies = [member.judge(requests) for member in self._members]
        return [self._reply(own) for own in zip(*replies, strict=True)]

    def _reply(self, replies: tuple[Judged, ...]) -> Judged:
        """Return one reply of those of all members to one request."""
        drafts = zip(*(reply.scores for reply in replies), strict=True)
        tokens: Tokens = reduce(add, (reply.tokens for reply in replies))
        return Judged(tuple(map(self._score, drafts)), tokens)

    def _score(self, own: tuple[StepScores | None, ...]) -> StepScores | None:
        """Return the score of a draft from those of the members."""
        raise NotImplementedError

    def remember(self, on: bool) -> None:
        """As each member does."""
        for member in self._members:
            member.remember(on)

    def close(self) -> None:
        """Close all members."""
        for member in self._members:
            member.close()


def tokens_of(scores: Sequence[StepScores]) -> int | None:
    """Return the tokens that members read together, None if one does not say."""
    sizes = [one.tokens for one in scores if one.tokens is not None]
    return sum(sizes) if len(sizes) == len(scores) else None
