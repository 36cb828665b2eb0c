"""Size and training of PRMs: on made answers whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import curve_fit

from harness.analysis.contrast import holm, paired
from harness.analysis.curve import Curve
from harness.analysis.scaling import FEWEST, Sized, fit, series
from harness.analysis.transfer import transfer


def law(x, a, b, c):  # type: ignore[no-untyped-def]
    return a - b * x**-c


def answered(means: np.ndarray, problems: int, seed: int, alike: float = 0.8) -> np.ndarray:
    """(K, P) 0/1 answers with these means that share the problems' difficulty."""
    rng = np.random.default_rng(seed)
    shared = rng.random(problems)
    mixed = np.where(
        rng.random((len(means), problems)) < alike, shared, rng.random((len(means), problems))
    )
    return (mixed < means[:, None]).astype(float)


def sized(xs: np.ndarray, values: np.ndarray, flops: bool = True) -> list[Sized]:
    return [
        Sized(f"prm-{i}", float(x), 10 * float(x) if flops else None, own)
        for i, (x, own) in enumerate(zip(xs, values, strict=True))
    ]


@pytest.mark.parametrize(("a", "b", "c"), [(0.8, 0.5, 0.4), (0.6, 0.3, 1.5), (0.95, 0.6, 0.15)])
def test_a_law_is_found_again(a: float, b: float, c: float) -> None:
    x = np.geomspace(1, 1000, 7)
    found = [float(one[0]) for one in fit(x, law(x, a, b, c)[None])]
    assert found == pytest.approx([a, b, c], rel=0.03, abs=0.02)


def test_the_fit_is_that_of_scipys_curve_fit() -> None:
    rng = np.random.default_rng(1)
    x = np.geomspace(1, 300, 6)
    for _ in range(8):
        y = law(x, 0.75, 0.4, 0.6) + rng.normal(0, 0.01, 6)
        expected, _ = curve_fit(law, x, y, p0=(0.7, 0.3, 0.5), bounds=((0, 0, 0.02), (1, 5, 8)))
        found = [one[0] for one in fit(x, y[None])]
        squares = [((law(x, *p) - y) ** 2).sum() for p in (found, expected)]
        assert squares[0] <= squares[1] * 1.1 + 1e-6
        assert found[0] == pytest.approx(expected[0], abs=0.02)


def test_nothing_falls_and_nothing_goes_beyond_1() -> None:
    x = np.geomspace(1, 100, 5)
    a, b, _ = fit(x, np.array([[0.9, 0.8, 0.7, 0.6, 0.5], [0.5, 0.7, 0.85, 0.97, 1.0]]))
    assert (a[0], b[0]) == (pytest.approx(0.7), 0)
    assert a[1] <= 1
    assert b[1] > 0


def test_the_band_of_the_limit_holds_it() -> None:
    """The limit of a curve measured nearly to its end, in 30 sets of 400 problems."""
    x = np.geomspace(1, 1e4, 6)
    truth = law(x, 0.8, 0.5, 0.6)
    held, curve = 0, 0
    for seed in range(30):
        found = series(sized(x, answered(truth, 400, seed), False), seed).by_size
        assert found is not None
        held += found.a_low <= 0.8 <= found.a_high
        inside = (found.low <= law(found.x, 0.8, 0.5, 0.6)) & (
            law(found.x, 0.8, 0.5, 0.6) <= found.high
        )
        curve += inside.mean()
    assert held / 30 >= 0.85
    assert 0.88 <= curve / 30 <= 0.995


def test_flops_have_their_own_curve() -> None:
    x = np.geomspace(1, 1000, 5)
    values = answered(law(x, 0.8, 0.5, 0.5), 300, 3)
    both = series(sized(x, values))
    assert both.by_size is not None and both.by_flops is not None
    assert both.by_flops.a == pytest.approx(both.by_size.a)
    assert both.by_flops.x[-1] == pytest.approx(10 * both.by_size.x[-1])
    assert series(sized(x, values, flops=False)).by_flops is None


@pytest.mark.parametrize("sizes", [(1, 2, 3), (1, 1, 2, 3)])
def test_three_sizes_are_drawn_and_not_fitted(sizes: tuple[int, ...]) -> None:
    values = answered(np.linspace(0.4, 0.7, len(sizes)), 100, 0)
    found = series(sized(np.array(sizes, float), values))
    assert found.by_size is None
    assert len({*sizes}) < FEWEST
    assert len(found.accuracy) == len(sizes)


def test_enough_is_the_smallest_that_is_not_significantly_worse() -> None:
    values = answered(np.array([0.3, 0.5, 0.74, 0.75, 0.75]), 500, 4)
    found = series(sized(np.array([1.0, 2, 4, 8, 16]), values)[::-1])
    assert [point.size for point in found.points] == [1, 2, 4, 8, 16]
    assert found.enough == 2
    raw = paired((values[:-1] - values[-1:]).T).p
    adjusted = [contrast.adjusted for contrast in found.contrasts if contrast]
    np.testing.assert_allclose(holm(raw), adjusted)
    assert found.contrasts[-1] is None


def test_the_largest_alone_may_be_enough() -> None:
    values = answered(np.array([0.2, 0.3, 0.9]), 300, 5)
    assert series(sized(np.array([1.0, 2, 4]), values)).enough == 2
    with pytest.raises(ValueError, match="same problems"):
        series([Sized("a", 1, None, np.ones(3)), Sized("b", 2, None, np.ones(4))])


# --- domains -------------------------------------------------------------------------------------


def curve(task: str, method: str, prm: str | None, values: np.ndarray) -> Curve:
    table = np.stack([np.zeros(len(values)), values], axis=1)
    ids = tuple(f"p{i}" for i in range(len(values)))
    return Curve(task, "tiny", prm, method, "min" if prm else None, ids, (1, 8), table)


TRUTH = {("math", "sums"): 0.8, ("math", "algebra"): 0.7, ("math", "code"): 0.55,
         ("code", "sums"): 0.5, ("code", "algebra"): 0.4, ("code", "code"): 0.75}  # fmt: skip
VOTE = {"sums": 0.5, "algebra": 0.4, "code": 0.5}
DOMAINS = {"sums": "math", "algebra": "math", "code": "code"}


def made(
    problems: dict[str, int], second: bool = False
) -> tuple[list[Curve], dict[str, tuple[str, ...]]]:
    curves, trained = [], {"m": ("math",), "c": ("code",)}
    for number, task in enumerate(VOTE):
        kinds = {"m": "math", "c": "code", **({"m2": "math"} if second else {})}
        means = [VOTE[task], *(TRUTH[kind, task] for kind in kinds.values())]
        values = answered(np.array(means), problems[task], number)
        curves.append(curve(task, "majority", None, values[0]))
        curves += [
            curve(task, "best_of_n", prm, own) for prm, own in zip(kinds, values[1:], strict=True)
        ]
    if second:
        trained["m2"] = ("math",)
    return curves, trained


def test_the_matrix_is_that_of_paired_differences() -> None:
    curves, trained = made({"sums": 100, "algebra": 300, "code": 200})
    cells = {("+".join(c.trained), c.domain): c for c in transfer(curves, trained, DOMAINS)}
    assert set(cells) == {("math", "math"), ("math", "code"), ("code", "math"), ("code", "code")}
    by = {(c.task, c.prm): c.values[:, -1] for c in curves}
    # Two tasks of one domain weigh the same, whatever their size.
    gaps = np.concatenate([by[t, "m"] - by[t, None] for t in ("sums", "algebra")])
    expected = paired(gaps[:, None], np.repeat([0, 1], [100, 300])).estimate(0)
    found = cells["math", "math"].gain.estimate
    assert (found.value, found.low, found.high) == (expected.value, expected.low, expected.high)
    assert found.value == pytest.approx(
        np.mean([(by[t, "m"] - by[t, None]).mean() for t in ("sums", "algebra")])
    )
    across = cells["math", "code"]
    assert across.gap is not None
    assert across.gap.estimate.value == pytest.approx((by["code", "m"] - by["code", "c"]).mean())
    assert cells["math", "math"].gap is None
    assert cells["math", "math"].gain.significant
    assert not cells["code", "math"].gain.significant
    assert across.gap.significant and across.gap.estimate.value < 0


def test_all_tests_of_the_matrix_are_one_family() -> None:
    curves, trained = made({"sums": 60, "algebra": 60, "code": 60})
    cells = transfer(curves, trained, DOMAINS)
    alone = transfer([c for c in curves if c.prm != "c"], {"m": ("math",)}, DOMAINS)
    one = next(c for c in cells if (c.trained, c.domain) == (("math",), "code"))
    other = next(c for c in alone if (c.trained, c.domain) == (("math",), "code"))
    assert one.gain.estimate == other.gain.estimate
    assert one.gain.adjusted >= other.gain.adjusted


def test_prms_of_one_training_are_averaged() -> None:
    curves, trained = made({"sums": 80, "algebra": 80, "code": 80}, second=True)
    cells = transfer(curves, trained, DOMAINS)
    found = next(c for c in cells if (c.trained, c.domain) == (("math",), "code"))
    by = {(c.task, c.prm): c.values[:, -1] for c in curves}
    assert found.prms == ("m", "m2")
    # Where sizes are known the largest stands for its training.
    larger = transfer(curves, trained, DOMAINS, {"m": 1e6, "m2": 3e6, "c": 1e6})
    assert {cell.prms for cell in larger} == {("m2",), ("c",)}
    assert found.accuracy == pytest.approx((by["code", "m"].mean() + by["code", "m2"].mean()) / 2)


def test_one_domain_or_no_known_training_is_no_matrix() -> None:
    curves, trained = made({"sums": 20, "algebra": 20, "code": 20})
    assert transfer([c for c in curves if c.task != "code"], trained, DOMAINS) == ()
    assert transfer(curves, {}, DOMAINS) == ()
    assert transfer([c for c in curves if c.prm], trained, DOMAINS) == ()
    assert not math.isnan(transfer(curves, trained, DOMAINS)[0].accuracy)
