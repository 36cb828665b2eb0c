"""Majority and weighted votes against every subset, counted one by one."""

import subprocess
import sys
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.stats import NO_ANSWER, vote
from harness.stats.subsets import subsets

# 0.1 + 0.2 and 0.3 differ in the last digit and must tie; negative weights are legal (rewards).
WEIGHTS = st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, -0.5])
CANDIDATE = st.tuples(
    st.integers(NO_ANSWER, 3), st.sampled_from([0.0, 1.0, np.nan]), WEIGHTS, WEIGHTS
)


def by_counting(classes, correct, weights, n):
    """Expected value of the elected class, over all subsets."""
    worth = {}
    for c in set(classes) - {NO_ANSWER}:
        graded = [g for k, g in zip(classes, correct, strict=True) if k == c and not np.isnan(g)]
        worth[c] = np.mean(graded) if graded else np.nan
    total = weight = 0.0
    for subset in combinations(range(len(classes)), n):
        sums = {}
        for i in subset:
            if classes[i] != NO_ANSWER:
                sums[classes[i]] = sums.get(classes[i], 0.0) + weights[i]
        if not sums:
            weight += 1
            continue
        top = max(sums.values())
        winners = [c for c, s in sums.items() if s >= top - 1e-9]
        for c in winners:
            if not np.isnan(worth[c]):
                total += worth[c] / len(winners)
                weight += 1 / len(winners)
    return total / weight if weight else np.nan


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(CANDIDATE, min_size=1, max_size=7))
def test_few_subsets_are_all_counted(candidates):
    classes, correct, *weights = (list(column) for column in zip(*candidates, strict=True))
    weights.append([1.0] * len(classes))
    ns = list(range(1, len(classes) + 2))
    here = np.ones((1, len(classes)), bool)
    got = vote([classes], [correct], here, ns, np.array(weights)[:, None])
    for k, row in enumerate(weights):
        expected = [
            by_counting(classes, correct, row, n) if n <= len(classes) else np.nan for n in ns
        ]
        np.testing.assert_allclose(got.value[k, 0], expected, atol=1e-12)
        assert np.array_equal(np.isnan(got.error[k, 0]), np.isnan(expected))
        assert (np.nan_to_num(got.error[k, 0]) == 0).all()
    majority = vote([classes], [correct], here, ns)
    np.testing.assert_array_equal(majority.value, got.value[-1])


def pool(seed, size=14, classes=5):
    """One problem with right, wrong and ungraded answers, and three weightings."""
    rng = np.random.default_rng(seed)
    label = rng.integers(NO_ANSWER, classes, size)
    grade = np.where(label == NO_ANSWER, 0.0, (label < 2).astype(float))
    grade[label == 2] = np.nan
    return label, grade, rng.random((3, size))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [3, 5, 9])
def test_drawn_subsets_agree_with_all_subsets_within_their_error(seed, n):
    label, grade, weights = pool(seed)
    here = np.ones((1, 14), bool)
    got = vote([label], [grade], here, [n], weights[:, None], draws=300, seed=seed)
    for k in range(3):
        exact = by_counting(label.tolist(), grade.tolist(), weights[k], n)
        error = got.error[k, 0, 0]
        # Where all 300 draws agree, what disagrees is rarer than about one in 100.
        assert abs(got.value[k, 0, 0] - exact) < (4 * error if error else 0.01)
        assert error < 0.08


def test_the_standard_error_is_that_of_repeated_draws():
    label, grade, weights = pool(3)
    copies = 400
    got = vote(
        np.tile(label, (copies, 1)),
        np.tile(grade, (copies, 1)),
        np.ones((copies, 14), bool),
        [5],
        np.repeat(weights[:, None], copies, axis=1),
    )
    seen = got.value[:, :, 0].std(axis=1)
    claimed = np.sqrt((got.error[:, :, 0] ** 2).mean(axis=1))
    np.testing.assert_allclose(claimed, seen, rtol=0.15)


def test_large_pools_of_many_classes_agree_with_a_plain_count():
    # Big classes take the dense path, small ones the listed one; both at once here.
    rng = np.random.default_rng(0)
    label = np.minimum(rng.zipf(1.6, 64), 40)
    grade = np.isin(label, (2, 5)).astype(float)
    weights = np.stack([rng.random(64), np.ones(64), rng.integers(0, 2, 64).astype(float)])
    ns = [2, 8, 32]
    got = vote([label], [grade], np.ones((1, 64), bool), ns, weights[:, None], seed=4)
    for b, drawn in enumerate(subsets(64, ns, np.arange(64), 100, (4, 0))):
        for k in range(3):
            outcomes = []
            for member in drawn.member:
                chosen = np.flatnonzero(member)
                outcomes.append(
                    by_counting(label[chosen], grade[chosen], weights[k][chosen], len(chosen))
                )
            np.testing.assert_allclose(got.value[k, 0, b], np.mean(outcomes), atol=1e-12)
            spread = np.std(outcomes, ddof=1) / np.sqrt(len(outcomes))
            np.testing.assert_allclose(got.error[k, 0, b], spread, atol=1e-12)


def test_same_subsets_for_every_weighting_and_call():
    label, grade, weights = pool(1)
    here = np.ones((1, 14), bool)
    together = vote([label], [grade], here, [4], weights[:, None], seed=7)
    for k in range(3):
        alone = vote([label], [grade], here, [4], weights[k][None], seed=7)
        np.testing.assert_allclose(alone.value, together.value[k], atol=1e-12)
    other = vote([label], [grade], here, [4], weights[:, None], seed=8)
    assert (other.value != together.value).any()


def test_absent_candidates_do_not_vote():
    label, grade, weights = pool(2)
    extra = np.concatenate([label, [3, 3, 3]]), np.concatenate([grade, [1.0, 1.0, 1.0]])
    heavy = np.concatenate([weights, np.full((3, 3), np.nan)], axis=1)
    here = np.array([[True] * 14 + [False] * 3])
    wide = vote([extra[0]], [extra[1]], here, [4, 15], heavy[:, None])
    narrow = vote([label], [grade], np.ones((1, 14), bool), [4, 15], weights[:, None])
    np.testing.assert_array_equal(wide.value, narrow.value)
    assert np.isnan(wide.value[..., 1]).all()


def test_all_candidates_elect_the_heaviest_class():
    label, grade = [[0, 0, 1, 2]], [[0.0, 0.0, 1.0, 0.0]]
    here, weights = np.ones((1, 4), bool), np.array([[[0.2, 0.2, 0.5, 0.1]]])
    assert vote(label, grade, here, [4]).value.tolist() == [[0.0]]
    assert vote(label, grade, here, [4], weights).value.tolist() == [[[1.0]]]


def test_rounding_does_not_break_a_tie():
    label, grade = [[0, 0, 0, 1]], [[1.0, 1.0, 1.0, 0.0]]
    weights = np.array([[[0.1, 0.2, 0.3, 0.6]]])
    assert 0.1 + 0.2 + 0.3 != 0.6
    assert vote(label, grade, np.ones((1, 4), bool), [4], weights).value.tolist() == [[[0.5]]]


@pytest.mark.parametrize("grades", [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [np.nan, np.nan, np.nan]])
def test_nobody_has_an_answer_is_wrong_whatever_the_grade(grades):
    got = vote([[NO_ANSWER] * 3], [grades], np.ones((1, 3), bool), [1, 2, 3, 4])
    np.testing.assert_array_equal(got.value, [[0.0, 0.0, 0.0, np.nan]])


def test_nobody_graded_is_nan():
    got = vote([[0, 1, 1]], np.full((1, 3), np.nan), np.ones((1, 3), bool), [1, 2, 3])
    assert np.isnan(got.value).all()
    assert np.isnan(got.error).all()


def test_an_ungraded_class_that_always_wins_leaves_nothing_to_average():
    label, grade = [[0] * 25 + [1] * 2], [[np.nan] * 25 + [1.0, 0.0]]
    got = vote(label, grade, np.ones((1, 27), bool), [1, 10, 27])
    np.testing.assert_array_equal(got.value, [[0.5, np.nan, np.nan]])
    np.testing.assert_array_equal(got.error, [[0.0, np.nan, np.nan]])


def test_all_right_needs_no_subset():
    got = vote([[0, 1, 1] * 9], np.ones((1, 27)), np.ones((1, 27), bool), [1, 5, 27])
    assert got.value.tolist() == [[1.0, 1.0, 1.0]]
    assert got.error.tolist() == [[0.0, 0.0, 0.0]]


def test_members_of_a_class_that_were_graded_differently_share_their_mean():
    got = vote([[0, 0, 0]], [[1.0, 0.0, np.nan]], np.ones((1, 3), bool), [1, 2, 3])
    assert got.value.tolist() == [[0.5, 0.5, 0.5]]


def test_no_candidates_at_all():
    got = vote([[0, 0]], [[1.0, 1.0]], np.zeros((1, 2), bool), [1])
    assert np.isnan(got.value).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ns": [0]}, "at least 1"),
        ({"draws": 1}, "at least 2 draws"),
        ({"weights": [[1.0, np.inf]]}, "not finite"),
        ({"weights": [[1.0, 1.0, 1.0]]}, "shapes differ"),
    ],
)
def test_refuses(change, message):
    given_ = {"classes": [[0, 1]], "correct": [[1.0, 0.0]], "present": [[True, True]], "ns": [1]}
    with pytest.raises(ValueError, match=message):
        vote(**{**given_, **change})


def test_subsets_are_listed_where_few_and_nested_where_drawn():
    every = np.arange(12)
    small, middle, large = subsets(12, [2, 5, 12], every, 200, (0, 0))
    assert small.exact
    assert len({tuple(row) for row in small.member.tolist()}) == comb(12, 2) == 66
    assert not middle.exact
    assert (middle.member.sum(axis=1) == 5).all()
    assert large.exact
    assert large.member.all()
    inner, outer = subsets(12, [4, 7], every, 200, (0, 0))
    assert not (inner.member & ~outer.member).any()


def test_drawn_subsets_are_uniform():
    (drawn,) = subsets(20, [6], np.arange(20), 20_000, (1, 2))
    share = drawn.member.mean(axis=0)
    assert np.abs(share - 0.3).max() < 5 * np.sqrt(0.3 * 0.7 / 20_000)


def test_columns_only_reorder():
    columns = np.array([5, 0, 3])
    for whole, part in zip(
        subsets(9, [2, 4], np.arange(9), 50, (0, 1)),
        subsets(9, [2, 4], columns, 50, (0, 1)),
        strict=True,
    ):
        np.testing.assert_array_equal(whole.member[:, columns], part.member)


def test_importing_the_estimators_loads_numpy_alone():
    code = (
        "import sys, harness.stats; heavy = {'scipy', 'pandas', 'torch', 'statsmodels'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
