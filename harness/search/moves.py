"""The moves of a search: what its generator may yield, and typed helpers that yield for it.

A method is a generator function ``method(setting, options) -> Search``. It yields requests and gets
their replies; it knows no engine, clock, budget or file. A helper is used as
``drafts = yield from extend(setting, drafts)``.

========  =======================================  ==============================================
yields    gets back                                helper
========  =======================================  ==============================================
Extend    Extended: longer drafts                  `extend`, `alternatives`
Judge     Judged: step scores                      `judge`, `look_ahead`
Agree     Agreed: classes of equal answers         `agree`
Report    None                                     `report`
========  =======================================  ==============================================

A `Report` hands over finished candidates, or a new ballot among those handed over: it marks a place
on the anytime curve. Whatever a search has reported when its budget ends is its result, so a method
reports each candidate as soon as it has it.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from harness.search.setting import Setting
from harness.types import (
    Agree,
    Agreed,
    Cut,
    Draft,
    Extend,
    Extended,
    Found,
    Judge,
    Judged,
    StepScores,
)

UNSCORED = -math.inf
"""The score of a draft of which the PRM says nothing (one without steps): the worst there is."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a search hands over: finished candidates, a ballot, numbers about itself."""

    found: tuple[Found, ...] = ()
    ballot: tuple[tuple[int, float], ...] | None = None
    """See `Mark.ballot`; indices count all candidates that the search has handed over."""
    notes: Mapping[str, float] = field(default_factory=dict)
    """Replace earlier notes of the same name."""


Request: TypeAlias = Extend | Judge | Agree | Report
Search: TypeAlias = Generator[Request, Any, None]
T = TypeVar("T")
Move: TypeAlias = Generator[Request, Any, T]


@dataclass(frozen=True, slots=True)
class Scored:
    """A draft with what the PRM said of it."""

    draft: Draft
    scores: StepScores | None
    """None where the PRM says nothing, or a critic nothing that holds a verdict."""
    score: float
    """Aggregated; `UNSCORED` without scores."""

    @property
    def last(self) -> float | None:
        """The last step's own score."""
        return self.scores.values[-1] if self.scores is not None else None


def extend(
    setting: Setting,
    drafts: Sequence[Draft],
    *,
    whole: bool = False,
    temperature: float | None = None,
    cut: Cut | None = None,
    logprobs: bool = False,
) -> Move[tuple[Draft, ...]]:
    """Continue drafts by one step each (or, if `whole`, to the end); none: nothing is asked.

    Args:
        setting: of the search.
        drafts: unfinished ones.
        whole: to the end.
        temperature: other than the setting's.
        cut: other than the setting's.
        logprobs: whether log-probabilities of tokens are wanted.
    """
    if not drafts:
        return ()
    sampling = setting.sampling
    if temperature is not None:
        sampling = replace(sampling, temperature=temperature)
    where = None if whole else cut or setting.cut
    request = Extend(setting.question, tuple(drafts), sampling, where, logprobs=logprobs)
    reply: Extended = yield request
    return reply.drafts


def alternatives(
    setting: Setting, draft: Draft, count: int, *, logprobs: bool = False
) -> Move[tuple[Draft, ...]]:
    """Continue one draft with each of its `count` most probable next tokens, best first."""
    request = Extend(
        setting.question, (draft,), setting.sampling, alternatives=count, logprobs=logprobs
    )
    reply: Extended = yield request
    return reply.drafts


def judge(setting: Setting, drafts: Sequence[Draft]) -> Move[tuple[Scored, ...]]:
    """Score drafts; none: nothing is asked."""
    if not drafts:
        return ()
    reply: Judged = yield Judge(setting.question, tuple(drafts))
    known = [scores if scores is not None and scores.values else None for scores in reply.scores]
    return tuple(
        Scored(draft, scores, UNSCORED if scores is None else setting.aggregate(scores))
        for draft, scores in zip(drafts, known, strict=True)
    )


def look_ahead(setting: Setting, drafts: Sequence[Draft], steps: int) -> Move[tuple[Scored, ...]]:
    """Score drafts by where `steps` further greedy steps lead them; those steps do not stay.

    Finished drafts, and all drafts if `steps` is 0, are scored as they are. Source: Snell et al.
    2024, arXiv 2408.03314, section 5.2.
    """
    if not steps:
        return (yield from judge(setting, drafts))
    seen = list(drafts)
    for _ in range(steps):
        going = [i for i, draft in enumerate(seen) if draft.finish is None]
        longer = yield from extend(setting, [seen[i] for i in going], temperature=0.0)
        for i, draft in zip(going, longer, strict=True):
            seen[i] = draft
    scored = yield from judge(setting, seen)
    return tuple(replace(one, draft=draft) for one, draft in zip(scored, drafts, strict=True))


def agree(setting: Setting, drafts: Sequence[Draft]) -> Move[tuple[int, ...]]:
    """Return the class of each finished draft's answer, -1 for none; none: nothing is asked."""
    if not drafts:
        return ()
    reply: Agreed = yield Agree(setting.question, tuple(drafts))
    return reply.classes


def report(
    *found: Found,
    ballot: Sequence[tuple[int, float]] | None = None,
    notes: Mapping[str, float] | None = None,
) -> Move[None]:
    """Hand over candidates, a ballot or notes."""
    yield Report(found, None if ballot is None else tuple(ballot), notes or {})


def candidate(scored: Scored, group: int = 0) -> Found:
    """Return a scored draft as a candidate. `Found.weight` is its plain score: the driver turns it
    into a vote weight where candidates vote."""
    return Found(scored.draft, scored.score, group)
