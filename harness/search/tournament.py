"""Best of N by comparing: whole solutions meet two by two, and the better one goes on.

A single-elimination tournament of n solutions has n - 1 comparisons in about log2(n) rounds; those
of a round are one request. Solutions are drawn independently, so the order in which they were drawn
is a random bracket: neighbours meet, the last one of an odd number waits for the next round.
Source: Zhang et al. 2025, arXiv 2501.07301, appendix B.5.

Two solutions with the same text are not compared: whichever went on, the answer would be the same.
"""

from __future__ import annotations

from harness.search.moves import Search, extend, judge, report
from harness.search.options import Options
from harness.search.setting import Setting
from harness.types import Draft, Found


def tournament(setting: Setting, options: Options) -> Search:
    """Let n solutions meet until one is left; a comparison without a winner is the first's.

    After each round those that are still in share the answer, so a budget that ends the search
    takes one of them at random.
    """
    drafts = yield from extend(setting, [Draft()] * setting.n, whole=True)
    yield from report(*(Found(draft, 1.0) for draft in drafts))
    left = list(range(len(drafts)))
    comparisons = unparsed = 0
    while len(left) > 1:
        pairs = list(zip(left[::2], left[1::2], strict=False))
        asked = [(a, b) for a, b in pairs if drafts[a].text != drafts[b].text]
        scored = yield from judge(setting, [drafts[i] for pair in asked for i in pair])
        lost = {b for _, b in pairs}
        for (a, b), one, other in zip(asked, scored[::2], scored[1::2], strict=True):
            if other.score > one.score:
                lost = lost - {b} | {a}
            unparsed += one.scores is not None and one.scores.unparsed == 1
        left = [i for i in left if i not in lost]
        comparisons += len(asked)
        notes = {"comparisons": comparisons, "unparsed": unparsed}
        yield from report(ballot=[(i, 1.0) for i in left], notes=notes)
