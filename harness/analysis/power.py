"""What a run of so many problems could have seen: the smallest difference, the problems needed.

For paired 0/1 outcomes of which a share ``psi`` is discordant, a true difference ``delta`` is
found with power ``1 - beta`` by the two-sided test at level ``alpha`` when

    delta * sqrt(n) = z(1 - alpha/2) * sqrt(psi) + z(1 - beta) * sqrt(psi - delta**2)

Source: Connor 1987, "Sample size for testing differences in proportions for the paired-sample
design", Biometrics 43, after Miettinen 1968. For fractions ``psi`` is the mean square of the
differences, which is the discordant share where all are -1, 0 or 1. With 10 % discordant problems,
1.8 points need 2,421 problems and 3.2 points 765.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from harness.stats.best_of_n import Floats

ALPHA, POWER = 0.05, 0.80

_NORMAL = NormalDist()
_Z_ALPHA = _NORMAL.inv_cdf(1 - ALPHA / 2)


@dataclass(frozen=True, slots=True)
class Power:
    """How well `n` problems tell two methods apart, before any correction for many tests."""

    n: int
    discordance: float
    """Mean square of the per-problem differences: the share of problems that only one solves."""

    @property
    def smallest(self) -> float:
        """The smallest difference found with 80 % power; NaN without problems."""
        return self.smallest_for(self.n)

    @classmethod
    def planned(cls, n: int, a: float, b: float, correlation: float) -> Power:
        """Power of `n` problems for accuracies not yet measured.

        Args:
            n: problems.
            a, b: the accuracies expected.
            correlation: of the two results over problems (`pairing`); 0 is no pairing at all.

        Raises:
            ValueError: an accuracy outside [0, 1], or a correlation that two such accuracies cannot
                have.
        """
        if not (0 <= a <= 1 and 0 <= b <= 1):
            raise ValueError(f"accuracies lie in [0, 1], not {a}, {b}")
        spread = math.sqrt(a * (1 - a) * b * (1 - b))
        both = a * b + correlation * spread
        if not max(0.0, a + b - 1) - 1e-12 <= both <= min(a, b) + 1e-12:
            raise ValueError(f"accuracies {a:g} and {b:g} cannot have correlation {correlation:g}")
        return cls(n, max(0.0, a + b - 2 * both))

    def smallest_for(self, n: int) -> float:
        """The same with `n` problems of this kind; 1 where no difference would be found."""
        if n < 1 or math.isnan(self.discordance):
            return math.nan
        # Square the formula: n d² - 2 z_a sqrt(n psi) d + z_a² psi = z_b² (psi - d²).
        psi, z_b = self.discordance, _NORMAL.inv_cdf(POWER)
        a, b, c = n + z_b**2, _Z_ALPHA * math.sqrt(n * psi), (_Z_ALPHA**2 - z_b**2) * psi
        square = b * b - a * c
        return min(1.0, (b + math.sqrt(square)) / a) if square >= 0 else 1.0

    def of(self, difference: float) -> float:
        """The chance of finding a true `difference` of this size with `n` problems."""
        size, psi = abs(difference), max(self.discordance, difference**2)
        gap = size * math.sqrt(self.n) - _Z_ALPHA * math.sqrt(psi)
        spread = math.sqrt(psi - size**2)
        return _NORMAL.cdf(gap / spread) if spread > 0 else float(gap >= 0)

    def needed(self, difference: float) -> int:
        """Problems with which a true `difference` would be found with 80 % power."""
        size, psi = abs(difference), max(self.discordance, difference**2)
        reach = _Z_ALPHA * math.sqrt(psi)
        reach += _NORMAL.inv_cdf(POWER) * math.sqrt(psi - size**2)
        return math.ceil((reach / size) ** 2)

    def sentence(self) -> str:
        """The power line of a report."""
        if not self.n or math.isnan(self.discordance):
            return "No problem in common: nothing can be separated."
        return (
            f"{self.n} problems can separate differences above {100 * self.smallest:.1f} points "
            f"(80 % power, two-sided 5 %, one comparison, "
            f"{100 * self.discordance:.1f} % discordant)."
        )


def pairing(a: Floats, b: Floats) -> float:
    """Correlation of two (P,) results over problems, those that either lacks left out.

    How much pairing helps: for equal variances, n problems compared in pairs tell as much as
    n / (1 - correlation) compared apart. NaN where one of the two does not vary.
    """
    known = ~(np.isnan(a) | np.isnan(b))
    left, right = a[known], b[known]
    if len(left) < 2 or np.ptp(left) == 0 or np.ptp(right) == 0:
        return math.nan
    return float(np.corrcoef(left, right)[0, 1])


def power_of(gaps: Floats) -> Power:
    """Return the power of (P,) paired differences, or the median over the columns of (P, T).

    Two problems are added, one won by either side, as in `harness.stats.compare`: without a
    difference seen, discordance is small but not known to be 0.
    """
    if not gaps.size:
        return Power(len(gaps), math.nan)
    table = gaps.reshape(len(gaps), -1)
    scale = np.abs(table).max(axis=0)
    scale[scale == 0] = 1.0
    psi = ((table**2).sum(axis=0) + 2 * scale**2) / (len(table) + 2)
    return Power(len(table), float(np.median(psi)))
