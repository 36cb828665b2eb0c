"""Best-of-n and pass@n against every subset, counted one by one."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import best_of_n, pass_at_n
from harness.stats.best_of_n import selection_chance

GRADES = st.sampled_from([0.0, 1.0, np.nan])
# Few distinct scores, so that ties are the rule; infinities, as log 0 gives them.
SCORES = st.sampled_from([-np.inf, -1.5, 0.0, 0.25, 0.5, 1.0])


def by_counting(scores, correct, n):
    """Expected correctness of the best of n, over all subsets; ties shared; NaN left out."""
    total = weight = 0.0
    for subset in combinations(range(len(scores)), n):
        top = max(scores[i] for i in subset)
        best = [i for i in subset if scores[i] == top]
        for i in best:
            if not np.isnan(correct[i]):
                total += correct[i] / len(best)
                weight += 1 / len(best)
    return total / weight if weight else np.nan


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(SCORES, GRADES, st.booleans()), min_size=1, max_size=8))
def test_every_subset_counted(candidates):
    scores, correct, present = (np.array(column) for column in zip(*candidates, strict=True))
    present = present.astype(bool)
    ns = list(range(1, len(scores) + 2))
    got = best_of_n(scores[None], correct[None], present[None], ns)[0]
    kept = present.sum()
    expected = [
        by_counting(scores[present], correct[present], n) if n <= kept else np.nan for n in ns
    ]
    np.testing.assert_allclose(got, expected, atol=1e-12)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1))
def test_problems_of_different_sizes_and_many_scorings(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (2, 3, 5, 7)) / 4
    correct = rng.choice([0.0, 1.0, np.nan], (5, 7))
    present = rng.random((5, 7)) < 0.7
    got = best_of_n(scores, correct, present, [1, 3])
    assert got.shape == (2, 3, 5, 2)
    for i, j, p in np.ndindex(2, 3, 5):
        one = best_of_n(scores[i, j, p][None], correct[p][None], present[p][None], [1, 3])
        np.testing.assert_allclose(got[i, j, p], one[0], atol=1e-12)


def test_scores_of_absent_candidates_are_never_read():
    value = best_of_n([[0.1, np.nan, 0.9]], [[0.0, 1.0, 1.0]], [[True, False, True]], [1, 2])
    np.testing.assert_allclose(value, [[0.5, 1.0]])


def test_one_candidate_is_the_mean_accuracy():
    value = best_of_n([[3.0, 2.0, 1.0, 0.0]], [[1.0, 0.0, np.nan, 0.0]], np.ones((1, 4)), [1])
    np.testing.assert_allclose(value, [[1 / 3]])


def test_all_candidates_choose_the_highest_score():
    value = best_of_n([[0.2, 0.9, 0.3]], [[1.0, 0.0, 1.0]], np.ones((1, 3)), [3])
    assert value[0, 0] == 0.0


def test_rounding_never_leaves_the_range():
    rng = np.random.default_rng(0)
    scores, here = rng.random((200, 300)), np.ones((200, 300), bool)
    value = best_of_n(scores, np.ones((200, 300)), here, [1, 2, 3, 5, 7, 11, 100, 299, 300])
    assert value.max() == 1.0
    np.testing.assert_allclose(value, 1.0, rtol=1e-12)


def test_all_tied_is_the_mean_at_every_budget():
    correct = np.array([[1.0, 0.0, 0.0, 1.0, 1.0]])
    value = best_of_n(np.zeros((1, 5)), correct, np.ones((1, 5)), [1, 2, 3, 4, 5])
    np.testing.assert_allclose(value, 0.6)


def test_nobody_graded_and_nobody_there_are_nan():
    correct, present = np.full((2, 3), np.nan), np.array([[True] * 3, [False] * 3])
    assert np.isnan(best_of_n(np.zeros((2, 3)), correct, present, [1, 2])).all()
    assert np.isnan(pass_at_n(correct, present, [1, 2])).all()


def test_an_ungraded_top_is_not_a_wrong_one():
    # The ungraded candidate wins 2 of 3 pairs; the third pair is right.
    value = best_of_n([[3.0, 2.0, 1.0]], [[np.nan, 1.0, 0.0]], np.ones((1, 3)), [2, 3])
    np.testing.assert_allclose(value, [[1.0, np.nan]])


@pytest.mark.parametrize("total", [1, 2, 7, 256, 1024])
def test_pass_at_n_is_the_unbiased_formula(total):
    ns = [n for n in (1, 2, 5, 64, 256, 512, 1000, 1024) if n <= total]
    rights = sorted({0, 1, total // 3, total - 1, total})
    correct = np.array([[1.0] * c + [0.0] * (total - c) for c in rights])
    expected = [[1 - comb(total - c, n) / comb(total, n) for n in ns] for c in rights]
    np.testing.assert_allclose(pass_at_n(correct, np.ones_like(correct), ns), expected, atol=1e-12)


def test_pass_at_n_leaves_ungraded_candidates_out():
    correct = np.array([[1.0, 0.0, 0.0, np.nan]])
    got = pass_at_n(correct, np.ones((1, 4)), [1, 2, 3, 4])
    np.testing.assert_allclose(got, [[1 / 3, 2 / 3, 1.0, np.nan]])


@pytest.mark.parametrize("n", [1, 2, 100, 512, 1023, 1024])
def test_selection_chances_are_exact_for_1024_candidates(n):
    chance = selection_chance(1024, np.array([n]))[:, 0]
    exact = [comb(rank, n - 1) / comb(1024, n) for rank in range(1024)]
    np.testing.assert_allclose(chance, exact, rtol=1e-12, atol=1e-300)
    assert abs(chance.sum() - 1) < 1e-12


@pytest.mark.parametrize(
    ("scores", "correct", "present", "ns", "message"),
    [
        ([[1.0, np.nan]], [[1.0, 0.0]], [[True, True]], [1], "NaN"),
        ([[1.0, 2.0]], [[1.0, 0.0]], [[True, True]], [0], "at least 1"),
        ([[1.0, 2.0]], [[1.0, 0.0, 1.0]], [[True, True, True]], [1], "shapes differ"),
    ],
)
def test_refuses(scores, correct, present, ns, message):
    with pytest.raises(ValueError, match=message):
        best_of_n(scores, correct, present, ns)
