"""The contract of PRMs: what every adapter that scores steps owes to the rest.

A PRM sees the question and the drafts, never the reference. One adapter alone is told the truth,
the fake oracle, and it gets it through its constructor (`harness.prms.fake`): no request carries
it.

**One score per step.** A reply holds, for each draft, exactly one finite number per step, or None
where the PRM has no score to give (a recorded file that does not cover the draft, a draft without
steps, a draft that is too long for a PRM told to skip such). In a `blind` request a recording gives
what it has for drafts whose text nobody knows. Only a PRM whose ``covers`` is
``prefix`` may give fewer numbers than steps, and only first-error metrics accept it; one that is
``whole`` gives a single number per draft, one that is ``own`` any number of them, neither of which
a first-error metric accepts.

**Two by two.** A PRM whose ``covers`` is ``pair`` judges the drafts of a request in pairs, the
first with the second, the third with the fourth (`in_pairs`): a single number per draft, the chance
that it is the better one, so that the two of a pair add up to 1. Such a number says nothing of its
draft alone, so only those take it that compare: the method ``tournament``, and tasks whose problems
bring two solutions.

A critic, which writes before it judges, may write nothing that holds a verdict. Then there are no
numbers and `StepScores.unparsed` is 1: it was asked and paid for, and metrics take it as wrong. Of
a pair without a verdict both have 1/2.

**Determinism.** As for policies: the reply depends on the requests of the call alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeVar, runtime_checkable

from harness.cost import Architecture
from harness.errors import ConfigError
from harness.types import Draft, Json, Judge, Judged, Semantics, Spec, StepScores

Covers = Literal["steps", "prefix", "whole", "own", "pair"]
"""Which steps get a score: all · those up to (and with) the first wrong one · none of them, but the
solution as a whole gets one · none of them, but those of another way to cut the solution · none of
them, but each of two solutions gets one against the other."""

T = TypeVar("T")


@runtime_checkable
class Prm(Protocol):
    """A model or a file that scores the steps of drafts."""

    @property
    def spec(self) -> Spec:
        """What it was opened from."""
        ...

    @property
    def semantics(self) -> Semantics:
        """What its numbers mean; decides which aggregations are legal."""
        ...

    @property
    def aggregation(self) -> str:
        """How its step scores become one score, declared before any result was seen."""
        ...

    @property
    def threshold(self) -> float | None:
        """The score below which a step is called wrong, declared before any result was seen; None
        where no number can be named beforehand."""
        ...

    @property
    def covers(self) -> Covers:
        """``steps``: one score per step. ``prefix``: possibly fewer. ``whole``: one in all.
        ``own``: one per step of its own. ``pair``: one in all, against another draft."""
        ...

    @property
    def live(self) -> bool:
        """Whether it can score any draft, as steering a search needs; a recording cannot."""
        ...

    @property
    def architecture(self) -> Architecture | None:
        """What a token costs; None where it is unknown."""
        ...

    @property
    def unit_rows(self) -> int:
        """Drafts that it likes to get in one call. It changes speed only."""
        ...

    def identity(self) -> dict[str, Json]:
        """Everything that decides its scores, and nothing else; see `Policy.identity`."""
        ...

    def describe(self) -> dict[str, Json]:
        """Facts for the provenance record that decide nothing."""
        ...

    def load(self) -> None:
        """Load what it works with, before any clock runs; see `Policy.load`."""
        ...

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score every draft of each request; replies come in the order of the requests.

        `Judged.tokens`: ``calls`` drafts scored, ``prefill_logical`` tokens of their inputs (prompt
        and steps) as if drafts shared nothing, ``prefill_computed`` those that went through the
        model (equal drafts of a request go once), ``decode`` tokens generated; each counted once
        for every model that reads.

        Raises:
            ValueError: a draft with an empty step, an odd number of drafts to judge in pairs.
            UserError: scores that do not fit the draft, an input that is too long.
            InfrastructureError: the engine failed; nothing of the call counts.
        """
        ...

    def remember(self, on: bool) -> None:
        """Keep what it reads from now on, to continue a draft where it was read before; or forget.

        It changes speed, `prefill_computed` and last bits of floating-point numbers only. PRMs
        that cannot profit ignore it.
        """
        ...

    def close(self) -> None:
        """Give back memory and processes; calling it twice is allowed."""
        ...


def check_steps(request: Judge) -> None:
    """Refuse a request with an empty step.

    Raises:
        ValueError: says which.
    """
    for draft in request.drafts:
        if not all(draft.steps):
            number = draft.steps.index("")
            raise ValueError(f"step {number} of a draft of {request.question.id!r} is empty")


def check_fit(
    scores: StepScores, draft: Draft, covers: Covers, where: str, blind: bool = False
) -> StepScores:
    """Return `scores` if they fit the draft's steps; of a `blind` draft nobody knows how many.

    Raises:
        ValueError: not exactly one score per step (``steps``), more scores than steps or none at
            all (``prefix``), not exactly one (``whole``, ``pair``), none at all (``own``).
    """
    given = len(scores.values)
    if not given and scores.unparsed == 1:
        return scores
    steps = given if blind and not draft.steps else len(draft.steps)
    fits = {
        "steps": given == steps,
        "prefix": 0 < given <= steps,
        "whole": given == 1,
        "own": given > 0,
        "pair": given == 1,
    }
    if not fits[covers]:
        raise ValueError(f"{where}: {given} scores for {steps} steps")
    return scores


def in_pairs(drafts: Sequence[T]) -> list[tuple[T, T]]:
    """Return the pairs in which a PRM that ``covers`` pairs judges the drafts of a request.

    Raises:
        ValueError: one is left over.

    >>> in_pairs("abcd")
    [('a', 'b'), ('c', 'd')]
    """
    if len(drafts) % 2:
        raise ValueError(f"{len(drafts)} drafts cannot be judged two by two")
    return list(zip(drafts[::2], drafts[1::2], strict=True))


def check_alone(prm: Prm, what: str) -> None:
    """Refuse a PRM that judges in pairs for `what` needs a score of each solution.

    Raises:
        ConfigError: says what such a PRM is for.
    """
    if prm.covers == "pair":
        raise ConfigError(
            f"PRM {prm.spec.name} judges solutions two by two (covers=pair), and {what} needs a "
            "score of each; run it with --method tournament, or choose another PRM"
        )
