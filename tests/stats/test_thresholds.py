"""F1 at every threshold: against evaluation at each of them, and where scores crowd."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import Judged, Subset, evaluate, first_below, threshold_curve, tune

SCORES = st.lists(st.sampled_from([-2.0, 0.1, 0.25, 0.5, 0.9, 3.0]), min_size=1, max_size=4)


@st.composite
def solutions(draw: st.DrawFn) -> list[Judged]:
    """At least one with and one without an error."""
    made = [Judged((0.3,), 0), Judged((0.6, 0.5), -1)]
    for scores in draw(st.lists(SCORES, max_size=6)):
        made.append(Judged(tuple(scores), draw(st.integers(-1, len(scores) - 1))))
    return made


def brute(items: list[Judged], threshold: float) -> tuple[float, float]:
    """Error found, correct kept: by the definition."""
    found = [(first_below(one.scores, threshold) == one.label, one.label >= 0) for one in items]
    return (
        float(np.mean([hit for hit, wrong in found if wrong])),
        float(np.mean([hit for hit, wrong in found if not wrong])),
    )


@settings(max_examples=100, deadline=None)
@given(solutions(), solutions())
def test_every_threshold_by_definition(one: list[Judged], other: list[Judged]) -> None:
    curve = threshold_curve([Subset.of("one", one), Subset.of("other", other)])
    scores = sorted({score for item in one + other for score in item.scores})
    between = [(a + b) / 2 for a, b in itertools.pairwise(scores)]
    for threshold in (*scores, *between, scores[0] - 1, scores[-1] + 1):
        parts = [brute(items, threshold) for items in (one, other)]
        f1 = np.mean([2 * a * b / (a + b) if a + b else 0.0 for a, b in parts])
        assert curve.at(threshold) == pytest.approx(f1)
        place = int(np.searchsorted(curve.levels, threshold))
        assert curve.acc_error[place] == pytest.approx(np.mean([a for a, _ in parts]))
        assert curve.acc_correct[place] == pytest.approx(np.mean([b for _, b in parts]))


@settings(max_examples=100, deadline=None)
@given(solutions(), st.sampled_from([0.0, 0.1, 0.3]))
def test_the_plateau_is_the_unbroken_range_around_the_best(
    items: list[Judged], tolerance: float
) -> None:
    subset = Subset.of("one", items)
    curve = threshold_curve([subset])
    best, low, high = curve.plateau(tolerance)
    assert best == pytest.approx(evaluate([subset], [tune(subset)]).f1.value)
    inside = [level for level in curve.levels if low < level <= high]
    assert inside and all(curve.at(level) >= best - tolerance - 1e-9 for level in inside)
    assert low == -math.inf or curve.at(low) < best - tolerance
    if high < math.inf:
        assert curve.at(np.nextafter(high, np.inf)) < best - tolerance


def test_scores_that_crowd_around_one_half() -> None:
    """Log-ratios times 0.001 through a sigmoid differ in the fourth digit; a grid of 1,000 would
    see two or three thresholds of all."""
    rng = np.random.default_rng(0)
    items = []
    for i in range(300):
        label = int(rng.integers(-1, 4))
        raw = rng.normal(0.5, 0.3, 4)
        if label >= 0:
            raw[label] -= 1.0
        items.append(Judged(tuple(1 / (1 + np.exp(-0.001 * raw))), label if i % 2 else -1))
    subset = Subset.of("crowded", items)
    best, low, high = threshold_curve([subset]).plateau()
    grid = max(threshold_curve([subset]).at(t) for t in np.arange(0, 1, 0.001))
    assert best > grid + 0.02
    assert 0 < high - low < 5e-4


def test_one_kind_of_solution_has_no_f1() -> None:
    curve = threshold_curve([Subset.of("right", [Judged((0.5,), -1)])])
    assert np.isnan(curve.f1).all() and np.isnan(curve.acc_error).all()
    assert curve.acc_correct.tolist() == [1.0, 0.0]
