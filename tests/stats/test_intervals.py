"""Intervals: against reference implementations, and by the share of truths they hold."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from harness.stats import estimate, share
from harness.stats.intervals import t_quantile, variance_of_mean


@pytest.mark.parametrize("count, total", [(0, 1), (0, 30), (1, 30), (29, 30), (250, 500), (7, 7)])
def test_binary_is_wilson(count, total):
    low, high = proportion_confint(count, total, 0.05, "wilson")
    values = [1.0] * count + [0.0] * (total - count)
    for got in (estimate(values), share(count, total)):
        assert (got.low, got.high) == pytest.approx((low, high), abs=1e-12)
        assert (got.value, got.n, got.clusters) == (count / total, total, total)
        assert got.method == "wilson"


def test_t_quantile_is_scipys():
    from scipy.stats import t

    assert [t_quantile(f) for f in (1, 5, 499)] == pytest.approx(t.ppf(0.975, [1, 5, 499]))


def test_cluster_robust_variance_is_statsmodels():
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 12, 80)
    labels[:12] = np.arange(12)
    values = rng.random(80)
    fit = sm.OLS(values, np.ones(80)).fit(
        cov_type="cluster", cov_kwds={"groups": labels, "use_correction": False}
    )
    got = variance_of_mean(values, labels)
    assert got == pytest.approx(fit.cov_params().item() * 12 / 11, rel=1e-9)


def test_variance_without_clusters_is_the_usual_one():
    values = np.random.default_rng(1).random(40)
    assert variance_of_mean(values, np.arange(40)) == pytest.approx(values.var(ddof=1) / 40)


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=40),
    st.integers(1, 8),
)
def test_holds_the_mean_stays_in_range_and_is_never_a_point(values, repeats):
    labels = np.arange(len(values)) // repeats
    for got in (estimate(values), estimate(values, labels)):
        assert 0 <= got.low <= got.value <= got.high <= 1
        assert got.high - got.low > 0
        assert got.value == pytest.approx(np.mean(values))


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_two_equal_problems_are_not_certain(value):
    got = estimate([value, value])
    assert got.high - got.low > 0.4


def test_nan_is_left_out_and_not_counted():
    got = estimate([1.0, math.nan, 0.0, math.nan], ["a", "b", "a", "b"])
    assert (got.value, got.n, got.clusters) == (0.5, 2, 1)


def test_nothing_left():
    got = estimate([math.nan])
    assert (got.n, got.clusters, got.method) == (0, 0, "none")
    assert all(map(math.isnan, (got.value, got.low, got.high)))
    assert (share(0, 0).n, share(0, 0).method) == (0, "none")


def test_every_value_its_own_cluster_is_no_cluster():
    values = np.random.default_rng(2).random(50)
    assert estimate(values, np.arange(50)[::-1]) == estimate(values)


def test_copies_of_a_problem_add_nothing():
    values = (np.random.default_rng(3).random(60) < 0.4).astype(float)
    once = estimate(values)
    thrice = estimate(np.repeat(values, 3), np.repeat(np.arange(60), 3))
    assert (thrice.n, thrice.clusters) == (180, 60)
    # The same n of independent answers; Student's t makes it a little wider.
    assert once.high - once.low < thrice.high - thrice.low < 1.04 * (once.high - once.low)


def test_one_cluster_says_nothing():
    got = estimate([0.2, 0.4, 0.9], ["x", "x", "x"])
    assert (got.low, got.high) == (0.0, 1.0)


def mixture(rng, size):
    """Half whole answers, half fractions."""
    whole = (rng.random(size) < 0.6).astype(float)
    return np.where(rng.random(size) < 0.5, whole, rng.random(size))


DISTRIBUTIONS = {
    "0/1, .5": (0.5, lambda rng, size: (rng.random(size) < 0.5).astype(float)),
    "0/1, .95": (0.95, lambda rng, size: (rng.random(size) < 0.95).astype(float)),
    "0/1, .02": (0.02, lambda rng, size: (rng.random(size) < 0.02).astype(float)),
    "beta(.3, .3)": (0.5, lambda rng, size: rng.beta(0.3, 0.3, size)),
    "beta(.1, .9)": (0.1, lambda rng, size: rng.beta(0.1, 0.9, size)),
    "beta(.05, 1.5)": (0.05 / 1.55, lambda rng, size: rng.beta(0.05, 1.5, size)),
    "beta(5, .3)": (5 / 5.3, lambda rng, size: rng.beta(5, 0.3, size)),
    "beta(2, 2)": (0.5, lambda rng, size: rng.beta(2, 2, size)),
    "mixture": (0.55, mixture),
    "means of 4": (0.5, lambda rng, size: rng.binomial(4, rng.beta(0.5, 0.5, size)) / 4),
}


@pytest.mark.parametrize("n, top", [(30, 0.997), (164, 0.98), (500, 0.97)])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_coverage_is_never_far_below_95_per_cent(name, n, top):
    mean, draw = DISTRIBUTIONS[name]
    rng = np.random.default_rng(n)
    samples = draw(rng, (2000, n))
    held = [e.low <= mean <= e.high for e in map(estimate, samples)]
    # 0.93 less than two standard errors of the simulation; narrow fractions on few problems are
    # covered more often than asked, because the spread is drawn towards that of 0/1 values.
    assert 0.92 <= np.mean(held) <= top


@pytest.mark.parametrize("groups, top", [(10, 0.997), (30, 0.985), (164, 0.975)])
@pytest.mark.parametrize("a, b", [(1.0, 1.0), (0.1, 2.0)])
def test_coverage_of_repeated_problems(groups, top, a, b):
    rng = np.random.default_rng(groups)
    labels = np.repeat(np.arange(groups), 4)
    held, ignoring = [], []
    for _ in range(1000):
        answers = (rng.random(4 * groups) < np.repeat(rng.beta(a, b, groups), 4)).astype(float)
        clustered, plain = estimate(answers, labels), estimate(answers)
        held.append(clustered.low <= a / (a + b) <= clustered.high)
        ignoring.append(plain.low <= a / (a + b) <= plain.high)
    assert 0.925 <= np.mean(held) <= top
    assert np.mean(ignoring) < 0.92


@pytest.mark.parametrize(
    "values, clusters, message",
    [
        ([1.2], None, "lie in"),
        ([-0.1], None, "lie in"),
        ([[1.0]], None, "shapes"),
        ([1.0, 0.0], [1], "shapes"),
    ],
)
def test_refuses(values, clusters, message):
    with pytest.raises(ValueError, match=message):
        estimate(values, clusters)


def test_share_refuses_more_than_all():
    with pytest.raises(ValueError, match="3 out of 2"):
        share(3, 2)
