"""Scores of whole solutions within a problem, by pairs counted one by one and by scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from harness.stats import (
    given_length_correlation,
    length_correlation,
    probe_change,
    within_auroc,
)
from harness.stats.labelled import resamplings

SHAPE = (5, 6)


def pool(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.choice([-np.inf, 0.1, 0.1, 0.4, 0.9], SHAPE)
    lengths = rng.integers(1, 5, SHAPE).astype(float)
    return scores, lengths, rng.choice([0.0, 1.0, np.nan], SHAPE)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_auroc_by_counting_pairs(seed: int) -> None:
    scores, _, correct = pool(seed)
    found = within_auroc(scores, correct)
    won = [
        (a > b) + (a == b) / 2
        for values, own in zip(scores, correct, strict=True)
        for a, right in zip(values, own, strict=True)
        for b, other in zip(values, own, strict=True)
        if right == 1 and other == 0 and math.isfinite(a) and math.isfinite(b)
    ]
    assert (found.n > 0) == bool(won)
    if won:
        assert found.value == pytest.approx(np.mean(won))
        assert found.low <= found.value <= found.high


def test_one_group_has_spearmans_correlation() -> None:
    rng = np.random.default_rng(2)
    scores, lengths = rng.random((1, 40)), rng.integers(1, 9, (1, 40)).astype(float)
    both, right, wrong = length_correlation(scores, lengths, np.ones((1, 40)))
    expected = spearmanr(scores[0], lengths[0]).statistic
    assert both.value == pytest.approx(expected) and right.value == pytest.approx(expected)
    assert wrong.n == 0 and math.isnan(wrong.value)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_groups_are_pooled_by_the_definition(seed: int) -> None:
    scores, lengths, correct = pool(seed)
    xs: list[float] = []
    ys: list[float] = []
    for values, sizes, own in zip(scores, lengths, correct, strict=True):
        for kind in (0.0, 1.0):
            kept = (own == kind) & np.isfinite(values)
            a, b = values[kept], sizes[kept]
            if len(set(a)) > 1 and len(set(b)) > 1:
                for one, ranks in ((a, xs), (b, ys)):
                    r = [(one < v).sum() + ((one == v).sum() + 1) / 2 for v in one]
                    ranks += list(np.array(r) - np.mean(r))
    both, _, _ = length_correlation(scores, lengths, correct)
    assert both.n == len(xs)
    if xs:
        assert both.value == pytest.approx(np.corrcoef(xs, ys)[0, 1])
        assert both.low <= both.value <= both.high


def test_correctness_and_difficulty_explain_nothing_here() -> None:
    """Wrong ones are longer and score less, hard problems too; given both, length says nothing."""
    rng = np.random.default_rng(3)
    right = rng.random((200, 16)) < rng.random((200, 1))
    hard = rng.random((200, 1))
    lengths = 10 + 20 * hard + 10 * ~right + rng.integers(0, 5, right.shape)
    scores = 0.5 * right - 0.3 * hard + 0.1 * rng.random(right.shape)
    assert spearmanr(scores.ravel(), lengths.ravel()).statistic < -0.5
    both, one, other = length_correlation(scores, lengths, right)
    assert all(e.low < 0 < e.high and abs(e.value) < 0.1 for e in (both, one, other))
    longer = length_correlation(scores + 0.02 * lengths, lengths, right)
    assert all(e.low > 0.3 for e in longer)


def test_given_solutions_by_hand() -> None:
    """Right ones: ranks 1 2 3 of length meet 3 1 2 of score. Wrong ones: 1 2 meet 1 2."""
    found = given_length_correlation(
        [0.9, 0.2, 0.5, 0.1, 0.4, -np.inf], [2, 3, 7, 1, 9, 5], [1, 1, 1, 0, 0, 1]
    )
    # Products of centred ranks: right -1 of 2 and 2, wrong 0.5 of 0.5 and 0.5.
    assert [one.value for one in found] == pytest.approx([-0.5 / 2.5, -0.5, 1])
    assert [one.n for one in found] == [5, 3, 2]
    # All of one length, or of one score, say nothing.
    same = given_length_correlation([0.9, 0.2, 0.4, 0.4], [3, 3, 1, 2], [1, 1, 0, 0])
    assert [one.n for one in same] == [0, 0, 0] and math.isnan(same[0].value)
    assert [one.n for one in given_length_correlation([], [], [])] == [0, 0, 0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_given_solutions_have_the_pool_s_correlation_as_one_group(seed: int) -> None:
    scores, lengths, correct = (one.ravel() for one in pool(seed))
    found = given_length_correlation(scores, lengths, correct)
    expected = length_correlation(scores[None], lengths[None], correct[None])
    for one, other in zip(found, expected, strict=True):
        assert (one.value, one.n) == (pytest.approx(other.value, nan_ok=True), other.n)
        assert one.n == 0 or -1 - 1e-9 <= one.low <= one.value <= one.high <= 1 + 1e-9


@pytest.mark.parametrize("several", [False, True])
def test_given_solutions_intervals_are_scipy_s_of_drawn_problems(several: bool) -> None:
    rng = np.random.default_rng(5)
    scores, lengths = rng.integers(0, 6, 40) / 5, rng.integers(1, 9, 40)
    problems = np.arange(40) // 3 if several else np.arange(40)
    found = given_length_correlation(
        scores, lengths, np.ones(40), problems if several else None, seed=4
    )[1]
    drawn = []
    for times in resamplings(problems.max() + 1, 4):
        rows = np.repeat(np.arange(40), times[problems])
        drawn.append(spearmanr(scores[rows], lengths[rows]).statistic)
    assert found.value == pytest.approx(spearmanr(scores, lengths).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))))
    assert (found.n, found.clusters) == (40, problems.max() + 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_a_probe_s_change_by_counting(seed: int, right: bool) -> None:
    before, _, correct = pool(seed)
    after, _, _ = pool(seed + 1)
    change, rises = probe_change(before, after, correct, right)
    moved = [
        b - a
        for a, b, own in zip(before.flat, after.flat, correct.flat, strict=True)
        if math.isfinite(a) and math.isfinite(b) and own == float(right)
    ]
    assert (change.n, rises.n) == (len(moved), len(moved))
    if moved:
        assert change.value == pytest.approx(np.mean(moved))
        assert rises.value == pytest.approx(np.mean([step > 0 for step in moved]))
        assert change.low <= change.value <= change.high
        assert 0 <= rises.low <= rises.value <= rises.high <= 1
