"""F1 of the first wrong step at every threshold there is: how much hangs on the choice of one?

Nothing changes between two neighbouring scores that decide an item (the labelled step's, the lowest
before it), so the curve is a staircase that sorting gives exactly. Scores of implicit PRMs crowd
around one half, where a grid of thresholds would step over the best (arXiv:2412.01981 searches
1,000 of them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.stats.best_of_n import Floats
from harness.stats.first_error import Subset, accuracies, harmonic

TOLERANCE = 0.02
"""A threshold is as good as the best if its F1 is at most so much lower."""


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Figures at every threshold: (T,) values each.

    Value i holds above `levels[i - 1]` and up to `levels[i]`; the first from minus infinity on, the
    last, whose level is infinite, above all scores.
    """

    levels: Floats
    f1: Floats
    """NaN where one kind of solution is missing."""
    acc_error: Floats
    acc_correct: Floats

    def at(self, threshold: float) -> float:
        """Return F1 at a threshold."""
        return float(self.f1[np.searchsorted(self.levels, threshold, side="left")])

    def plateau(self, tolerance: float = TOLERANCE) -> tuple[float, float, float]:
        """Return the best F1 and the range of thresholds around it that loses at most `tolerance`.

        The range is the unbroken one that holds the best threshold (of several the first): from
        above its lower end, to its upper end. Ends may be infinite.
        """
        best = int(np.nanargmax(self.f1))
        enough = self.f1 >= self.f1[best] - tolerance - 1e-12
        short = np.flatnonzero(~enough)
        before, after = short[short < best], short[short > best]
        low = self.levels[before[-1]] if before.size else -np.inf
        high = self.levels[after[0] - 1] if after.size else np.inf
        return float(self.f1[best]), float(low), float(high)


def threshold_curve(subsets: Sequence[Subset]) -> ThresholdCurve:
    """Return the figures at one common threshold, unweighted means over subsets.

    Args:
        subsets: at least one; of a single one the figures are its own.
    """
    ends = np.concatenate([end for one in subsets for end in (one.low, one.high)])
    levels = np.append(np.unique(ends[np.isfinite(ends)]), np.inf)
    error = np.stack([accuracies(one, one.error, levels) for one in subsets])
    correct = np.stack([accuracies(one, ~one.error, levels) for one in subsets])
    means = (part.mean(axis=0) for part in (harmonic(error, correct), error, correct))
    return ThresholdCurve(levels, *means)
