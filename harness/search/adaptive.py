"""Best of N with as many candidates as the problem needs: stop when the answers agree.

Candidates are drawn in small batches. Let the two largest classes of answers have a and b members;
with a uniform prior on the share p of the first among these two, p is Beta(a + 1, b + 1). Drawing
stops when P(p > 1/2), the chance that the first stays ahead, exceeds the threshold. Source:
Aggarwal et al. 2023, arXiv 2305.11860 (Adaptive-Consistency, its Beta criterion).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb

from pydantic import Field

from harness.search.moves import Search, agree, candidate, extend, judge, report
from harness.search.options import SearchOptions
from harness.search.setting import Setting
from harness.types import Draft, Found


class AdaptiveOptions(SearchOptions):
    """Options of adaptive best-of-N."""

    batch: int = Field(1, ge=1, description="candidates drawn between two looks at the answers")
    threshold: float = Field(
        0.95, gt=0.5, le=1, description="stop when the leading answer stays ahead with this chance"
    )


def adaptive_best_of_n(setting: Setting, options: AdaptiveOptions) -> Search:
    """Draw until the answers agree, or n are there."""
    drafts: list[Draft] = []
    while len(drafts) < setting.n:
        count = min(options.batch, setting.n - len(drafts))
        new = yield from extend(setting, [Draft()] * count, whole=True)
        drafts += new
        if options.choice == "majority":
            found = [Found(draft, 1.0) for draft in new]
        else:
            found = [candidate(one) for one in (yield from judge(setting, new))]
        yield from report(*found, notes={"drawn": len(drafts)})
        if len(drafts) == setting.n:
            return
        classes = yield from agree(setting, drafts)
        if stays_ahead(classes) > options.threshold:
            return


def stays_ahead(classes: Sequence[int]) -> float:
    """Return the posterior chance that the leading class beats the second; 1/2 without answers.

    P(Beta(a + 1, b + 1) > 1/2) = P(Binomial(a + b + 1, 1/2) <= a): exact for whole numbers.
    """
    counts = [count for _, count in Counter(c for c in classes if c >= 0).most_common(2)]
    a, b = [*counts, 0, 0][:2]
    trials = a + b + 1
    return float(sum(comb(trials, k) for k in range(a + 1)) / 2.0**trials)
