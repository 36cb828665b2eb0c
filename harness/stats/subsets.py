"""Subsets of a problem's candidates: all of them where they are few, else seeded draws.

One permutation gives the subsets of every budget (its first n candidates), so the subsets of a
larger budget contain those of a smaller one, and an accuracy curve over budgets is smooth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.stats.best_of_n import Bools, Ints


@dataclass(frozen=True, slots=True)
class Subsets:
    """Subsets of n among `size` candidates."""

    member: Bools
    """(S, C): which of the candidates asked about each subset holds."""
    exact: bool
    """Every subset is there once, so a mean over them has no sampling error."""


def subsets(
    size: int, budgets: list[int], columns: Ints, draws: int, seed: tuple[int, int]
) -> list[Subsets]:
    """Return subsets of `size` candidates for each budget, none of which exceeds `size`.

    All C(size, n) subsets are listed where they number at most `draws`, which covers n = size
    always; elsewhere `draws` nested subsets are drawn without replacement.
    They depend on `size`, `draws` and `seed` alone; `columns` (C,) only says of which candidates,
    in which order, the membership is told.
    """
    # Keys in 32 bits are sorted in half the time; two of them are equal in one draw of 500, and
    # then stay in their order.
    keys = np.random.default_rng(seed).random((draws, size), np.float32)
    shuffled = keys.argsort(axis=1)
    place = shuffled.astype(np.int32)[:, columns]
    found = []
    for n in budgets:
        if math.comb(size, n) <= draws:
            found.append(Subsets(_every(size, n)[:, columns], exact=True))
        else:
            found.append(Subsets(place < n, exact=False))
    return found


def _every(size: int, n: int) -> Bools:
    """All subsets of n among `size`: (C(size, n), size)."""
    chosen = np.array(list(combinations(range(size), n)), np.int64)
    member = np.zeros((len(chosen), size), np.bool_)
    member[np.arange(len(chosen))[:, None], chosen] = True
    return member
