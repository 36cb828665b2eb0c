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
    """(S, P) expected correctness of the best that was finished; NaN where a problem has fewer than
    n candidates, or nothing graded is ever chosen."""
    written: Floats
    """(S, P) share of the steps of all n candidates that is written."""


def speculative_rejection(
    begun: ArrayLike,
    scores: ArrayLike,
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
            look says or all there are; S scorings.
        scores: (S, P, N) score of the whole; -inf without a verdict.
        steps: (P, N) of each candidate.
        correct: (P, N), 1 correct, 0 wrong, NaN ungraded.
        present: (P, N), false where a problem has no such candidate.
        n: how many are begun.
        looks: K pairs: steps written by then, how many go on.
        draws: ordered subsets per problem: of equal scores the one that was drawn first goes on.
            Where all N are begun and equal scores decide nothing, one play is exact.
        seed: row p's subsets depend on `seed`, p, `draws` and its number of candidates alone.

    Returns:
        Means over the draws. Among the finished, ties are shared; ungraded candidates take their
        share of the choices and are left out of the mean.

    Raises:
        ValueError: shapes that differ.
    """
    at, whole = np.asarray(begun, np.float64), np.asarray(scores, np.float64)
    length, grade = np.asarray(steps, np.int64), np.asarray(correct, np.float64)
    here = np.asarray(present, np.bool_)
    if not at.shape == (len(looks), *whole.shape) or not (
        whole.shape[1:] == length.shape == grade.shape == here.shape
    ):
        raise ValueError(
            f"shapes differ: begun {at.shape}, scores {whole.shape}, steps {length.shape}, correct "
            f"{grade.shape}, present {here.shape}, {len(looks)} looks"
        )
    value = np.full(whole.shape[:2], np.nan)
    written = value.copy()
    full = np.flatnonzero(here.sum(axis=1) == n)
    own = np.nonzero(here[full])[1].reshape(len(full), n)
    place = full[:, None], own
    once = _replay(at[..., *place], whole[:, *place], length[place], grade[place], looks)
    value[:, full], written[:, full] = once.means(axis=())
    # What is left hangs on which candidates are drawn, or on their order.
    open_ = np.ones(whole.shape[:2], np.bool_)
    open_[:, full] = once.tied
    for p in np.flatnonzero(open_.any(axis=0) & (here.sum(axis=1) >= n)):
        columns, rows = np.flatnonzero(here[p]), np.flatnonzero(open_[:, p])
        keys = np.random.default_rng((seed, p)).random((draws, columns.size), np.float32)
        drawn = columns[keys.argsort(axis=1)[:, :n]]
        made = _replay(
            at[:, rows, p][..., drawn],
            whole[rows, p][..., drawn],
            length[p, drawn],
            grade[p, drawn],
            looks,
        )
        value[rows, p], written[rows, p] = made.means(axis=(-1,))
    return Rejection(value, written)


@dataclass(frozen=True, slots=True)
class _Played:
    """Plays: sums over candidates, to be summed over draws."""

    right: Floats
    graded: Floats
    """Share of the choice that is graded."""
    written: Floats
    total: Floats
    tied: Bools
    """Whether equal scores decided who went on."""

    def means(self, axis: tuple[int, ...]) -> tuple[Floats, Floats]:
        """Return expected correctness and the share of steps written, over axes of draws."""
        right, graded, written, total = (
            part.sum(axis=axis) for part in (self.right, self.graded, self.written, self.total)
        )
        with np.errstate(invalid="ignore"):
            return right / graded, np.where(total > 0, written / np.maximum(total, 1), 1.0)


def _replay(
    at: Floats, whole: Floats, length: Ints, grade: Floats, looks: Sequence[tuple[int, int]]
) -> _Played:
    """Play (K, ..., n) and (..., n) scores in the order drawn; steps and grades fit their ends."""
    alive, done = np.ones(whole.shape, np.bool_), np.zeros(whole.shape, np.bool_)
    written = np.broadcast_to(length, whole.shape)
    tied = np.zeros(whole.shape[:-1], np.bool_)
    for (steps, kept), score in zip(looks, at, strict=True):
        done |= alive & (length <= steps)
        # A candidate without a verdict is the worst, and still before those that are gone.
        cost = np.where(alive, -np.maximum(score, _LOWEST), np.inf)
        order = cost.argsort(-1, kind="stable")
        last, next_ = (
            np.take_along_axis(cost, order[..., i : i + 1], -1) for i in (kept - 1, kept)
        )
        tied |= (last == next_)[..., 0]
        going = np.zeros_like(alive)
        np.put_along_axis(going, order[..., :kept], True, axis=-1)
        written = np.where(alive & ~going, np.minimum(length, steps), written)
        alive &= going
    done |= alive
    final = np.where(done, np.maximum(whole, _LOWEST), -np.inf)
    best = final == final.max(axis=-1, keepdims=True)
    share = best / best.sum(axis=-1, keepdims=True)
    graded = ~np.isnan(grade)
    return _Played(
        (share * np.where(graded, grade, 0.0)).sum(axis=-1),
        (share * graded).sum(axis=-1),
        written.sum(axis=-1).astype(np.float64),
        np.broadcast_to(length.sum(axis=-1), whole.shape[:-1]).astype(np.float64),
        tied,
    )
