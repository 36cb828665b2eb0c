"""Choices among given solutions, against every order in which equal scores can stand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats import preference


@st.composite
def problems(draw: st.DrawFn) -> list[tuple[list[float], int]]:
    """Some problems of one to five solutions; few levels, so that many tie."""
    score = st.sampled_from([-1.5, 0.0, 0.25, 2.0])
    found = []
    for _ in range(draw(st.integers(1, 4))):
        scores = draw(st.lists(score, min_size=1, max_size=5))
        found.append((scores, draw(st.integers(0, len(scores) - 1))))
    return found


def told(found: list[tuple[list[float], int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    most = max(len(scores) for scores, _ in found)
    padded = np.full((len(found), most), np.nan)
    for row, (scores, _) in enumerate(found):
        padded[row, : len(scores)] = scores
    return padded, np.array([r for _, r in found]), np.array([len(s) for s, _ in found])


@given(problems())
def test_the_expectation_over_all_orders(found: list[tuple[list[float], int]]) -> None:
    result = preference(*told(found))
    for row, (scores, right) in enumerate(found):
        ranks = []
        for order in itertools.permutations(range(len(scores))):
            ranked = sorted(order, key=lambda i: -scores[i])  # stable: the order decides ties
            ranks.append(ranked.index(right) + 1)
        assert result.accuracy[row] == pytest.approx(np.mean([rank == 1 for rank in ranks]))
        assert result.mrr[row] == pytest.approx(np.mean([1 / rank for rank in ranks]))
        assert result.mrr_strict[row] == pytest.approx(1 / max(ranks))
        others = scores[:right] + scores[right + 1 :]
        best = max(others, default=-np.inf)
        assert result.strict[row] == (scores[right] > best)
        assert result.tied[row] == (scores[right] == best)


@given(problems(), st.randoms())
def test_the_place_of_the_right_solution_does_not_matter(found, random) -> None:  # type: ignore[no-untyped-def]
    moved = []
    for scores, right in found:
        order = list(range(len(scores)))
        random.shuffle(order)
        moved.append(([scores[i] for i in order], order.index(right)))
    a, b = preference(*told(found)), preference(*told(moved))
    assert a.accuracy.tolist() == b.accuracy.tolist()
    assert a.mrr.tolist() == b.mrr.tolist()


def test_a_solution_without_a_score_leaves_its_problem_out() -> None:
    nan = np.nan
    scores = np.array([[2.0, nan, nan], [nan, 1.0, nan], [2.0, 1.0, nan]])
    found = preference(scores, np.array([0, 1, 0]), np.array([3, 2, 2]))
    assert np.isnan(found.accuracy).tolist() == [True, True, False]
    assert np.isnan(found.mrr_strict).tolist() == [True, True, False]


@pytest.mark.parametrize(("right", "size"), [(2, 2), (-1, 2), (0, 0), (0, 4)])
def test_what_does_not_fit(right: int, size: int) -> None:
    with pytest.raises(ValueError, match=r"right solution|sizes"):
        preference(np.zeros((1, 3)), np.array([right]), np.array([size]))
