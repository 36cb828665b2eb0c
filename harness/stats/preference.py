"""Which of the given solutions is right? Choices by score among solutions of which one is right.

Ties are honest: the place of the right solution says nothing (data sets put it first), so solutions
of equal score stand in random order, and every figure is the expectation over that order. The
strict figures count a tie as lost, as RewardMATH (arXiv:2410.01729) and RewardBench
(arXiv:2403.13787) do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Floats, Ints


@dataclass(frozen=True, slots=True)
class Preference:
    """Per problem, (P,) each; NaN where a solution has no score."""

    accuracy: Floats
    """Chance that the right solution is chosen."""
    strict: Floats
    """1 if it scores above all others, else 0."""
    tied: Floats
    """1 if it shares the highest score with others, else 0."""
    mrr: Floats
    """Expected reciprocal of its rank, from 1."""
    mrr_strict: Floats
    """Reciprocal of its rank behind all that score as high."""


def preference(scores: Floats, right: Ints, sizes: Ints) -> Preference:
    """Return what a choice by score comes to.

    Args:
        scores: (P, S) of the solutions; NaN where one has no score, and beyond a problem's last.
        right: (P,) place of the right solution, from 0.
        sizes: (P,) solutions of each problem, 1 to S.

    Raises:
        ValueError: a place or a size that does not fit.
    """
    if (sizes < 1).any() or (sizes > scores.shape[1]).any():
        raise ValueError(f"sizes lie in 1 … {scores.shape[1]}")
    if (right < 0).any() or (right >= sizes).any():
        raise ValueError("the right solution is one of those given")
    inside = np.arange(scores.shape[1]) < sizes[:, None]
    known = ~(np.isnan(scores) & inside).any(axis=1)
    own = np.take_along_axis(scores, right[:, None], axis=1)
    above = ((scores > own) & inside).sum(axis=1)
    level = ((scores == own) & inside).sum(axis=1) - 1
    # Sums of reciprocals: the ranks above + 1 … above + level + 1 are equally likely.
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, scores.shape[1] + 1))])
    level = np.maximum(level, 0)
    shared = (harmonic[above + level + 1] - harmonic[above]) / (level + 1)

    def where_known(values: Floats) -> Floats:
        return np.where(known, values, np.nan)

    first = above == 0
    return Preference(
        accuracy=where_known(first / (level + 1)),
        strict=where_known((first & (level == 0)).astype(float)),
        tied=where_known((first & (level > 0)).astype(float)),
        mrr=where_known(shared),
        mrr_strict=where_known(1 / (above + level + 1)),
    )
