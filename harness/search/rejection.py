"""Speculative rejection: n solutions are begun, and the worst are given up while they are written.

After some steps the PRM scores what is there, and the worse part is not written any further; the
rest is looked at again when it is as much longer as it is fewer, until one is left. Where half are
rejected: after 2, 4, 8 … steps. (Sun et al. 2024, arXiv 2410.20290, where a look is due when
memory is full: half as many solutions fill it at twice the length.)

The one that is left is the answer, though others may have ended before they were given up. No
solution is ever continued in two ways, so the search can be replayed on solutions that were written
to their ends: `harness.stats.speculative_rejection` does.
"""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from pydantic import Field

from harness.search.moves import UNSCORED, Move, Scored, Search, candidate, extend, judge, report
from harness.search.options import ScoredOptions
from harness.search.setting import Setting
from harness.types import Draft


class Look(NamedTuple):
    """One look at all that are still written."""

    steps: int
    """How many steps each has by then, if it has not ended."""
    kept: int
    """How many of the best go on."""


class RejectionOptions(ScoredOptions):
    """Options of speculative rejection."""

    first: int = Field(2, ge=1, description="steps that each solution has at the first look")
    reject: float = Field(0.5, gt=0, lt=1, description="share that a look rejects; one at least")


def looks(n: int, options: RejectionOptions) -> tuple[Look, ...]:
    """Return when n solutions are looked at, and how many are kept; none for a single one."""
    found, steps = list[Look](), options.first
    while n > 1:
        n = max(1, min(n - 1, round((1 - options.reject) * n)))
        found.append(Look(steps, n))
        steps = ceil(steps / (1 - options.reject))
    return tuple(found)


def speculative_rejection(setting: Setting, options: RejectionOptions) -> Search:
    """Write n solutions, fewer and fewer of them to their ends; the last one left is the answer."""
    ranked = (Scored(Draft(), None, UNSCORED),) * setting.n
    ended: list[Draft] = []
    written = 0
    for look in looks(setting.n, options):
        ranked = yield from _longer(setting, ranked, look.steps - written, ended)
        written = look.steps
        order = sorted(range(len(ranked)), key=lambda i: -ranked[i].score)[: look.kept]
        ranked = tuple(ranked[i] for i in sorted(order))
    (last,) = yield from _longer(setting, ranked, None, ended)
    yield from report(ballot=[(ended.index(last.draft), last.score)])


def _longer(
    setting: Setting, ranked: tuple[Scored, ...], steps: int | None, ended: list[Draft]
) -> Move[tuple[Scored, ...]]:
    """Write so many steps more of what has not ended (None: to the end), report what has then."""
    going = [i for i, one in enumerate(ranked) if one.draft.finish is None]
    drafts = {i: ranked[i].draft for i in going}
    for _ in range(steps or 1):
        owed = [i for i in going if drafts[i].finish is None]
        longer = yield from extend(setting, [drafts[i] for i in owed], whole=steps is None)
        drafts.update(zip(owed, longer, strict=True))
    scored = list(ranked)
    judged = yield from judge(setting, list(drafts.values()))
    for i, one in zip(going, judged, strict=True):
        scored[i] = one
    new = [scored[i] for i in going if scored[i].draft.finish]
    if new:
        ended += [one.draft for one in new]
        yield from report(*map(candidate, new))
    return tuple(scored)
