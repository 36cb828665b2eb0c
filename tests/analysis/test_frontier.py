"""Frontiers: Pareto by comparing all pairs, areas and readings by scipy, truth by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from harness.analysis.curve import Curve, Group, groups
from harness.analysis.frontier import Frontier, frontier, pareto
from harness.analysis.panel import panel
from tests.analysis.made import POLICY, PRM, TASK, answers, curve

COST = [10.0, 20.0, 40.0, 80.0]
TRUTHS = {
    "majority": [0.40, 0.45, 0.50, 0.52],
    "best_of_n": [0.40, 0.50, 0.58, 0.60],
    "mcts": [0.30, 0.45, 0.60, 0.75],
}


def made(problems: int = 300, seed: int = 0) -> tuple[Curve, ...]:
    found = answers(TRUTHS, problems, seed)
    return (
        curve("majority", found["majority"], COST, prm=None),
        curve("best_of_n", found["best_of_n"], [2 * c for c in COST]),
        curve("mcts", found["mcts"], [2.5 * c for c in COST]),
    )


def analysed(curves: tuple[Curve, ...], **options: int) -> Frontier:
    (group,) = groups(curves)
    found = frontier(group, "total_tokens", **options)
    assert found is not None
    return found


# --- points --------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), min_size=1, max_size=25))
def test_pareto_is_that_of_comparing_all_pairs(points: list[tuple[int, int]]) -> None:
    costs, values = (np.array(one, float) for one in zip(*points, strict=True))
    expected = [
        not any((c <= cost and v > value) or (c < cost and v >= value) for c, v in points)
        for cost, value in points
    ]
    assert expected == pareto(costs, values).tolist()


def test_bands_are_percentiles_of_resampled_problems_and_never_of_width_0() -> None:
    curves = made(60)
    found = analysed(curves, draws=3000)
    rng = np.random.default_rng(9)
    for line, one in zip(found.lines, curves, strict=True):
        rows = rng.integers(0, 60, (3000, 60))
        low, high = np.quantile(one.values[rows].mean(axis=1), (0.025, 0.975), axis=0)
        np.testing.assert_allclose(low, line.low, atol=0.02)
        np.testing.assert_allclose(high, line.high, atol=0.02)
    sure = curve("best_of_n", np.ones((20, 2)), [1, 2])
    (line,) = analysed((sure,)).lines
    assert (line.low < 0.9).all() and (line.high == 1).all()


def test_the_same_seed_the_same_numbers() -> None:
    curves = made(50)
    one, same, other = (analysed(curves, draws=200, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one.lines, same.lines, strict=True):
        np.testing.assert_array_equal(a.low, b.low)
        assert (a.area, a.gain) == (b.area, b.gain)
    assert any((a.low != b.low).any() for a, b in zip(one.lines, other.lines, strict=True))
    assert one.contrasts == other.contrasts


def test_crossed_replicas_widen_the_bands() -> None:
    rng = np.random.default_rng(4)
    spread = (rng.random((3, 80, 2)) < np.array([0.4, 0.6])).astype(float)
    spread[0] *= 0.5
    one = curve("mcts", spread.mean(axis=0), [1, 2], replicas=3, spread=spread)
    (group,) = groups([one])
    plain, crossed = (frontier(group, "total_tokens", crossed=c) for c in (False, True))
    assert plain is not None and crossed is not None
    width = [float((f.lines[0].high - f.lines[0].low).sum()) for f in (plain, crossed)]
    assert width[1] > 1.2 * width[0]


# --- reading at equal cost -----------------------------------------------------------------------


def test_readings_are_scipys_in_log_cost_and_absent_outside() -> None:
    for track in analysed(made()).panel.tracks:
        cubic = PchipInterpolator(np.log(track.costs), track.values)
        at = np.array([5.0, track.costs[0], 33.0, 70.0, track.costs[-1], 300.0])
        expected = cubic(np.log(at))
        expected[(at < track.costs[0] - 1e-9) | (at > track.costs[-1] + 1e-9)] = math.nan
        np.testing.assert_allclose(expected, track.at(at), atol=1e-9)


def test_influences_average_to_the_reading_and_vary_as_resamples_do() -> None:
    rng = np.random.default_rng(3)
    values = answers({"a": [0.3, 0.5, 0.6], "b": [0.4, 0.45, 0.7]}, 200, 1)
    cost = rng.gamma(4, 1, (200, 1)) * np.array([10.0, 20, 40])
    curves = (curve("a", values["a"], cost), curve("b", values["b"], 1.3 * cost))
    (group,) = groups(curves)
    a, b = panel(group, "total_tokens").tracks
    at = np.array([90.0])
    gap = a.influence(at) - b.influence(at)
    assert gap.mean() == pytest.approx(float((a.at(at) - b.at(at))[0]), abs=1e-12)
    sampled = []
    for _ in range(2000):
        rows = rng.integers(0, 200, 200)
        read = [
            float(
                PchipInterpolator(
                    np.log(track.cost[rows].mean(axis=0)), track.value[rows].mean(axis=0)
                )(np.log(90.0))
            )
            for track in (a, b)
        ]
        sampled.append(read[0] - read[1])
    assert np.std(sampled) == pytest.approx(float(gap.std()) / math.sqrt(200), rel=0.1)


def test_a_problem_that_one_curve_lacks_is_left_out_for_all() -> None:
    one, two, three = made(30)
    values = two.values.copy()
    values[4] = math.nan
    values[7, 1] = math.nan
    changed = curve("best_of_n", values, [20.0, 40, 80, 160])
    found = panel(next(groups((one, changed, three))), "total_tokens")
    assert (found.asked, len(found.problems)) == (30, 28)
    assert all(len(track.value) == 28 for track in found.tracks)
    np.testing.assert_allclose(np.delete(one.values, [4, 7], 0), found.tracks[0].value)


def test_problems_are_matched_by_id() -> None:
    values = answers({"a": [0.3, 0.6], "b": [0.4, 0.7]}, 12, 1)
    names = [f"p{i}" for i in range(12)]
    a = curve("a", values["a"], [1, 2], problems=names)
    b = curve("b", values["b"][::-1], [1, 2], problems=names[::-1])
    found = panel(next(groups((a, b))), "total_tokens")
    np.testing.assert_array_equal(values["b"], found.tracks[1].value)


def test_unknown_costs_and_equal_costs() -> None:
    values = np.tile([0.2, 0.4, 0.6, 0.7], (5, 1))
    cost = np.tile([1.0, 2.0, 2.0, math.nan], (5, 1))
    (track,) = panel(next(groups([curve("mcts", values, cost)])), "total_tokens").tracks
    assert track.budgets == (1, 4)
    assert track.values.tolist() == pytest.approx([0.2, 0.6])
    (group,) = groups(made(10))
    assert frontier(group, "flops") is None
    assert panel(group, "flops").tracks == ()


def test_latency_is_the_mean_of_the_problems_it_was_measured_on() -> None:
    values = answers({"a": [0.4, 0.5, 0.6], "b": [0.3, 0.5, 0.7]}, 40, 1)
    cost = np.full((40, 3), math.nan)
    cost[::4] = np.arange(10)[:, None] + np.array([10.0, 20, 40])
    part = [curve(name, v, cost, axes=["latency_seconds", "flops"]) for name, v in values.items()]
    (group,) = groups(part)
    assert frontier(group, "flops") is None
    found = frontier(group, "latency_seconds")
    assert found is not None and len(found.panel.problems) == 40
    assert found.lines[0].costs.tolist() == [14.5, 24.5, 44.5]
    gap = found.panel.tracks[0].influence(np.array([24.5]))
    assert gap.mean() == pytest.approx(values["a"][:, 1].mean())
    assert not np.isnan([line.low for line in found.lines]).any()


def test_groups_keep_methods_without_prm_beside_each_prm() -> None:
    value = np.zeros((3, 1))
    curves = [
        curve("beam", value, [1], prm="x"),
        curve("majority", value, [1], prm=None),
        curve("beam", value, [1], prm="y"),
        curve("majority", value, [1], prm=None, task="other"),
    ]
    found = list(groups(curves))
    assert [(g.task, g.prm, [c.method for c in g.curves]) for g in found] == [
        (TASK, "x", ["majority", "beam"]),
        (TASK, "y", ["majority", "beam"]),
        ("other", None, ["majority"]),
    ]


# --- scalars -------------------------------------------------------------------------------------


def test_area_is_the_trapezoid_of_scipys_curve_over_the_common_range() -> None:
    found = analysed(made())
    assert found.common == pytest.approx((25.0, 80.0))
    at = np.linspace(math.log(25), math.log(80), 33)
    for line in found.lines:
        heights = PchipInterpolator(np.log(line.costs), line.values)(at)
        assert line.area is not None
        expected = np.trapezoid(heights, at) / (at[-1] - at[0])
        assert line.area.value == pytest.approx(expected, abs=1e-9)
        assert line.area.low < line.area.value < line.area.high


def test_gain_is_the_ratio_of_costs_at_the_references_best() -> None:
    flat = np.tile([0.1, 0.2, 0.4, 0.5], (40, 1))
    steep = np.tile([0.1, 0.5, 0.6, 0.7], (40, 1))
    above = np.tile([0.6, 0.6, 0.6, 0.6], (40, 1))
    below = np.tile([0.1, 0.2, 0.3, 0.4], (40, 1))
    curves = [
        curve("majority", flat, COST, prm=None),
        *(
            curve(name, v, COST)
            for name, v in {"steep": steep, "above": above, "below": below}.items()
        ),
    ]
    found = analysed(tuple(curves))
    assert found.reference == 0 and found.lines[0].gain is None
    gains = [line.gain for line in found.lines[1:]]
    assert [(round(g.value, 6), g.at_least) for g in gains if g] == [
        (4.0, False),
        (8.0, True),
        (0.0, False),
    ]


# --- who wins ------------------------------------------------------------------------------------


def test_the_winner_changes_along_the_axis() -> None:
    found = analysed(made(2000))
    at = {contrast.cost for contrast in found.contrasts}
    assert len(at) == 9
    wins = {found.lines[win.line].curve.method: (win.low, win.high) for win in found.wins}
    assert wins["mcts"][1] == pytest.approx(max(at))
    assert wins["majority"][0] == pytest.approx(min(at))
    assert wins["majority"][1] < wins["mcts"][0]


def test_few_problems_make_no_winner() -> None:
    found = analysed(made(12))
    assert found.wins == ()
    assert found.power.smallest > 0.1
    assert "12 problems can separate differences above" in found.power.sentence()


def test_equal_methods_rarely_win() -> None:
    """Over a whole panel, one false winner in at most 5 % of runs (and a margin for 200 runs)."""
    false = 0
    for seed in range(200):
        found = answers({name: [0.4, 0.5, 0.6] for name in "abc"}, 80, seed, alike=0.7)
        curves = tuple(curve(name, values, [1, 2, 4]) for name, values in found.items())
        tested = analysed(curves, draws=2).contrasts
        false += any(contrast.adjusted < 0.05 for contrast in tested)
    assert false / 200 <= 0.08


def test_intervals_at_equal_cost_hold_the_truth() -> None:
    held = 0
    for seed in range(200):
        found = answers({"a": [0.4, 0.5, 0.6], "b": [0.35, 0.5, 0.68]}, 150, seed)
        curves = tuple(curve(name, values, [1, 2, 4]) for name, values in found.items())
        last = max(analysed(curves, draws=2).contrasts, key=lambda contrast: contrast.cost)
        held += last.difference.low <= -0.08 <= last.difference.high
    assert 0.91 <= held / 200 <= 0.99


def test_single_points_are_compared_at_their_own_cost_only() -> None:
    values = answers({"greedy": [0.45], "majority": [0.4, 0.5, 0.6]}, 100, 1)
    curves = (
        curve("greedy", values["greedy"], [1.7], prm=None),
        curve("majority", values["majority"], [1, 2, 4], prm=None),
    )
    found = analysed(curves)
    assert [contrast.cost for contrast in found.contrasts] == [pytest.approx(1.7)]
    assert found.lines[0].area is None and found.reference == 1


def test_one_problem_says_nothing() -> None:
    values = answers({"a": [0.4, 0.5], "b": [0.4, 0.6]}, 1, 1)
    found = analysed(tuple(curve(name, v, [1, 2]) for name, v in values.items()))
    assert found.wins == ()


# --- the record ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros((2, 2))}, r"made_up: values \(2, 2\), expected \(2, 1\)"),
        ({"values": np.full((2, 1), 1.5)}, r"values lie in \[0, 1\]"),
        ({"costs": {"flops": np.zeros((1, 1))}}, "flops"),
        ({"replicas": 2, "spread": np.zeros((3, 2, 1))}, "spread"),
        ({"problems": ("p", "p")}, "a problem twice"),
    ],
)
def test_bad_curves_stop_where_they_arise(change: dict[str, object], message: str) -> None:
    place = {"task": TASK, "policy": POLICY, "prm": None, "method": "made_up"}
    more = {"aggregation": None, "problems": ("p", "q"), "budgets": (1,)}
    good = {**place, **more, "values": np.zeros((2, 1))}
    Curve(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        Curve(**{**good, **change})  # type: ignore[arg-type]


def test_variants_stand_for_a_method_that_is_not_there_plain() -> None:
    value = np.zeros((2, 1))
    curves = [curve(name, value, [1]) for name in ("mcts,c=1", "mcts,c=2", "beam,w=4", "beam")]
    group = Group(TASK, POLICY, PRM, tuple(curves))
    assert [c.method for c in group.only(["mcts", "beam", "rebase"]).curves] == ["mcts,c=1", "beam"]
