"""Reliability diagrams: of the steps that get a score near p, how many are right?

DeGroot and Fienberg 1983; a step is right if the exact label says so. Overall and by thirds of a
solution, since a PRM may be calibrated on the average and not at the end of a solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.first_error import Judged
from harness.stats.intervals import estimate
from harness.stats.labelled import Steps
from harness.stats.quality import BINS, THIRDS, bins_of
from harness.types import Estimate

DEPTH_BINS = 5
"""Bins of a third: fewer, since it has fewer steps."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The steps whose scores lie in one bin; none of them is empty."""

    score: float
    """Mean of their scores."""
    right: Estimate
    """Share of them that is right, with an interval over solutions; `n` counts the steps."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """One PRM's diagrams on one set of solutions; bins by rising score."""

    overall: tuple[Bin, ...]
    thirds: tuple[tuple[Bin, ...], ...]
    """In the order of `THIRDS`."""


def reliability(items: Sequence[Judged]) -> Reliability:
    """Return the diagrams of solutions, at least one, whose scores are probabilities."""
    steps = Steps.of(items)
    thirds = (_bins(steps.where(steps.third == i), DEPTH_BINS) for i in range(len(THIRDS)))
    return Reliability(_bins(steps, BINS), tuple(thirds))


def _bins(steps: Steps, count: int) -> tuple[Bin, ...]:
    number = bins_of(steps.score, count)
    parts = [steps.where(number == i) for i in np.unique(number)]
    return tuple(Bin(float(one.score.mean()), estimate(~one.wrong, one.owner)) for one in parts)
