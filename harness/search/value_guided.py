"""Value-guided decoding: greedy, but where the policy is unsure the PRM chooses the next token.

Wherever the greedy token has a probability below the threshold, the n most probable tokens are
tried in its place, the PRM scores the text with each, and the best one stays (ties: the more
probable). Source: AdaptiveStep's TVD, arXiv 2502.13943.

Its code decodes token by token. Here the policy writes greedily until it is unsure (``Cut``), which
gives the same text: a greedy token depends on the text before it alone. A cut never falls before
the first token of a step; where that one turns out to be unsure, the step is written for nothing
(and paid for), and the PRM chooses in its place.
"""

from __future__ import annotations

import math

from pydantic import Field

from harness.errors import ConfigError
from harness.search.moves import Move, Search, alternatives, candidate, extend, judge, report
from harness.search.options import ScoredOptions
from harness.search.setting import Setting
from harness.types import Cut, Draft


class ValueGuidedOptions(ScoredOptions):
    """Options of value-guided decoding."""

    threshold: float = Field(
        0.55,
        gt=0,
        le=1,
        description="greedy tokens of a lower probability are looked at (source: 0.55 for "
        "mathematics, 0.28 for code)",
    )


def value_guided(setting: Setting, options: ValueGuidedOptions) -> Search:
    """Decode greedily, guided where the policy is unsure; one token to choose from is greedy."""
    if setting.n == 1:
        drafts = yield from extend(setting, [Draft()], whole=True, temperature=0.0)
        (last,) = yield from judge(setting, drafts)
        yield from report(candidate(last), notes={"looks": 0})
        return
    draft, looks = Draft(), 0
    while True:
        draft = yield from _sure(setting, draft, options.threshold)
        if draft.finish is not None:
            (last,) = yield from judge(setting, [draft])
            break
        tried = yield from alternatives(setting, draft, setting.n, logprobs=True)
        last = max((yield from judge(setting, tried)), key=lambda one: one.score)
        draft = last.draft
        looks += 1
        if draft.finish is not None:
            break
    yield from report(candidate(last), notes={"looks": looks})


def _sure(setting: Setting, draft: Draft, threshold: float) -> Move[Draft]:
    """Return the draft, longer by all the greedy tokens that the policy is sure of."""
    (longer,) = yield from extend(
        setting, [draft], temperature=0.0, cut=Cut(confidence=threshold), logprobs=True
    )
    if longer.logprobs is None:
        raise ConfigError("value_guided needs log-probabilities, and the policy gives none")
    new = longer.logprobs[len(draft.logprobs or ()) :]
    return draft if new and new[0] < math.log(threshold) else longer
