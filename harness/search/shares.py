"""Shares among competitors: softmax, effective sample size, draws. Pure functions."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

Resampling: TypeAlias = Literal["multinomial", "systematic"]


def softmax(logits: Sequence[float]) -> list[float]:
    """Return shares that add up to 1; of nothing but -inf, equal ones.

    >>> softmax([0.0, -math.inf])
    [1.0, 0.0]
    """
    top = max(logits, default=0.0)
    if top == -math.inf:
        return [1.0 / len(logits)] * len(logits)
    powers = [math.exp(x - top) for x in logits]
    total = sum(powers)
    return [power / total for power in powers]


def effective(shares: Sequence[float]) -> float:
    """Return the effective sample size, from 1 (one has all) to their number (all equal)."""
    return 1.0 / sum(share * share for share in shares)


def draw(shares: Sequence[float], count: int, how: Resampling, rng: random.Random) -> list[int]:
    """Return `count` places, each drawn with its share.

    Args:
        shares: add up to 1.
        count: of draws.
        how: ``multinomial``: independent draws. ``systematic``: `count` equally spaced points with
            one random start, so that a place is drawn its expected number of times, rounded up or
            down.
        rng: of the search.
    """
    if how == "multinomial":
        return rng.choices(range(len(shares)), shares, k=count)
    start = rng.random()
    ends = list(accumulate(shares))
    places, at = [], 0
    for point in ((k + start) / count for k in range(count)):
        while at < len(ends) - 1 and ends[at] <= point:
            at += 1
        places.append(at)
    return places
