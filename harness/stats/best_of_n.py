"""Expected accuracy of best-of-n and of pass@n, exactly, from one pool of N >= n candidates.

The expectation runs over all subsets of n candidates drawn without replacement, so one pool gives
every budget and no random number is involved. Best-of-n has a closed form: a candidate is chosen
when it is in the subset and no better one is. With r candidates below it, that happens in
C(r, n - 1) of the C(N, n) subsets. Candidates of equal score share the chance of their group.

Source: the order-statistics identity behind the unbiased pass@k of Chen et al. 2021
(arXiv 2107.03374); pass@n is best-of-n whose scores are the grades themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]

_BLOCK = 1 << 18
"""Scores handled at once: 2 MB, which stays in a core's cache."""


def best_of_n(
    scores: ArrayLike, correct: ArrayLike, present: ArrayLike, ns: Sequence[int]
) -> Floats:
    """Expected correctness of the highest-scored of n candidates, per problem and budget.

    Args:
        scores: (..., P, N); leading axes are whole scorings (PRM, aggregation). Infinities are
            allowed (the logarithm of 0); NaN only where no candidate is present.
        correct: (P, N), 1 correct, 0 wrong, NaN ungraded.
        present: (P, N), false where a problem has no such candidate.
        ns: the budgets, B of them, each at least 1.

    Returns:
        (..., P, B). Ties are shared in expectation. Ungraded candidates never count as wrong: they
        take their share of the choices and are left out of the mean. NaN where the problem has
        fewer than n candidates, or where nothing that can be chosen is graded.

    Raises:
        ValueError: shapes that differ, a budget below 1, a NaN score of a present candidate.
    """
    score, grade, here = _checked(scores, correct, present)
    budgets = checked_budgets(ns)
    problems, width = here.shape
    flat = score.reshape(-1, problems, width)
    out = np.full((len(flat), problems, len(budgets)), np.nan)
    sizes = here.sum(axis=1)
    for size in np.unique(sizes[sizes > 0]).tolist():
        rows = np.flatnonzero(sizes == size)
        columns = np.nonzero(here[rows])[1].reshape(len(rows), size)
        fits = np.flatnonzero(budgets <= size)
        chance = selection_chance(size, budgets[fits])
        step = max(1, _BLOCK // columns.size)
        for start in range(0, len(flat), step):
            part = flat[start : start + step, rows[:, None], columns]
            expected = _expected(part, grade[rows[:, None], columns], chance)
            out[start : start + step, rows[:, None], fits] = expected
    return out.reshape(*score.shape[:-1], len(budgets))


def pass_at_n(correct: ArrayLike, present: ArrayLike, ns: Sequence[int]) -> Floats:
    """Chance that at least one of n candidates is correct: the ceiling of every selection.

    Equals 1 - C(N - c, n) / C(N, n) for c correct among N graded candidates, the unbiased
    estimator of Chen et al. 2021. Arguments as in `best_of_n`.

    Returns:
        (P, B). Ungraded candidates are taken out of the pool first, so the value is NaN where
        fewer than n candidates are graded.
    """
    grade, here = np.asarray(correct, float), np.asarray(present, bool)
    return best_of_n(grade, grade, here & ~np.isnan(grade), ns)


def selection_chance(size: int, budgets: Ints) -> Floats:
    """Chance that the candidate of each rank is the best of n, ranks ascending.

    Returns:
        (size, B): row r is C(r, n - 1) / C(size, n). Built from the top rank (n / size) downwards
        by ratios, which neither overflow nor cancel: relative error below 1e-12 for size 1024.
    """
    below = np.arange(size - 1, 0, -1)[:, None]
    ratios = np.clip(below - budgets + 1, 0, None) / below
    top = (budgets / size)[None, :]
    return np.cumprod(np.concatenate([top, ratios]), axis=0)[::-1]


def checked_budgets(ns: Sequence[int]) -> Ints:
    """Return the budgets as an array.

    Raises:
        ValueError: a budget below 1.
    """
    budgets = np.asarray(ns, np.int64).reshape(-1)
    if (budgets < 1).any():
        raise ValueError(f"a budget is at least 1 candidate, not {budgets.min()}")
    return budgets


def _checked(
    scores: ArrayLike, correct: ArrayLike, present: ArrayLike
) -> tuple[Floats, Floats, Bools]:
    """Return the three arrays with their types, or say what does not fit."""
    score = np.asarray(scores, np.float64)
    grade, here = np.asarray(correct, np.float64), np.asarray(present, np.bool_)
    if grade.ndim != 2 or here.shape != grade.shape or score.shape[-2:] != grade.shape:
        raise ValueError(
            f"shapes differ: scores {score.shape}, correct {grade.shape}, present {here.shape}"
        )
    if np.isnan(score).any() and np.isnan(score[..., here]).any():
        raise ValueError("the score of a present candidate is NaN")
    return score, grade, here


def _expected(score: Floats, grade: Floats, chance: Floats) -> Floats:
    """Expected correctness of the best: (k, m, N) scores, (m, N) grades, (N, B) -> (k, m, B)."""
    order = np.argsort(score, axis=-1)
    ranked = np.take_along_axis(score, order, axis=-1)
    graded = ~np.isnan(grade)
    parts = [np.where(graded, grade, 0.0)]
    if not graded.all():
        parts.append(graded.astype(np.float64))
    same = ranked[..., 1:] == ranked[..., :-1]
    sums = []
    for part in parts:
        sorted_part = np.take_along_axis(np.broadcast_to(part, score.shape), order, axis=-1)
        sums.append(_shared(sorted_part, same) @ chance)
    # The chances add up to 1 but for rounding; an accuracy must not exceed 1 by that.
    if len(sums) == 1:
        return np.clip(sums[0], 0.0, 1.0)
    with np.errstate(invalid="ignore"):
        return np.clip(np.where(sums[1] > 0, sums[0] / sums[1], np.nan), 0.0, 1.0)


def _shared(values: Floats, same: Bools) -> Floats:
    """Replace each value by the mean of its tie group; `same` marks equality with the next."""
    rows = np.nonzero(same.any(axis=-1))
    if not rows[0].size:
        return values
    tied = values[rows]
    first = np.ones(tied.shape, np.bool_)
    first[:, 1:] = ~same[rows]
    starts = np.flatnonzero(first)
    lengths = np.diff(starts, append=tied.size)
    means = np.add.reduceat(tied.ravel(), starts) / lengths
    values[rows] = np.repeat(means, lengths).reshape(tied.shape)
    return values
