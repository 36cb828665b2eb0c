"""The score that a PRM gives to what it chooses: the proxy, beside which accuracy is the gold.

As n grows the chosen score can only rise, while accuracy may stop or fall: the candidates that a
PRM overrates are found by searching for high scores (Gao et al. 2022, arXiv 2210.10760).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from harness.stats.best_of_n import Floats, best_of_n
from harness.stats.intervals import estimate
from harness.types import Estimate


def chosen_score(
    scores: ArrayLike, present: ArrayLike, ns: Sequence[int]
) -> tuple[Floats, tuple[Estimate, ...]]:
    """Expected highest score of n candidates, exactly, over all subsets of n.

    Args:
        scores: (P, N); -inf for a candidate without scores.
        present: (P, N), false where a problem has no such candidate.
        ns: the budgets, B of them, each at least 1.

    Returns:
        (P, B), and the mean over problems at each budget. A choice that has no score is left out,
        as an ungraded one is of an accuracy; NaN where the problem has fewer than n candidates or
        no score. Intervals are those of an accuracy, on the range of the scores seen.
    """
    score = np.asarray(scores, np.float64)
    known = np.isfinite(score) & np.asarray(present, np.bool_)
    low = float(score[known].min()) if known.any() else 0.0
    span = (float(score[known].max()) - low if known.any() else 0.0) or 1.0
    unit = np.where(known, (np.where(known, score, low) - low) / span, np.nan)
    values = best_of_n(score, unit, present, ns)
    means = []
    for column in values.T:
        one = estimate(column)
        value, bottom, top = (low + span * end for end in (one.value, one.low, one.high))
        means.append(replace(one, value=value, low=bottom, high=top))
    return low + span * values, tuple(means)
