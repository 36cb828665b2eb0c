"""How often 95 % intervals hold the truth, by simulation: `python -m benchmarks.coverage`.

Every line draws sets of problems from a distribution whose mean is known, makes the interval that
tables and pages print, and counts how often it holds the mean. Seeded: the same numbers each time.
For 0/1 answers the truth is another one in each set: at a single one the coverage of any interval
jumps up and down with n, because counts are whole numbers (Brown, Cai and DasGupta 2001).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.analysis.contrast import paired
from harness.analysis.pseudo import pseudo_values
from harness.analysis.resample import bootstrap
from harness.stats import estimate
from harness.stats.best_of_n import Bools, Floats

SIZES = (30, 164, 500)
SETS = 10_000
FEWER = 2000
"""Of what is slow to make."""

Draw = Callable[[np.random.Generator, int, int], tuple[Floats, Floats]]
"""(rng, problems, sets) → (problems, sets) values and the truth of each set."""


@dataclass(frozen=True)
class Case:
    """An interval and what it is made of."""

    interval: str
    data: str
    held: Callable[[Floats, Floats], Bools]
    draw: Draw
    sets: int = SETS


def share(low: float, high: float) -> Draw:
    """0/1 answers with a mean between these."""

    def draw(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
        truth = rng.uniform(low, high, sets)
        return (rng.random((n, sets)) < truth).astype(float), truth

    return draw


def beta(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
    """Expected accuracies from 0 to 1, mean 2/3."""
    return rng.beta(2, 1, (n, sets)), np.full(sets, 2 / 3)


def accurate(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
    """Expected accuracies near 1, mean 0.9."""
    return rng.beta(9, 1, (n, sets)), np.full(sets, 0.9)


def repeated(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
    """Means of four graded answers, each right with 0.9."""
    return rng.binomial(4, 0.9, (n, sets)) / 4, np.full(sets, 0.9)


def decided(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
    """Six tenths are 1, two tenths 0, the rest between."""
    drawn = rng.random((n, sets))
    between = np.where(drawn < 0.8, 0.0, rng.random((n, sets)))
    return np.where(drawn < 0.6, 1.0, between), np.full(sets, 0.7)


def pair(won: float, lost: float) -> Draw:
    """Differences of two 0/1 answers; up to these shares of problems are discordant."""

    def draw(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
        up, down = (rng.uniform(top / 2, top, sets) for top in (won, lost))
        drawn = rng.random((n, sets))
        gaps = (drawn < up).astype(float) - ((drawn >= up) & (drawn < up + down))
        return gaps, up - down

    return draw


def fractions(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
    """Differences of two expected accuracies, half of them 0: a and its root, a ~ beta(.6, .6)."""
    a = rng.beta(0.6, 0.6, (n, sets))
    root = math.gamma(1.1) * math.gamma(1.2) / math.gamma(0.6) / math.gamma(1.7)
    gaps = np.where(rng.random((n, sets)) < 0.5, 0.0, np.sqrt(a) - a)
    return gaps, np.full(sets, 0.5 * (root - 0.5))


def two_tasks(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
    """Differences on two tasks, a quarter and three quarters of the problems."""
    small, one = pair(0.4, 0.2)(rng, n // 4, sets)
    large, other = pair(0.4, 0.2)(rng, n - n // 4, sets)
    return np.concatenate([small, large]), (one + other) / 2


def f1(rng: np.random.Generator, n: int, sets: int) -> tuple[Floats, Floats]:
    """Differences of F1 as pseudo-values: 0.8 and 0.6 on right solutions, 0.6 and 0.5 on wrong."""
    error = np.arange(n) < n // 2
    shared = rng.random((sets, n))
    other = np.where(rng.random((sets, n)) < 0.5, shared, rng.random((sets, n)))
    a = (shared < np.where(error, 0.6, 0.8)).astype(float)
    b = (other < np.where(error, 0.5, 0.6)).astype(float)
    truth = 2 * 0.6 * 0.8 / 1.4 - 2 * 0.5 * 0.6 / 1.1
    return (pseudo_values(a, error) - pseudo_values(b, error)).T, np.full(sets, truth)


def by_t(gaps: Floats, truth: Floats) -> Bools:
    """Hold the truth? By halves of problems added and Student's t."""
    found = paired(gaps)
    return (found.low <= truth) & (truth <= found.high)


def by_t_of_tasks(gaps: Floats, truth: Floats) -> Bools:
    """The same over two tasks."""
    n = len(gaps)
    found = paired(gaps, np.arange(n) < n // 4)
    return (found.low <= truth) & (truth <= found.high)


def by_bootstrap(gaps: Floats, truth: Floats) -> Bools:
    """Hold the truth? By the paired bootstrap."""
    low, high = bootstrap(gaps, draws=1000)
    return (low <= truth) & (truth <= high)


def by_estimate(values: Floats, truth: Floats) -> Bools:
    """Hold the truth? By the interval of a mean."""
    found = [estimate(own) for own in values.T]
    return np.array([one.low <= t <= one.high for one, t in zip(found, truth, strict=True)])


CASES = (
    Case("accuracy", "0/1, mean 50 to 90 %", by_estimate, share(0.5, 0.9)),
    Case("accuracy", "fractions, beta(2, 1)", by_estimate, beta),
    Case("accuracy", "fractions, beta(9, 1)", by_estimate, accurate),
    Case("accuracy", "means of 4 answers", by_estimate, repeated),
    Case("accuracy", "fractions, mostly 0 or 1", by_estimate, decided),
    Case("difference", "0/1, discordant 15 to 30 %", by_t, pair(0.2, 0.1)),
    Case("difference", "0/1, discordant 25 to 50 %", by_t, pair(0.25, 0.25)),
    Case("difference", "fractions, half of them 0", by_t, fractions),
    Case("difference", "mean of two tasks", by_t_of_tasks, two_tasks),
    Case("difference", "F1", by_t, f1, FEWER),
    Case(
        "difference, bootstrap", "0/1, discordant 25 to 50 %", by_bootstrap, pair(0.25, 0.25), FEWER
    ),
    Case("difference, bootstrap", "fractions, half of them 0", by_bootstrap, fractions, FEWER),
)


def coverage(case: Case, problems: int) -> float:
    """Return the share of sets whose interval holds the truth."""
    rng = np.random.default_rng((problems, CASES.index(case)))
    return float(np.mean(case.held(*case.draw(rng, problems, case.sets))))


def main() -> None:
    """Print the table of docs/statistics.md."""
    print("| interval | data | " + " | ".join(f"n = {n}" for n in SIZES) + " |")
    print("|---|---|" + "---|" * len(SIZES))
    for case in CASES:
        cells = [f"{100 * coverage(case, n):.1f}" for n in SIZES]
        print(f"| {case.interval} | {case.data} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
