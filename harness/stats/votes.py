"""Expected accuracy of the majority vote and of weighted votes over n candidates.

Candidates with equivalent answers form a class; each casts its weight for its class, and the class
with the largest sum wins. No closed form exists for 1 < n < N, so the expectation runs over seeded
subsets (`subsets`), the same ones for every weighting: a comparison of two PRMs is paired down to
the subset. All weightings of a problem are counted at once, because the work lies in finding which
candidates of a subset belong together, not in adding their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.ballot import Ballot, class_sums
from harness.stats.best_of_n import Bools, Floats, Ints, checked_budgets
from harness.stats.subsets import Subsets, subsets

TIE = 1e-12
"""Relative difference under which two sums of weights are a tie. Sums of the same weights differ in
their last digits with the order of adding (0.1 + 0.2 + 0.3 against 0.3 + 0.2 + 0.1), by at most
about 1e-13 for 1024 weights; differences that a PRM means are far larger."""


@dataclass(frozen=True, slots=True)
class Votes:
    """Expected accuracies of a vote."""

    value: Floats
    """(..., P, B); NaN where a problem has fewer than n candidates or nothing graded can win."""
    error: Floats
    """(..., P, B): standard error from drawing subsets; 0 where all subsets were counted."""


def vote(
    classes: ArrayLike,
    correct: ArrayLike,
    present: ArrayLike,
    ns: Sequence[int],
    weights: ArrayLike | None = None,
    *,
    draws: int = 100,
    seed: int = 0,
) -> Votes:
    """Expected correctness of the class that n candidates elect, per problem and budget.

    Args:
        classes: (P, N) integers, equal for equivalent answers of a problem, -1 without an answer.
        correct: (P, N), 1 correct, 0 wrong, NaN ungraded.
        present: (P, N), false where a problem has no such candidate.
        ns: the budgets, B of them, each at least 1.
        weights: (..., P, N), finite where present; None gives each candidate one vote (majority).
            A majority beside other weightings is cheapest as one more of them, all ones.
        draws: subsets per problem and budget, at least 2, where there are too many to count.
        seed: row p's subsets depend on `seed`, p, `draws` and its number of candidates alone.

    Returns:
        Values and their Monte-Carlo standard errors, (..., P, B); (P, B) without weights. A class
        is worth the mean of its graded members; an ungraded class that wins is left out of the
        mean. Ties are shared equally. A subset in which nobody has an answer is wrong.

    Raises:
        ValueError: shapes that differ, a budget below 1, fewer than 2 draws, a weight of a present
            candidate that is not finite.
    """
    label, grade = np.asarray(classes, np.int64), np.asarray(correct, np.float64)
    here = np.asarray(present, np.bool_)
    weight = np.ones(label.shape) if weights is None else np.asarray(weights, np.float64)
    _check(label, grade, here, weight, draws)
    budgets = checked_budgets(ns)
    flat = weight.reshape(-1, *label.shape)
    value = np.full((len(flat), len(label), len(budgets)), np.nan)
    error = value.copy()
    for p in range(len(label)):
        rows = np.flatnonzero(here[p])
        fits = np.flatnonzero(budgets <= rows.size)
        ballot = Ballot.of(label[p, rows], grade[p, rows], flat[:, p, rows])
        if ballot.constant is not None:
            value[:, p, fits], error[:, p, fits] = ballot.constant, 0.0
            continue
        found = subsets(rows.size, budgets[fits].tolist(), ballot.voters, draws, (seed, p))
        for b, drawn in zip(fits, found, strict=True):
            if budgets[b] == 1:
                value[:, p, b], error[:, p, b] = ballot.single, 0.0 * ballot.single
            else:
                value[:, p, b], error[:, p, b] = _mean(ballot, drawn)
    shape = (*weight.shape[:-1], len(budgets))
    return Votes(value.reshape(shape), error.reshape(shape))


def _check(label: Ints, grade: Floats, here: Bools, weight: Floats, draws: int) -> None:
    """Say what does not fit."""
    if label.ndim != 2 or not label.shape == grade.shape == here.shape == weight.shape[-2:]:
        raise ValueError(
            f"shapes differ: classes {label.shape}, correct {grade.shape}, "
            f"present {here.shape}, weights {weight.shape}"
        )
    if draws < 2:
        raise ValueError(f"a standard error needs at least 2 draws, not {draws}")
    finite = np.isfinite(weight)
    if not finite.all() and not finite[..., here].all():
        raise ValueError("the weight of a present candidate is not finite")


def _mean(ballot: Ballot, drawn: Subsets) -> tuple[Floats, Floats]:
    """Mean value over subsets and its standard error, each (K,)."""
    tally = _tally(ballot, drawn.member)
    draws = len(drawn.member)
    known = tally.graded > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.where(known, np.clip(tally.right / tally.graded, 0.0, 1.0), np.nan)
        if drawn.exact:
            return value, np.where(known, 0.0, np.nan)
        # The mean is a ratio where ungraded classes win: the delta method, which is the plain
        # variance of a mean where they do not.
        spread = tally.right2 - 2 * value * tally.cross + value**2 * tally.graded2
        scale = draws / (draws - 1) / tally.graded**2
        return value, np.sqrt(np.clip(spread, 0.0, None) * scale)


@dataclass(slots=True)
class _Tally:
    """Sums over subsets, each (K,), of the winner's value and of the graded share of winners."""

    right: Floats
    graded: Floats
    right2: Floats
    cross: Floats
    graded2: Floats

    def add(self, right: float | Floats, graded: float | Floats, times: Floats) -> None:
        """Count outcomes of the given value and graded share, each as often as `times` says."""
        self.right += right * times
        self.graded += graded * times
        self.right2 += right * right * times
        self.cross += right * graded * times
        self.graded2 += graded * graded * times


def _tally(ballot: Ballot, member: Bools) -> _Tally:
    """Elect the winner of each subset, (S, V) members, under each weighting, and sum up."""
    width = ballot.weights.shape[1]
    tally = _Tally(*np.zeros((5, width)))
    if ballot.silent:
        voting = member.any(axis=1)
        tally.add(0.0, 1.0, np.full(width, float(np.count_nonzero(~voting))))
        member = member[voting]
    blocks = list(class_sums(ballot, member))
    best = np.full((len(ballot.values), len(member), width), -np.inf)
    for sums, group in blocks:
        for slot in range(sums.shape[1]):
            np.maximum(best[group], sums[:, slot], out=best[group])
    floor = best.max(axis=0)
    floor -= TIE * np.abs(floor)
    wins = best >= floor
    left = np.full(width, float(len(member)))
    if np.count_nonzero(wins) > floor.size:
        subset, weighting = np.nonzero(np.count_nonzero(wins, axis=0) > 1)
        wins[:, subset, weighting] = False
        left -= np.bincount(weighting, minlength=width)
        _add_ties(tally, ballot, blocks, floor, (subset, weighting))
    for g, value in enumerate(ballot.values):
        # The last value has won whatever the others have not: one count less.
        last = g == len(best) - 1
        times = left if last else np.count_nonzero(wins[g], axis=0).astype(np.float64)
        left = left - times
        graded = 0.0 if np.isnan(value) else 1.0
        tally.add(value if graded else 0.0, graded, times)
    return tally


def _add_ties(
    tally: _Tally,
    ballot: Ballot,
    blocks: list[tuple[Floats, int]],
    floor: Floats,
    where: tuple[Ints, Ints],
) -> None:
    """Count the outcomes at `where`, (subset, weighting), at which classes of two values tie."""
    subset, weighting = where
    winners = np.zeros((len(ballot.values), len(subset)))
    for sums, group in blocks:
        winners[group] += (sums[subset, :, weighting] >= floor[where][:, None]).sum(axis=1)
    share = winners / winners.sum(axis=0)
    known = ~np.isnan(ballot.values)
    right, graded = ballot.values[known] @ share[known], share[known].sum(axis=0)
    for total, part in (
        (tally.right, right),
        (tally.graded, graded),
        (tally.right2, right * right),
        (tally.cross, right * graded),
        (tally.graded2, graded * graded),
    ):
        total += np.bincount(weighting, part, minlength=len(total))
