"""Expected accuracy of speculative rejection over n of N candidates that were written to the end.

The search (`harness.search.rejection`) scores the beginnings of its candidates at some looks, goes
on with the best and gives up the others. It never continues one beginning in two ways, so what it
would have done with n of the candidates follows from the scores of their beginnings, as long as a
PRM's score of a step does not hang on later steps. Source: Sun et al. 2024, arXiv 2410.20290.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.best_of_n import Bools, Floats, Ints

_LOWEST = -np.finfo(np.float64).max


@dataclass(frozen=True, slots=True)
class Rejection:
    """What the search finds, and what it writes for that."""

    value: Floats
    """(S, P) expected correctness of the one that is left; NaN where a problem has fewer than n
    candidates, or whatever is left is ungraded."""
    written: Floats
    """(S, P) share of the steps of all n candidates that is written."""


def speculative_rejection(
    begun: ArrayLike,
    steps: ArrayLike,
    correct: ArrayLike,
    present: ArrayLike,
    n: int,
    looks: Sequence[tuple[int, int]],
    *,
    draws: int = 100,
    seed: int = 0,
) -> Rejection:
    """Replay speculative rejection.

    Args:
        begun: (K, S, P, N) score of each candidate's beginning at each look, as many steps as the
            look says or all there are; S scorings; -inf without a verdict.
        steps: (P, N) of each candidate.
        correct: (P, N), 1 correct, 0 wrong, NaN ungraded.
        present: (P, N), false where a problem has no such candidate.
        n: how many are begun.
        looks: K pairs: steps written by then, how many go on; in the end one.
        draws: ordered subsets per problem: of equal scores the one that was drawn first goes on.
            Where all N are begun and equal scores decide nothing, one play is exact.
        seed: row p's subsets depend on `seed`, p, `draws` and its number of candidates alone.

    Returns:
        Means over the draws; draws that leave an ungraded candidate are left out of the value.

    Raises:
        ValueError: shapes that differ, looks that do not leave one.
    """
    at = np.asarray(begun, np.float64)
    length, grade = np.asarray(steps, np.int64), np.asarray(correct, np.float64)
    here = np.asarray(present, np.bool_)
    if (
        at.ndim != 4
        or len(at) != len(looks)
        or not (at.shape[2:] == length.shape == grade.shape == here.shape)
    ):
        raise ValueError(
            f"shapes differ: begun {at.shape}, steps {length.shape}, correct {grade.shape}, "
            f"present {here.shape}, {len(looks)} looks"
        )
    if [n, *(kept for _, kept in looks)][-1] != 1:
        raise ValueError(f"looks {list(looks)} of {n} candidates do not leave one")
    value = np.full(at.shape[1:3], np.nan)
    written = value.copy()
    full = np.flatnonzero(here.sum(axis=1) == n)
    own = np.nonzero(here[full])[1].reshape(len(full), n)
    place = full[:, None], own
    once = _replay(at[..., *place], length[place], grade[place], looks)
    value[:, full], written[:, full] = once.means(axis=())
    # What is left hangs on which candidates are drawn, or on their order.
    open_ = np.ones(value.shape, np.bool_)
    open_[:, full] = once.tied
    for p in np.flatnonzero(open_.any(axis=0) & (here.sum(axis=1) >= n)):
        columns, rows = np.flatnonzero(here[p]), np.flatnonzero(open_[:, p])
        keys = np.random.default_rng((seed, p)).random((draws, columns.size), np.float32)
        drawn = columns[keys.argsort(axis=1)[:, :n]]
        made = _replay(at[:, rows, p][..., drawn], length[p, drawn], grade[p, drawn], looks)
        value[rows, p], written[rows, p] = made.means(axis=(-1,))
    return Rejection(value, written)


@dataclass(frozen=True, slots=True)
class _Played:
    """Plays: one number for each, to be summed over draws."""

    right: Floats
    graded: Bools
    written: Ints
    total: Ints
    tied: Bools
    """Whether equal scores decided who went on."""

    def means(self, axis: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Return expected correctness and the share of steps written, over axes of draws."""
        right, graded, written, total = (
            part.sum(axis=axis) for part in (self.right, self.graded, self.written, self.total)
        )
        with np.errstate(invalid="ignore"):
            return right / graded, np.where(total > 0, written / np.maximum(total, 1), 1.0)


def _replay(at: Floats, length: Ints, grade: Floats, looks: Sequence[tuple[int, int]]) -> _Played:
    """Play (K, ..., n) scores in the order drawn; steps and grades fit their last axes."""
    shape = at.shape[1:]
    alive, written = np.ones(shape, np.bool_), np.broadcast_to(length, shape)
    tied = np.zeros(shape[:-1], np.bool_)
    for (steps, kept), score in zip(looks, at, strict=True):
        # A candidate without a verdict is the worst, and still before those that are gone.
        cost = np.where(alive, -np.maximum(score, _LOWEST), np.inf)
        order = cost.argsort(-1, kind="stable")
        edge = np.take_along_axis(cost, order[..., kept - 1 : kept + 1], axis=-1)
        tied |= edge[..., 0] == edge[..., 1]
        going = np.zeros_like(alive)
        np.put_along_axis(going, order[..., :kept], True, axis=-1)
        written = np.where(alive & ~going, np.minimum(length, steps), written)
        alive = going
    verdict = np.broadcast_to(grade, shape)[alive].reshape(shape[:-1])
    return _Played(
        np.nan_to_num(verdict),
        ~np.isnan(verdict),
        written.sum(axis=-1),
        np.broadcast_to(length.sum(axis=-1), shape[:-1]),
        tied,
    )
