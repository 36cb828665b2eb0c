"""Diverse verifier tree search: independent subtrees, each following its best step.

``n // width`` subtrees share n children as evenly as can be. In each round a subtree writes its
children and goes on with the best of them; when that one is finished, all its finished siblings are
candidates. Source: Beeching et al. 2024, huggingface/search-and-learn.
"""

from __future__ import annotations

from pydantic import Field

from harness.search.moves import Search, candidate, extend, look_ahead, report
from harness.search.options import StepOptions
from harness.search.setting import Setting
from harness.types import Draft, Found


class DvtsOptions(StepOptions):
    """Options of DVTS."""

    width: int = Field(4, ge=1, description="children of a subtree's node; n // width subtrees")
    lookahead: int = Field(
        0, ge=0, description="greedy steps that a child is continued by, only to score it"
    )

    def smallest(self) -> int:
        """One subtree."""
        return self.width


def dvts(setting: Setting, options: DvtsOptions) -> Search:
    """Search in subtrees; all of one problem are written and scored in one request a round."""
    count = max(1, setting.n // options.width)
    widths = [setting.n // count + (group < setting.n % count) for group in range(count)]
    tips = dict.fromkeys(range(count), Draft())
    for step in range(1, options.max_steps + 1):
        groups = [group for group in tips for _ in range(widths[group])]
        drafts = [tips[group] for group in groups]
        grown = yield from extend(setting, drafts, whole=step == options.max_steps)
        scored = yield from look_ahead(setting, grown, options.lookahead)
        found: list[Found] = []
        for group in list(tips):
            children = [one for one, own in zip(scored, groups, strict=True) if own == group]
            best = max(children, key=lambda one: one.score)
            if best.draft.finish is None:
                tips[group] = best.draft
                continue
            del tips[group]
            found += [candidate(one, group) for one in children if one.draft.finish]
        if found:
            yield from report(*found, notes={"steps": step})
        if not tips:
            return
