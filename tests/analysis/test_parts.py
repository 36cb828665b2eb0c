"""The parts against brute force: PCHIP, Holm, paired tests, resamples, power."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from harness.analysis.contrast import holm, paired
from harness.analysis.pchip import Pchip
from harness.analysis.power import Power, pairing, power_of
from harness.analysis.resample import bootstrap, percentiles, resamples
from harness.stats import compare
from harness.stats.paired import mcnemar

SEEDS = st.integers(0, 2**32 - 1)


# --- interpolation -------------------------------------------------------------------------------


@given(SEEDS, st.integers(2, 9))
def test_interpolation_is_scipys(seed: int, knots: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.05, 2, (4, knots)), axis=1)
    y = rng.uniform(0, 1, (4, knots)).round(1)
    at = np.stack([rng.uniform(row[0], row[-1], 11) for row in x])
    expected = [PchipInterpolator(x[i], y[i])(at[i]) for i in range(4)]
    np.testing.assert_allclose(expected, Pchip(x, y)(at), atol=1e-10)


def test_beyond_the_ends_the_end_is_kept_and_ties_are_no_fault() -> None:
    curve = Pchip(np.array([[1.0, 2.0, 2.0, 1.5]]), np.array([[0.2, 0.4, 0.6, 0.7]]))
    read = curve(np.array([0.0, 1.0, 2.0, 9.0]))
    assert read[0, 0] == read[0, 1] == 0.2
    assert read[0, 3] == 0.7
    assert 0.4 - 1e-6 <= read[0, 2] <= 0.7


@given(SEEDS)
def test_where_a_level_is_first_reached(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.1, 1, (5, 6)), axis=1)
    y = rng.uniform(0, 1, (5, 6))
    level = rng.uniform(0, 1.1, 5)
    found = Pchip(x, y).first_at_least(level)
    for i in range(5):
        fine = np.linspace(x[i, 0], x[i, -1], 20_001)
        above = PchipInterpolator(x[i], y[i])(fine) >= level[i]
        if not (y[i] >= level[i]).any():
            assert found[i] == math.inf
        elif y[i, 0] >= level[i]:
            assert found[i] == -math.inf
        else:
            assert found[i] == pytest.approx(fine[above.argmax()], abs=1e-3)


# --- tests ---------------------------------------------------------------------------------------


@settings(max_examples=20)  # a tenth of a second each, in statsmodels
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(multipletests(p, method="holm")[1], holm(p), atol=1e-12)


def test_holm_leaves_out_what_was_not_tested() -> None:
    np.testing.assert_array_equal([0.02, math.nan, 0.5], holm([0.01, math.nan, 0.5]))
    assert holm([]).shape == (0,)


@given(SEEDS, st.integers(2, 60), st.sampled_from([1, 4]))
def test_intervals_are_those_of_compare(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, levels + 1, (2, n, 3)) / levels
    found = paired(a - b)
    for column in range(3):
        expected = compare("a", "b", a[:, column], b[:, column]).difference
        one = found.estimate(column)
        assert (expected.n, expected.method) == (one.n, one.method)
        for name in ("value", "low", "high"):
            assert getattr(one, name) == pytest.approx(getattr(expected, name), abs=1e-12)
        inside = one.low <= 0 <= one.high
        assert inside == (found.p[column] >= 0.05) or abs(found.p[column] - 0.05) < 1e-9


@pytest.mark.parametrize(("won", "lost", "n"), [(20, 0, 40), (5, 0, 40), (30, 10, 500), (9, 1, 60)])
def test_p_follows_mcnemars_mid_p(won: int, lost: int, n: int) -> None:
    gaps = np.array([1.0] * won + [-1.0] * lost + [0.0] * (n - won - lost))
    assert paired(gaps[:, None]).p[0] == pytest.approx(mcnemar(won, lost, mid=True), rel=0.35)


def test_no_problem_no_number() -> None:
    assert np.isnan(paired(np.empty((0, 2))).mean).all()


# --- resamples -----------------------------------------------------------------------------------


def test_resampled_means_are_those_of_a_loop() -> None:
    rng = np.random.default_rng(5)
    values, spread = rng.random((7, 3)), rng.random((2, 7, 3))
    drawn = resamples(7, replicas=[2], draws=50, seed=3)
    assert drawn.replicas is not None
    for s in range(50):
        rows = np.repeat(np.arange(7), drawn.problems[s].astype(int))
        assert len(rows) == 7
        np.testing.assert_allclose(values[rows].mean(axis=0), drawn.means(values)[s])
        reps = np.repeat(np.arange(2), drawn.replicas[2][s].astype(int))
        assert len(reps) == 2
        crossed = spread[reps][:, rows].mean(axis=(0, 1))
        np.testing.assert_allclose(crossed, drawn.replicated_means(spread)[s])


def test_resamples_are_seeded_and_shared() -> None:
    one, same, other = (resamples(9, draws=20, seed=seed).problems for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    crossed = resamples(9, replicas=[3, 5], draws=20, seed=1)
    np.testing.assert_array_equal(one, crossed.problems)


def _coverage(shared: float, crossed: bool, sets: int = 300) -> float:
    """How often the interval of a mean over 100 problems and 3 replicas holds the truth."""
    rng = np.random.default_rng(11)
    held = 0
    for number in range(sets):
        chance = rng.beta(1.5, 1.0, 100) + shared * rng.standard_normal(3)[:, None]
        spread = (rng.random((3, 100)) < chance)[:, :, None].astype(float)
        drawn = resamples(100, replicas=[3] if crossed else [], draws=400, seed=number)
        low, high = percentiles(drawn.replicated_means(spread))
        held += bool(low[0] <= 0.6 <= high[0])
    return held / sets


def test_replicas_are_kept_together_unless_they_share_something() -> None:
    assert 0.91 <= _coverage(0.0, crossed=False) <= 0.98
    assert _coverage(0.0, crossed=True) >= 0.95
    assert _coverage(0.05, crossed=False) < _coverage(0.05, crossed=True) - 0.05


@pytest.mark.parametrize("n", [2, 30, 500])
def test_bootstrap_follows_students_interval(n: int) -> None:
    gaps = np.random.default_rng(n).normal(0.1, 0.2, (n, 1)) if n > 2 else np.array([[0.1], [0.3]])
    low, high = bootstrap(gaps, draws=20_000)
    half = student.ppf(0.975, n - 1) * gaps.std(ddof=1) / math.sqrt(n)
    if n == 2:
        assert (low[0], high[0]) == (0.1, 0.3)  # no resample reaches further
    else:
        assert (low[0], high[0]) == pytest.approx(
            (gaps.mean() - half, gaps.mean() + half), abs=0.12 * half
        )


def test_bootstrap_of_replicas_keeps_them_or_draws_them() -> None:
    spread = np.random.default_rng(1).normal(0, 0.3, (4, 60, 2))
    kept, plain = bootstrap(spread), bootstrap(spread.mean(axis=0))
    np.testing.assert_allclose(plain, kept)
    low, high = bootstrap(spread, crossed=True)
    assert (high - low > kept[1] - kept[0]).all()


# --- power ---------------------------------------------------------------------------------------


def test_the_published_numbers() -> None:
    """With 10 % discordant problems 1.8 points need about 2,400 problems, 3.2 about 760."""
    power = Power(500, 0.10)
    assert power.needed(0.018) == 2421
    assert power.needed(0.032) == 765
    assert power.smallest_for(2421) == pytest.approx(0.018, abs=1e-5)
    assert power.of(power.smallest) == pytest.approx(0.80, abs=1e-9)
    assert power.sentence() == (
        "500 problems can separate differences above 4.0 points "
        "(80 % power, two-sided 5 %, one comparison, 10.0 % discordant)."
    )


@pytest.mark.parametrize(("n", "discordance"), [(164, 0.2), (500, 0.1)])
def test_power_is_what_a_simulation_finds(n: int, discordance: float) -> None:
    delta = Power(n, discordance).smallest
    rng = np.random.default_rng(2)
    won, lost = (discordance + delta) / 2, (discordance - delta) / 2
    kinds = rng.choice([1.0, -1.0, 0.0], p=[won, lost, 1 - discordance], size=(n, 4000))
    tested = paired(kinds)
    found = tested.p < 0.05
    assert (tested.mean[found] > 0).mean() > 0.999
    assert found.mean() == pytest.approx(0.80, abs=0.035)


def test_discordance_is_that_of_the_gaps_and_never_nothing() -> None:
    gaps = np.array([1.0] * 6 + [-1.0] * 4 + [0.0] * 90)
    assert power_of(gaps).discordance == pytest.approx(12 / 102)
    assert power_of(np.zeros(98)).discordance == pytest.approx(0.02)
    assert math.isnan(power_of(np.empty((5, 0))).smallest)
    assert Power(2, 0.5).smallest == 1.0
    assert "nothing can be separated" in power_of(np.empty((0, 1))).sentence()


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7])
def test_planned_power_knows_the_pairing(correlation: float) -> None:
    """Answers drawn with the planned accuracies and correlation have the planned discordance."""
    a, b = 0.62, 0.55
    both = a * b + correlation * math.sqrt(a * (1 - a) * b * (1 - b))
    shares = [both, a - both, b - both, 1 - a - b + both]
    drawn = np.random.default_rng(3).choice(4, p=shares, size=200_000)
    left, right = np.isin(drawn, (0, 1)) * 1.0, np.isin(drawn, (0, 2)) * 1.0
    planned = Power.planned(500, a, b, correlation)
    assert planned.discordance == pytest.approx(((left - right) ** 2).mean(), abs=0.004)
    assert pairing(left, right) == pytest.approx(correlation, abs=0.01)
    assert planned.needed(a - b) == pytest.approx(power_of(left - right).needed(a - b), rel=0.03)


def test_the_more_alike_the_fewer_problems() -> None:
    needed = [Power.planned(500, 0.6, 0.57, r).needed(0.03) for r in (0.0, 0.5, 0.9)]
    assert needed[0] > 1.8 * needed[1] > 6 * needed[2]


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot have correlation 1"):
        Power.planned(500, 0.9, 0.5, 1.0)
    with pytest.raises(ValueError, match="lie in"):
        Power.planned(500, 1.2, 0.5, 0.0)
    assert math.isnan(pairing(np.ones(5), np.arange(5.0)))
    assert pairing(np.array([1, 0, 1, np.nan]), np.array([1, 0, 1, 0.0])) == pytest.approx(1)
