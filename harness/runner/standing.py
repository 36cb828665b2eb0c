"""Where one search stands at a budget of candidates: what it would have answered, and at what cost.

At a budget of n stands the last mark with at most n found (`anytime`), the end of a run of its own
(`runs`), or the mean over seeded subsets of its independent parts (`groups`), at that share of the
cost. An attempt that found nothing is wrong; a winner that is ungraded leaves the problem out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.store.sweepfile import SearchEntry
from harness.types import Attempt, Choice, Grade, Usage

SUBSETS = 64
"""Subsets of independent parts drawn per problem and budget."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one attempt stands at one budget. NaN is unknown."""

    correct: float
    """Expected correctness of its answer; NaN if that is ungraded."""
    share: float
    """Of the attempt's whole cost."""
    usage: Usage
    executions: float


def budgets_of(entry: SearchEntry) -> tuple[int, ...]:
    """Return the budgets at which a search can be looked at."""
    if entry.curve == "runs" or (entry.alone and entry.curve == "groups"):
        return (entry.n,)
    return tuple(sorted({*(2**i for i in range(entry.n.bit_length()) if 2**i <= entry.n), entry.n}))


def stand(
    entry: SearchEntry,
    attempt: Attempt,
    grades: Sequence[Grade],
    budget: int,
    rng: np.random.Generator,
) -> Standing:
    """Return where an attempt stands at a budget of candidates."""
    code = entry.kind.startswith("code")
    if entry.curve == "groups" and budget < entry.n:
        return _part(entry, attempt, grades, budget, rng)
    mark = None
    if entry.curve == "anytime" and budget < entry.n:
        mark = next((m for m in reversed(attempt.marks) if m.found <= budget), None)
        if mark is None and attempt.marks:
            return Standing(math.nan, math.nan, attempt.usage, 0.0)
    last = mark or (attempt.marks[-1] if attempt.marks else None)
    if last is None:
        return Standing(0.0, 1.0, attempt.usage, 0.0)
    if entry.alone:
        return Standing(math.nan, 1.0, mark.usage if mark else attempt.usage, 0.0)
    ballot = last.ballot or tuple((i, attempt.found[i].weight) for i in range(last.found))
    value = elect(ballot, grades, attempt.choice)
    runs = len(ballot) if code and attempt.choice != "best" else 0
    return Standing(value, 1.0, mark.usage if mark else attempt.usage, float(runs))


def _part(
    entry: SearchEntry,
    attempt: Attempt,
    grades: Sequence[Grade],
    budget: int,
    rng: np.random.Generator,
) -> Standing:
    """Return the mean standing of seeded subsets of the independent parts of a search."""
    groups = sorted({one.group for one in attempt.found})
    whole = max(1, len(groups))
    keep = round(whole * budget / entry.n)
    if keep < 1:
        return Standing(math.nan, math.nan, attempt.usage, 0.0)
    draws = 1 if keep >= whole else SUBSETS
    values = []
    for _ in range(draws):
        chosen = set(rng.permutation(len(groups))[:keep].tolist())
        ballot = [
            (i, one.weight)
            for i, one in enumerate(attempt.found)
            if groups.index(one.group) in chosen
        ]
        values.append(elect(ballot, grades, attempt.choice))
    known = [value for value in values if not math.isnan(value)]
    correct = float(np.mean(known)) if known else math.nan
    return Standing(correct, keep / whole, attempt.usage, 0.0)


def elect(ballot: Sequence[tuple[int, float]], grades: Sequence[Grade], choice: Choice) -> float:
    """Return the expected correctness of what a ballot elects; ties are shared.

    Args:
        ballot: (candidate, weight) pairs; nobody elects nothing, which is wrong.
        grades: of all candidates.
        choice: ``best`` takes the candidate of the highest weight, else the class of answers of the
            largest sum; candidates without an answer do not vote.

    Returns:
        NaN where only ungraded candidates win.
    """
    if choice == "best":
        sums = {i: weight for i, weight in ballot}
        worth = {i: [grades[i].value] for i in sums}
    else:
        sums, worth = {}, {}
        for i, weight in ballot:
            number = grades[i].answer_class
            if number >= 0:
                sums[number] = sums.get(number, 0.0) + (1.0 if choice == "majority" else weight)
                worth.setdefault(number, []).append(grades[i].value)
    if not sums:
        return 0.0 if all(grades[i].verdict != "ungraded" for i, _ in ballot) else math.nan
    top = max(sums.values())
    floor = top - 1e-12 * abs(top) if math.isfinite(top) else top
    winners = [float(np.mean(worth[key])) for key, value in sums.items() if value >= floor]
    known = [value for value in winners if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan
