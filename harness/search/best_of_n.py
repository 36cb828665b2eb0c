"""Methods that write whole solutions and then choose: one, the most agreed upon, the best scored.

On pools their accuracy is computed exactly (`harness.stats`); as searches they serve where a pool
cannot: measuring the latency of one problem alone.
"""

from __future__ import annotations

from harness.search.moves import Search, candidate, extend, judge, report
from harness.search.options import Options
from harness.search.setting import Setting
from harness.types import Draft, Found


def greedy(setting: Setting, options: Options) -> Search:
    """Write one solution at temperature 0."""
    for draft in (yield from extend(setting, [Draft()], whole=True, temperature=0.0)):
        yield from report(Found(draft, 1.0))


def majority(setting: Setting, options: Options) -> Search:
    """Write n solutions; the answer that most agree on (Wang et al. 2022, arXiv 2203.11171)."""
    drafts = yield from extend(setting, [Draft()] * setting.n, whole=True)
    yield from report(*(Found(draft, 1.0) for draft in drafts))


def best_of_n(setting: Setting, options: Options) -> Search:
    """Write n solutions and score each (Lightman et al. 2023, arXiv 2305.20050)."""
    drafts = yield from extend(setting, [Draft()] * setting.n, whole=True)
    scored = yield from judge(setting, drafts)
    yield from report(*map(candidate, scored))
