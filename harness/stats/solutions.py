"""How good scores of whole solutions are within a problem, where a choice is made.

A pool's right solutions mostly come from easy problems; a PRM that only tells easy problems from
hard ones ranks all solutions well and chooses none. So everything here compares candidates of the
same problem, and intervals resample problems; but for `given_length_correlation`, of solutions that
come with a task, mostly one of each problem.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.best_of_n import Bools, Floats, Ints
from harness.stats.labelled import NONE, in_parts, resamplings, spread
from harness.types import Estimate


def within_auroc(scores: ArrayLike, correct: ArrayLike, seed: int = 0) -> Estimate:
    """How often a right candidate scores above a wrong one of the same problem, ties half.

    Args:
        scores: (P, N); -inf for a candidate without scores, which is left out.
        correct: (P, N), 1 correct, 0 wrong, NaN ungraded: left out.
        seed: of the resampling.

    Returns:
        Over all such pairs, each weighing the same; `n` counts the problems that have any.
    """
    score, grade = np.asarray(scores, float), np.asarray(correct, float)
    won, pairs = np.zeros(len(score)), np.zeros(len(score))
    for i, (values, own) in enumerate(zip(score, grade, strict=True)):
        known = np.isfinite(values)
        good, bad = values[known & (own == 1)][:, None], values[known & (own == 0)]
        won[i] = (good > bad).sum() + (good == bad).sum() / 2
        pairs[i] = good.size * bad.size
    if not pairs.any():
        return NONE
    kept = pairs > 0
    times = resamplings(int(kept.sum()), seed)
    found = (times @ won[kept]) / (times @ pairs[kept])
    value = float(won.sum() / pairs.sum())
    return spread(value, found, int(kept.sum()), int(kept.sum()), "bootstrap-problems")


def length_correlation(
    scores: ArrayLike, lengths: ArrayLike, correct: ArrayLike, seed: int = 0
) -> tuple[Estimate, Estimate, Estimate]:
    """Rank correlation of score and length among candidates of one problem and one correctness.

    Longer solutions are more often wrong, so a good PRM gives them less; what is left among
    solutions that are equally right is its taste for length (Singhal et al. 2023,
    arXiv:2310.03716). Ranks are taken within each such group and centred there; the correlation is
    that of all groups together, Spearman's where there is one.

    Args:
        scores, lengths: (P, N); -inf or NaN leaves a candidate out.
        correct: (P, N), 1 correct, 0 wrong, NaN ungraded: left out.
        seed: of the resampling.

    Returns:
        Over right and wrong ones, over right, over wrong; in [-1, 1], `n` counts candidates in
        groups in which both score and length differ.
    """
    score, length = np.asarray(scores, float), np.asarray(lengths, float)
    grade = np.asarray(correct, float)
    known = np.isfinite(score) & np.isfinite(length)
    parts = [_products(score, length, known & (grade == right)) for right in (1, 0)]
    both = parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]
    right, wrong = (_correlation(*part, seed) for part in parts)
    return _correlation(*both, seed), right, wrong


def given_length_correlation(
    scores: ArrayLike,
    lengths: ArrayLike,
    correct: ArrayLike,
    problems: ArrayLike | None = None,
    seed: int = 0,
) -> tuple[Estimate, Estimate, Estimate]:
    """`length_correlation` of solutions that come with a task: its right ones are one group, its
    wrong ones the other.

    Whatever hard problems do to both, longer solutions and lower scores, is part of it.

    Args:
        scores, lengths: (I,); -inf or NaN leaves a solution out.
        correct: (I,) 1 right, 0 wrong.
        problems: (I,) labels, equal for solutions that are made from one problem; None: no two are.
        seed: of the resampling of problems. Ranks are taken anew in each.

    Returns:
        Over right and wrong ones, over right, over wrong; in [-1, 1], `n` counts solutions in
        groups in which both score and length differ.
    """
    score, length = np.asarray(scores, float), np.asarray(lengths, float)
    grade = np.asarray(correct, float)
    kept = np.isfinite(score) & np.isfinite(length) & ~np.isnan(grade)
    if not kept.any():
        return NONE, NONE, NONE
    names = np.arange(len(score)) if problems is None else np.asarray(problems)
    owner = np.unique(names[kept], return_inverse=True)[1]
    count = int(owner.max()) + 1
    # One row more than draws: the sample itself, every problem once.
    times = np.vstack([np.ones(count, np.int64), resamplings(count, seed)])
    score, length, grade = score[kept], length[kept], grade[kept]
    parts = {right: _redrawn(score, length, owner, times, grade == right) for right in (1, 0)}
    alone = {right: bool(sums[0].any()) for right, sums in parts.items()}
    method = "bootstrap-solutions" if problems is None else "bootstrap-problems"

    def over(*groups: int) -> Estimate:
        counted = np.isin(grade, [right for right in groups if alone[right]])
        if not counted.any():
            return NONE
        found = _ratio(np.sum([parts[right] for right in groups], axis=0))
        own = len(np.unique(owner[counted]))
        return spread(float(found[0]), found[1:], int(counted.sum()), own, method)

    return over(1, 0), over(1), over(0)


def _redrawn(score: Floats, length: Floats, owner: Ints, times: Ints, group: Bools) -> Floats:
    """Return (D, 3) sums of products of centred ranks in a group, whose owners are drawn (D, S)
    times; 0 where score or length is the same for all."""
    if not group.any():
        return np.zeros((len(times), 3))
    found = []
    for part in in_parts(times, int(group.sum())):
        weight = part[:, owner[group]].astype(float)
        x, y = _drawn_ranks(score[group], weight), _drawn_ranks(length[group], weight)
        sums = np.stack([(weight * a * b).sum(axis=1) for a, b in ((x, x), (y, y), (x, y))], 1)
        sums[(sums[:, :2] == 0).any(axis=1)] = 0
        found.append(sums)
    return np.concatenate(found)


def _drawn_ranks(values: Floats, weight: Floats) -> Floats:
    """(D, N) ranks of values that are each there (D, N) times, as `_ranks`."""
    place = np.unique(values, return_inverse=True)[1]
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.diff(place[order], prepend=-1))
    sizes = np.add.reduceat(weight[:, order], starts, axis=1)
    ranks = np.cumsum(sizes, axis=1) - (sizes + sizes.sum(axis=1, keepdims=True)) / 2
    drawn: Floats = ranks[:, place]
    return drawn


def _products(score: Floats, length: Floats, kept: Bools) -> tuple[Floats, Ints]:
    """Return (P, 3) sums of products of centred ranks (xx, yy, xy), and (P,) candidates behind."""
    sums, counts = np.zeros((len(score), 3)), np.zeros(len(score), np.int64)
    for i, own in enumerate(kept):
        x, y = _ranks(score[i, own]), _ranks(length[i, own])
        if x.any() and y.any():
            sums[i], counts[i] = (x @ x, y @ y, x @ y), len(x)
    return sums, counts


def _ranks(values: Floats) -> Floats:
    """Ranks with their mean at 0; equal values share theirs."""
    if not len(values):
        return values
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    centred: Floats = ranks - ranks.mean()
    return centred


def _correlation(sums: Floats, counts: Ints, seed: int) -> Estimate:
    kept = counts > 0
    if not kept.any():
        return NONE
    own = sums[kept]
    times = resamplings(len(own), seed)
    value, found = (_ratio(total) for total in (own.sum(0, keepdims=True), times @ own))
    n = int(counts.sum())
    return spread(float(value[0]), found, n, len(own), "bootstrap-problems")


def _ratio(sums: Floats) -> Floats:
    """Return (D,) correlations; NaN where nothing varies."""
    scale = np.sqrt(sums[:, 0] * sums[:, 1])
    found: Floats = np.full(len(sums), np.nan)
    np.divide(sums[:, 2], scale, out=found, where=scale > 0)
    return found


def probe_change(
    plain: ArrayLike, probed: ArrayLike, correct: ArrayLike, right: bool, seed: int = 0
) -> tuple[Estimate, Estimate]:
    """What added steps do to the scores of candidates that are all right, or all wrong.

    Args:
        plain, probed: (P, N) scores without and with the steps; -inf leaves a candidate out.
        correct: (P, N), 1 correct, 0 wrong, NaN ungraded: left out.
        right: which of them are looked at.
        seed: of the resampling.

    Returns:
        The mean change of the score, in its own units, and the share of candidates whose score
        rises; `n` counts candidates, intervals resample problems.
    """
    before, after = np.asarray(plain, float), np.asarray(probed, float)
    known = np.isfinite(before) & np.isfinite(after)
    known &= np.asarray(correct, float) == float(right)
    change = np.where(known, after, 0.0) - np.where(known, before, 0.0)
    counts = known.sum(axis=1)
    kept = counts > 0
    total, problems = int(counts.sum()), int(kept.sum())
    if not total:
        return NONE, NONE
    times = resamplings(problems, seed)
    candidates = times @ counts[kept]
    found = []
    for sums in (change.sum(axis=1)[kept], (known & (change > 0)).sum(axis=1)[kept]):
        draws = (times @ sums) / candidates
        value = float(sums.sum() / total)
        found.append(spread(value, draws, total, problems, "bootstrap-problems"))
    return found[0], found[1]
