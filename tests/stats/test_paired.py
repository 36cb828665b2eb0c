"""Paired comparisons: against reference tests, and by how often they err."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar

from harness.stats import compare
from harness.stats.paired import FLIPS, mcnemar, sign_flip


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_statsmodels(only_a, only_b):
    expected = reference_mcnemar([[10, only_a], [only_b, 10]], exact=True).pvalue
    assert mcnemar(only_a, only_b) == pytest.approx(min(1.0, expected), abs=1e-12)


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 12), st.integers(0, 12))
def test_mid_p_counts_what_was_seen_by_half(only_a, only_b):
    """Against a sum over all outcomes: those less likely than the seen one, and half of that."""
    total = only_a + only_b
    chance = [math.comb(total, k) / 2**total for k in range(total + 1)]
    seen = chance[only_a]
    expected = sum(one if one < seen else 0.5 * one for one in chance if one <= seen)
    assert mcnemar(only_a, only_b, mid=True) == pytest.approx(expected if total else 1.0)


def test_binary_results_use_mcnemar():
    a = np.array([1.0] * 12 + [0.0] * 3 + [1.0] * 20 + [0.0] * 15)
    b = np.array([0.0] * 12 + [1.0] * 3 + [1.0] * 20 + [0.0] * 15)
    got = compare("a", "b", a, b)
    assert (got.only_a, got.only_b, got.test) == (12.0, 3.0, "mcnemar-exact")
    assert got.p == pytest.approx(mcnemar(12, 3))
    assert got.difference.value == pytest.approx(9 / 50)
    assert got.separable


def test_binary_interval_adds_half_a_problem_of_each_kind():
    """Bonett and Price's formula with 1/2 for their 1, n + 1 for n + 2, and Student's t."""
    a, b = np.zeros(500), np.zeros(500)
    a[:30], b[30:40] = 1.0, 1.0
    p_a, p_b = 30.5 / 501, 10.5 / 501
    half = t.ppf(0.975, 500) * math.sqrt((p_a + p_b - (p_a - p_b) ** 2) / 500)
    got = compare("a", "b", a, b).difference
    assert got.low == pytest.approx(p_a - p_b - half, rel=1e-12)
    assert got.high == pytest.approx(p_a - p_b + half, rel=1e-12)


def test_a_difference_is_separable_when_interval_and_exact_test_agree():
    """5 of 40 problems won and none lost: the interval excludes 0, McNemar's exact p is 0.063."""
    a, b = np.zeros(40), np.zeros(40)
    a[:5] = 1.0
    five = compare("a", "b", a, b)
    a[5] = 1.0
    six = compare("a", "b", a, b)
    assert five.difference.low > 0
    assert five.p == pytest.approx(0.0625)
    assert not five.separable
    assert five.sentence().endswith("not separable at this n.")
    assert six.separable


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(-20, 20), min_size=1, max_size=9))
def test_few_differences_count_every_sign_pattern(twentieths):
    gaps = [count / 20 for count in twentieths]
    observed = abs(sum(gaps)) * (1 - 1e-9) - 1e-12
    patterns = list(product((-1, 1), repeat=len(gaps)))
    hits = [abs(np.dot(signs, gaps)) >= observed for signs in patterns]
    assert sign_flip(np.array(gaps), seed=0) == pytest.approx(np.mean(hits), abs=1e-12)


def test_drawn_sign_patterns_agree_with_the_normal_limit():
    from scipy.stats import norm

    gaps = np.random.default_rng(0).normal(0.05, 0.4, 300)
    expected = 2 * norm.sf(abs(gaps.sum()) / math.sqrt((gaps**2).sum()))
    error = math.sqrt(expected * (1 - expected) / FLIPS)
    assert abs(sign_flip(gaps, seed=0) - expected) < 5 * error + 0.002


def test_agrees_with_scipys_permutation_test():
    from scipy.stats import permutation_test

    gaps = np.random.default_rng(5).normal(0.3, 1.0, 11)
    reference = permutation_test(
        (gaps,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert sign_flip(gaps, seed=0) == pytest.approx(reference.pvalue)


def test_same_seed_same_p_another_seed_nearly():
    rng = np.random.default_rng(1)
    a, b = rng.random(100), rng.random(100)
    first, second, third = (compare("a", "b", a, b, seed=s) for s in (3, 3, 4))
    assert first == second
    assert first.p != third.p
    assert first.p == pytest.approx(third.p, abs=0.02)


def test_a_drawn_p_is_never_zero():
    assert sign_flip(np.ones(200), seed=0) == 1 / (FLIPS + 1)


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_identical_results_have_p_1_and_an_interval_around_0(value):
    same = np.full(200, value)
    got = compare("a", "b", same, same)
    assert got.p == 1.0
    assert got.difference.low < 0 < got.difference.high
    assert not got.separable


def test_swapping_the_sides_mirrors_everything():
    rng = np.random.default_rng(2)
    a, b = rng.random(60), rng.random(60) ** 2
    one, other = compare("a", "b", a, b), compare("b", "a", b, a)
    assert one.p == other.p
    assert (one.only_a, one.only_b) == (other.only_b, other.only_a)
    assert one.difference.low == pytest.approx(-other.difference.high)


def test_only_a_and_only_b_are_expected_numbers_of_problems():
    got = compare("a", "b", [1.0, 0.5, 0.0, 0.2], [0.5, 0.5, 0.25, 0.2])
    assert (got.only_a, got.only_b) == (0.5, 0.25)
    one_side = compare("a", "b", [1.0, 0.5], [0.0, 0.5])
    assert str(one_side.only_b) == "0.0"  # tables print it: nothing lost is not minus nothing
    assert got.difference.value == pytest.approx(0.25 / 4)


def test_a_problem_that_either_lacks_is_left_out():
    nan = math.nan
    got = compare("a", "b", [1.0, nan, 1.0, 0.0], [0.0, 1.0, nan, 0.0])
    assert (got.difference.n, got.only_a, got.only_b) == (2, 1.0, 0.0)
    assert got.test == "mcnemar-exact"


def test_no_problem_in_common():
    got = compare("a", "b", [math.nan, 1.0], [1.0, math.nan])
    assert (got.difference.n, got.test) == (0, "none")
    assert math.isnan(got.p)
    assert not got.separable


def test_repeated_problems_are_flipped_together():
    rng = np.random.default_rng(6)
    base_a, base_b = (rng.random(20) < 0.7).astype(float), (rng.random(20) < 0.4).astype(float)
    labels = np.repeat(np.arange(20), 10)
    a, b = np.repeat(base_a, 10), np.repeat(base_b, 10)
    apart, together = compare("a", "b", a, b), compare("a", "b", a, b, clusters=labels)
    assert (together.test, together.difference.clusters) == ("sign-flip", 20)
    # Ten copies of each problem are no more evidence than one.
    once = compare("a", "b", base_a, base_b)
    assert together.p == pytest.approx(once.p, abs=0.02)
    assert apart.p < 0.01 * together.p


@pytest.mark.parametrize("up, down", [(0.05, 0.05), (0.01, 0.1), (0.15, 0.2)])
@pytest.mark.parametrize("n", [30, 164, 500])
def test_coverage_of_binary_differences(up, down, n):
    rng = np.random.default_rng(n)
    held = []
    for _ in range(1500):
        u = rng.random(n)
        a, b = (u < up).astype(float), ((u >= up) & (u < up + down)).astype(float)
        interval = compare("a", "b", a, b).difference
        held.append(interval.low <= up - down <= interval.high)
    assert np.mean(held) >= 0.935


def test_the_sign_flip_test_errs_in_5_per_cent_at_most():
    rng = np.random.default_rng(9)
    p = [sign_flip(np.where(rng.random(12) < 0.5, 1, -1) * rng.random(12), 0) for _ in range(2000)]
    assert np.mean(np.array(p) <= 0.05) <= 0.062


@pytest.mark.parametrize("a, b, message", [([1.0], [1.0, 0.0], "shapes"), ([2.0], [1.0], "lie in")])
def test_refuses(a, b, message):
    with pytest.raises(ValueError, match=message):
        compare("a", "b", a, b)
