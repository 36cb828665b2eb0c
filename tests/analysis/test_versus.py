"""Two sides compared: against the functions that compare one pair, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.contrast import holm
from harness.analysis.pseudo import pseudo_values
from harness.analysis.versus import Answers, Pair, versus
from harness.stats import compare
from harness.stats.paired import mcnemar


def side(name: str, values: np.ndarray, budgets=(1, 2, 4), error=None, first: int = 0) -> Answers:
    problems = tuple(f"p{first + i}" for i in range(len(values)))
    return Answers(name, problems, budgets, np.asarray(values, float), error)


def binary(seed: int, shape: tuple[int, int], mean: float) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) < mean).astype(float)


def test_each_budget_is_compared_as_alone_and_all_are_corrected_together() -> None:
    a, b = binary(1, (80, 3), 0.7), binary(2, (80, 3), 0.5)
    (found,) = versus([Pair("task", "accuracy", side("A", a), side("B", b))])
    expected = [compare("A", "B", a[:, i], b[:, i]) for i in range(3)]
    assert expected == [point.comparison for point in found.points]
    adjusted = [point.adjusted for point in found.points]
    np.testing.assert_allclose(holm([one.p for one in expected]), adjusted)
    assert (found.family, found.tasks) == (3, 1)
    last = found.last
    assert last.mid_p == mcnemar(
        round(last.comparison.only_a), round(last.comparison.only_b), mid=True
    )
    assert last.bootstrap == pytest.approx((last.difference.low, last.difference.high), abs=0.03)


def test_several_tasks_are_one_family() -> None:
    pairs = [
        Pair(
            name,
            "accuracy",
            side("A", binary(i, (60, 3), 0.7)),
            side("B", binary(i + 9, (60, 3), 0.5)),
        )
        for i, name in enumerate(("x", "y"))
    ]
    found = versus(pairs)
    raw = [point.comparison.p for one in found for point in one.points]
    adjusted = [point.adjusted for one in found for point in one.points]
    np.testing.assert_allclose(holm(raw), adjusted)
    assert {(one.family, one.tasks) for one in found} == {(6, 2)}


def test_one_candidate_of_one_pool_is_no_choice() -> None:
    values = binary(3, (30, 3), 0.5)
    other = values.copy()
    other[:5, 1:] = 1 - other[:5, 1:]
    pair = Pair("t", "accuracy", side("A", values), side("B", other), same_pool=True)
    assert [point.budget for point in versus([pair])[0].points] == [2, 4]


def test_only_shared_problems_and_budgets_count_whatever_their_order() -> None:
    a, b = binary(4, (40, 3), 0.7), binary(5, (40, 3), 0.5)
    left = side("A", a, first=0)
    turned = Answers("B", tuple(f"p{i + 10}" for i in range(40))[::-1], (2, 4, 8), b[::-1])
    (found,) = versus([Pair("t", "accuracy", left, turned)])
    assert [point.budget for point in found.points] == [2, 4]
    assert found.only == (10, 10)
    assert compare("A", "B", a[10:, 1], b[:30, 0]).difference == found.points[0].difference
    with pytest.raises(ValueError, match="no problem"):
        versus([Pair("t", "accuracy", left, side("B", b, first=100))])
    with pytest.raises(ValueError, match="no budget"):
        versus([Pair("t", "accuracy", left, side("B", b, budgets=(3, 5, 7)))])


def test_ungraded_problems_are_left_out_of_gaps_and_figures() -> None:
    a, b = binary(6, (30, 1), 0.6), binary(7, (30, 1), 0.6)
    a[:4], b[2:6] = np.nan, np.nan
    (found,) = versus([Pair("t", "accuracy", side("A", a, (None,)), side("B", b, (None,)))])
    assert (found.last.difference.n, len(found.gaps)) == (24, 24)
    assert a[6:].mean() == pytest.approx(found.last.a)
    assert (np.diff(found.gaps) <= 0).all()
    assert not np.isnan(found.gaps).any()


def test_parts_are_compared_by_themselves_numbers_in_order() -> None:
    a, b = binary(8, (60, 1), 0.8), binary(9, (60, 1), 0.4)
    level = {f"p{i}": "10" if i < 25 else "9" if i < 57 else "2" for i in range(60)}
    meta = {"level": level, "alike": dict.fromkeys(level, "x")}
    (found,) = versus([Pair("t", "accuracy", side("A", a, (8,)), side("B", b, (8,)), meta)])
    assert [part.value for part in found.slices] == ["2", "9", "10"]
    few, nine, ten = found.slices
    assert compare("A", "B", a[:25, 0], b[:25, 0]) == ten.comparison
    np.testing.assert_allclose(
        holm([nine.comparison.p, ten.comparison.p]), [nine.adjusted, ten.adjusted]
    )
    # Three problems say nothing of how they vary.
    assert math.isnan(few.adjusted)
    assert math.isnan(few.comparison.difference.low)
    assert few.comparison.difference.value == pytest.approx(a[57:].mean() - b[57:].mean())


# --- F1 ------------------------------------------------------------------------------------------


def f1(right: np.ndarray, error: np.ndarray) -> float:
    one, other = right[error].mean(), right[~error].mean()
    return 2 * one * other / (one + other)


def test_f1_is_compared_as_f1() -> None:
    error = np.arange(200) < 80
    a, b = binary(10, (200, 1), 0.7), binary(11, (200, 1), 0.5)
    pair = Pair("t", "f1", side("A", a, (None,), error), side("B", b, (None,), error))
    (found,) = versus([pair])
    expected = f1(a[:, 0], error) - f1(b[:, 0], error)
    assert found.last.difference.value == pytest.approx(expected)
    assert (found.last.a, found.last.b) == pytest.approx((f1(a[:, 0], error), f1(b[:, 0], error)))
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        rows = rng.integers(0, 200, 200)
        drawn.append(f1(a[rows, 0], error[rows]) - f1(b[rows, 0], error[rows]))
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert (found.last.difference.low, found.last.difference.high) == pytest.approx(
        (low, high), abs=0.02
    )


def test_the_f1_of_a_group_is_the_mean_of_its_members() -> None:
    """Member by member, whatever their size; its interval is that of a bootstrap in each."""
    error = np.concatenate([np.arange(60) < 30, np.arange(240) < 100])
    member = np.repeat(["x", "y"], [60, 240])
    a, b = binary(12, (300, 1), 0.75), binary(13, (300, 1), 0.5)
    strata = {f"p{i}": str(name) for i, name in enumerate(member)}
    pair = Pair(
        "g", "f1", side("A", a, (None,), error), side("B", b, (None,), error), strata=strata
    )
    (found,) = versus([pair])

    def gap(rows: np.ndarray) -> float:
        parts = [rows[member[rows] == name] for name in ("x", "y")]
        return float(np.mean([f1(a[p, 0], error[p]) - f1(b[p, 0], error[p]) for p in parts]))

    assert found.last.difference.value == pytest.approx(gap(np.arange(300)))
    rng = np.random.default_rng(1)
    drawn = [
        gap(np.concatenate([rng.integers(0, 60, 60), 60 + rng.integers(0, 240, 240)]))
        for _ in range(1500)
    ]
    d = found.last.difference
    assert (d.low, d.high) == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))), abs=0.025)
    assert found.last.bootstrap == pytest.approx((d.low, d.high), abs=0.025)


def test_f1_without_one_kind_of_item_is_unknown() -> None:
    error = np.ones(10, bool)
    right = binary(14, (10, 1), 0.5)
    pair = Pair("t", "f1", side("A", right, (None,), error), side("B", right, (None,), error))
    (found,) = versus([pair])
    assert math.isnan(found.last.difference.value)
    assert math.isnan(found.last.a)
    assert np.isnan(pseudo_values(right[:, 0], error)).all()
