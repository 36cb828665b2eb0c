"""REBASE: a tree whose leaves share the next steps by the softmax of their rewards.

A depth has W steps to give. Nodes that finished leave and take their share of W with them. The
others, best first, get ``ceil(W · e^(r/T) / Σ e^(r/T))`` of what is left, W and Σ counting only the
nodes not served yet, so that exactly W are given. Source: Wu et al. 2024, arXiv 2408.00724
(thu-wyz/inference_scaling; the paper writes Round, its code does this).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field

from harness.search.moves import Search, candidate, extend, judge, report
from harness.search.options import StepOptions
from harness.search.setting import Setting
from harness.search.shares import effective, softmax
from harness.types import Choice, Draft


class RebaseOptions(StepOptions):
    """Options of REBASE."""

    choice: Choice = Field("vote", description="how the answer is chosen from finished candidates")
    max_steps: int = Field(
        25, ge=1, description="steps of a solution at most; the last one is written to the end"
    )
    temperature: float = Field(
        0.2, gt=0, description="T of the softmax over rewards; small: the best get nearly all"
    )


def rebase(setting: Setting, options: RebaseOptions) -> Search:
    """Search by balanced expansion."""
    left, drafts = setting.n, [Draft()] * setting.n
    sizes: list[float] = []
    for step in range(1, options.max_steps + 1):
        grown = yield from extend(setting, drafts, whole=step == options.max_steps)
        scored = yield from judge(setting, grown)
        done = [one for one in scored if one.draft.finish]
        alive = [one for one in scored if one.draft.finish is None]
        left -= len(done)
        shares = softmax([one.score / options.temperature for one in alive])
        if alive:
            sizes.append(effective(shares) / len(alive))
        notes = {"steps": step, "ess_share": sum(sizes) / len(sizes)} if sizes else {"steps": step}
        if done:
            yield from report(*map(candidate, done), notes=notes)
        if not alive:
            return
        counts = balance(shares, left)
        drafts = [one.draft for one, count in zip(alive, counts, strict=True) for _ in range(count)]


def balance(shares: Sequence[float], width: int) -> list[int]:
    """Return how many of `width` steps each node gets; the first of equal nodes is served first."""
    counts = [0] * len(shares)
    order = sorted(range(len(shares)), key=lambda i: -shares[i])
    rest = [0.0]
    for i in reversed(order):
        rest.append(rest[-1] + shares[i])
    rest.reverse()
    for place, i in enumerate(order):
        if width <= 0:
            break
        share = shares[i] / rest[place] if rest[place] > 0 else 1.0
        # A quotient that is a whole number must not become the next one by its last bit.
        counts[i] = min(width, math.ceil(width * share - 1e-9))
        width -= counts[i]
    return counts
