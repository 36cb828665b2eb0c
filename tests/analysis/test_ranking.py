"""Ranks and tie groups: against a loop over pairs, and by how often they err."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from harness.analysis.contrast import holm, paired
from harness.analysis.pseudo import prm_score_values, pseudo_values
from harness.analysis.ranking import rank, tie_groups
from harness.stats import Labelled, prm_score, step_counts
from harness.stats.best_of_n import Floats
from harness.stats.first_error import harmonic

SEEDS = st.integers(0, 2**32 - 1)


def answers(rng: np.random.Generator, truths: np.ndarray, problems: int) -> np.ndarray:
    """0/1 answers of entries that share the difficulty of problems: (N, P)."""
    hard = rng.random(problems)
    shared = rng.random((len(truths), problems)) < 0.7
    return (np.where(shared, hard, rng.random(shared.shape)) < truths[:, None]).astype(float)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(2, 7), st.integers(3, 80), st.booleans())
def test_ranks_are_those_of_a_loop_over_pairs(seed, entries, problems, holes):
    rng = np.random.default_rng(seed)
    values = answers(rng, rng.uniform(0.1, 0.9, entries), problems)
    if holes:
        values[rng.random(values.shape) < 0.2] = np.nan
    found = rank(values)
    claims, p = [], []
    for i in range(entries):
        for j in range(entries):
            if i != j:
                gap = values[i] - values[j]
                gap = gap[~np.isnan(gap)]
                tested = paired(gap[:, None])
                one = tested.p[0] / 2 if tested.mean[0] > 0 else 1 - tested.p[0] / 2
                claims.append((i, j))
                p.append(one)
                assert found.problems[i, j] == len(gap)
                if len(gap):
                    assert found.difference[i, j] == pytest.approx(gap.mean())
    known = [k for k, one in enumerate(p) if not math.isnan(one)]
    kept = holm([p[k] for k in known]) < 0.05
    better = {claims[k] for k, right in zip(known, kept, strict=True) if right}
    for i in range(entries):
        worse_than = sum(j == i for _, j in better)
        better_than = sum(j == i for j, _ in better)
        assert (1 + worse_than, entries - better_than) == (found.low[i], found.high[i])


def test_two_entries_are_told_apart_as_by_their_interval() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = answers(rng, np.array([0.5, 0.62]), 120)
        apart = paired((values[0] - values[1])[:, None]).p[0] < 0.05
        assert (rank(values).group.max() == 2) == apart


def test_tie_groups_begin_where_the_leader_is_better() -> None:
    better = np.zeros((5, 5), bool)
    better[0, [3, 4]] = better[1, 4] = better[3, 4] = True
    np.testing.assert_array_equal([1, 1, 1, 2, 3], tie_groups(better, np.arange(5)))
    # Entry 1 beats 2, but the leader does not: one group.
    better = np.zeros((3, 3), bool)
    better[1, 2] = True
    np.testing.assert_array_equal([1, 1, 1], tie_groups(better, np.arange(3)))


def test_groups_rise_with_the_order_and_ranks_hold_their_place() -> None:
    rng = np.random.default_rng(1)
    found = rank(answers(rng, np.linspace(0.3, 0.8, 12), 300))
    assert (np.diff(found.group[found.order]) >= 0).all()
    place = np.empty(12, int)
    place[found.order] = np.arange(1, 13)
    assert ((found.low <= place) & (place <= found.high)).all()
    assert found.group.max() > 1


@pytest.mark.parametrize("problems", [30, 164, 500])
def test_simultaneous_ranks_hold_in_95_per_cent(problems) -> None:
    """No entry is put above one that is as good: 300 boards of 8 entries in 4 pairs of equals."""
    truths = np.repeat([0.45, 0.55, 0.65, 0.75], 2)
    rng = np.random.default_rng(problems)
    wrong = 0
    for _ in range(300):
        better = rank(answers(rng, truths, problems)).better
        wrong += bool((better & (truths[:, None] <= truths)).any())
    assert wrong / 300 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 300)


def test_a_hundred_entries_on_five_tasks_take_seconds() -> None:
    rng = np.random.default_rng(2)
    values = answers(rng, np.linspace(0.3, 0.8, 100), 2500)
    started = time.perf_counter()
    found = rank(values, np.repeat(np.arange(5), 500))
    assert time.perf_counter() - started < 10
    assert found.group.max() > 3
    assert (found.low <= found.high).all()


# --- several tasks -------------------------------------------------------------------------------


def test_tasks_weigh_the_same_whatever_their_size() -> None:
    rng = np.random.default_rng(3)
    values, task = rng.random((2, 330)), np.repeat(["aime", "math"], [30, 300])
    found = rank(values, task)
    expected = [(row[:30].mean() + row[30:].mean()) / 2 for row in values]
    np.testing.assert_allclose(expected, found.value)
    assert found.difference[0, 1] == pytest.approx(expected[0] - expected[1])


def test_one_stratum_is_none_and_two_follow_welch() -> None:
    rng = np.random.default_rng(4)
    gaps = rng.normal(0.02, 0.2, (400, 3)).clip(-1, 1)
    task = np.repeat([0, 1], [150, 250])
    one, same = paired(gaps), paired(gaps, np.zeros(400))
    np.testing.assert_array_equal(one.p, same.p)
    # Without the two added problems it would be the t test of the mean of two means.
    parts = [gaps[task == t, 0] for t in (0, 1)]
    squares = [part.var(ddof=1) / len(part) / 4 for part in parts]
    t = sum(part.mean() for part in parts) / 2 / math.sqrt(sum(squares))
    freedom = sum(squares) ** 2 / sum(
        s**2 / (len(p) - 1) for s, p in zip(squares, parts, strict=True)
    )
    from scipy.stats import t as student

    assert paired(gaps, task).p[0] == pytest.approx(2 * student.sf(abs(t), freedom), abs=0.02)
    assert one.p[0] == pytest.approx(ttest_1samp(gaps[:, 0], 0).pvalue, abs=0.02)


def test_an_entry_without_a_task_is_compared_with_nobody() -> None:
    values = np.array([[1.0] * 40, [1.0] * 20 + [np.nan] * 20])
    found = rank(values, np.repeat([0, 1], 20))
    assert math.isnan(found.value[1])
    assert found.order.tolist() == [0, 1]
    assert (found.low.tolist(), found.high.tolist()) == ([1, 1], [2, 2])


def test_one_entry_and_none() -> None:
    alone = rank(np.ones((1, 5)))
    assert (alone.low.tolist(), alone.high.tolist(), alone.group.tolist()) == ([1], [1], [1])
    assert rank(np.ones((0, 5))).order.shape == (0,)


@pytest.mark.parametrize(
    ("values", "strata", "message"),
    [(np.ones(3), None, "shapes"), (np.ones((2, 3)), [1, 2], "shapes"), ([[np.inf]], None, "inf")],
)
def test_refuses(values, strata, message) -> None:
    with pytest.raises(ValueError, match=message):
        rank(values, strata)


# --- figures that are no means -------------------------------------------------------------------


@given(SEEDS, st.integers(2, 60), st.booleans())
def test_pseudo_values_have_f1_as_their_mean(seed, items, holes) -> None:
    rng = np.random.default_rng(seed)
    error = rng.random(items) < 0.5
    error[:2] = True, False
    right = (rng.random(items) < 0.6).astype(float)
    if holes:
        right[2:][rng.random(items - 2) < 0.3] = np.nan
    a, b = (np.nanmean(right[kind]) for kind in (error, ~error))
    found = pseudo_values(right, error)
    np.testing.assert_array_equal(np.isnan(right), np.isnan(found))
    assert np.nanmean(found) == pytest.approx(float(harmonic(np.array(a), np.array(b))))


def test_pseudo_values_are_influences() -> None:
    """Each is the derivative of F1 by the item's weight, found by weighing it a little more."""
    rng = np.random.default_rng(7)
    error = np.arange(40) < 15
    right = (rng.random(40) < 0.6).astype(float)

    def figure(weights: np.ndarray) -> float:
        a, b = (np.average(right[kind], weights=weights[kind]) for kind in (error, ~error))
        return 2 * a * b / (a + b)

    plain = figure(np.ones(40))
    for item in (0, 1, 20, 39):
        more = np.ones(40)
        more[item] += 1e-6
        slope = (figure(more) - plain) / 1e-6 * 40
        assert pseudo_values(right, error)[item] == pytest.approx(plain + slope, abs=1e-4)


def test_their_spread_is_that_of_a_bootstrap() -> None:
    rng = np.random.default_rng(8)
    error = np.arange(400) < 160
    right = (rng.random(400) < np.where(error, 0.4, 0.8)).astype(float)
    drawn = []
    for _ in range(2000):
        rows = rng.integers(0, 400, 400)
        a, b = (right[rows][error[rows] == kind].mean() for kind in (True, False))
        drawn.append(2 * a * b / (a + b))
    values = pseudo_values(right, error)
    assert values.std(ddof=1) / 20 == pytest.approx(np.std(drawn), rel=0.08)


def test_f1_of_nothing_right_is_0_and_of_one_kind_unknown() -> None:
    np.testing.assert_array_equal(np.zeros(3), pseudo_values([0, 0, 0], [True, False, True]))
    assert np.isnan(pseudo_values([1, 0], [True, True])).all()


def test_pseudo_values_of_prm_score() -> None:
    """Their mean is the figure that `prm_score` gives, and each is an influence: how much the
    figure moves when its problem counts a little more."""
    rng = np.random.default_rng(4)
    items = [
        Labelled(tuple(rng.random(n).tolist()), frozenset(range(n - n // 3, n)), "SC", f"p{i % 9}")
        for i, n in enumerate(rng.integers(2, 9, 30))
    ]
    origins, counts = step_counts(items, 0.4)
    assert origins == tuple(f"p{i}" for i in range(9))
    values = prm_score_values(counts)
    figure = prm_score(items, {}, 0.4)["all"].prm_score
    assert values.mean() == pytest.approx(figure.value, abs=1e-12)

    def at(weights: Floats) -> float:
        kept, missed, found, lost = weights @ counts
        faults = missed + lost
        return (2 * kept / (2 * kept + faults) + 2 * found / (2 * found + faults)) / 2

    for place in range(9):
        weights = np.ones(9)
        weights[place] += 1e-6
        slope = (at(weights) - at(np.ones(9))) / 1e-6
        assert values[place] == pytest.approx(figure.value + 9 * slope, abs=1e-4)
    only_right = counts * [1, 0, 0, 1]
    kept, lost = only_right[:, 0].sum(), only_right[:, 3].sum()
    assert prm_score_values(only_right).mean() == pytest.approx(2 * kept / (2 * kept + lost))
    assert np.isnan(prm_score_values(np.zeros((3, 4)))).all()
