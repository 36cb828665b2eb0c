"""How good step scores are whatever the threshold: ranking and calibration.

auroc         chance that a wrong step has a lower score than a right one, ties half; the same for
              solutions, by their least score
brier, ece    of probabilities: mean squared error, and the expected calibration error over ten bins
              of equal width
last_is_least share of solutions of two or more steps whose lowest score stands at the last one: a
              PRM that has become an outcome model shows there (arXiv:2501.07301, figure 8)

A PRM whose scores only fall from step to step ranks well without having read anything, since the
first wrong step follows right ones. So AUROC is also taken over pairs of steps that stand at the
same place (two third steps, say), all of them and by place; and calibration apart
for the thirds of a solution.
Which steps have a label, and what intervals resample: `harness.stats.labelled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Floats, Ints
from harness.stats.first_error import Judged
from harness.stats.intervals import share
from harness.stats.labelled import NONE, Ranks, Steps, averaged, ranked, resamplings
from harness.types import Estimate

BINS = 10

THIRDS = ("first", "middle", "last")

PLACES = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, None))
"""First and last step, from 1, of the groups of places that are told apart."""

FEWEST = 10
"""Wrong steps that a group of places needs: a handful would get an interval too narrow."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures of one PRM on one set of solutions; NaN and n = 0 where one is not defined."""

    step_auroc: Estimate
    solution_auroc: Estimate
    """Of solutions by their least score, over solutions with all of their scores."""
    brier: Estimate
    ece: Estimate
    last_is_least: Estimate
    ece_thirds: tuple[Estimate, ...]
    """Of the steps in each of `THIRDS`, as `Steps.third` says."""
    same_place_auroc: Estimate
    """Over pairs of steps at the same place."""
    auroc_places: tuple[Estimate, ...]
    """The same, of each of `PLACES`."""


def quality(
    items: Sequence[Judged],
    probabilities: bool,
    whole: bool,
    seed: int = 0,
    fewest: int = FEWEST,
) -> Quality:
    """Return the figures of some solutions.

    Args:
        items: The solutions, at least one.
        probabilities: Whether scores are; else nothing is said of their calibration.
        whole: Whether every step has a score, also those after the first wrong one.
        seed: Of the resampling.
        fewest: Wrong steps that each of `auroc_places` needs.
    """
    steps = Steps.of(items)
    times = resamplings(len(items), seed)
    solutions, least = NONE, NONE
    if whole:
        low = np.array([min(item.scores) for item in items])
        order = np.argsort(low, kind="stable")
        wrong = np.array([item.label >= 0 for item in items])[order]
        solutions = ranked([Ranks.of(low[order], wrong, order, times)])
        several = [item.scores for item in items if len(item.scores) > 1]
        # The last score alone is the least: where an earlier one is as low, it shows nothing.
        last = sum(scores[-1] < min(scores[:-1]) for scores in several)
        least = share(last, len(several))
    brier, ece, thirds = NONE, NONE, (NONE,) * len(THIRDS)
    if probabilities:
        error = (steps.score - ~steps.wrong) ** 2
        brier = averaged(error[:, None], steps.owner, times)
        ece = _ece(steps, times)
        thirds = tuple(_ece(steps.where(steps.third == i), times) for i in range(len(THIRDS)))
    overall = ranked([Ranks.of(steps.score, steps.wrong, steps.owner, times)])
    same, places = _by_place(steps, times, fewest)
    return Quality(overall, solutions, brier, ece, least, thirds, same, places)


def _by_place(steps: Steps, times: Ints, fewest: int) -> tuple[Estimate, tuple[Estimate, ...]]:
    """Return the AUROC at the same place: of all steps, and of each of `PLACES`."""
    ranks = []
    for place in range(int(steps.place.max()) + 1):
        own = steps.where(steps.place == place)
        ranks.append(Ranks.of(own.score, own.wrong, own.owner, times))
    found = []
    for first, last in PLACES:
        wrong = steps.wrong & (steps.place + 1 >= first) & (steps.place < (last or np.inf))
        enough = np.count_nonzero(wrong) >= fewest
        found.append(ranked(ranks[first - 1 : last]) if enough else NONE)
    return ranked(ranks), tuple(found)


def bins_of(score: Floats, bins: int = BINS) -> Ints:
    """Return the bin of each probability, of so many of equal width."""
    found: Ints = np.minimum((score * bins).astype(np.int64), bins - 1)
    return found


def _ece(steps: Steps, times: Ints) -> Estimate:
    """Expected calibration error: mean over steps of the distance of their bin's means."""
    gap = steps.score - ~steps.wrong
    spread_out = gap[:, None] * (bins_of(steps.score)[:, None] == np.arange(BINS))
    return averaged(spread_out, steps.owner, times, lambda means: np.abs(means).sum(1))
