"""Tables and figures of PRMs by size and by training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.analysis.scaling import Sized, series
from harness.analysis.transfer import Difference, Transfer
from harness.reporting.scaling import (
    Scaling,
    scaling_table,
    transfer_table,
    write_scaling_figures,
)
from harness.runner.scaling import parameters
from harness.types import Estimate


def made(sizes: tuple[float, ...], flops: bool = True) -> Scaling:
    rng = np.random.default_rng(0)
    hard = rng.random(300)
    points = [
        Sized(f"prm-{size:g}", size, 1e3 * size if flops else None, (hard < mean).astype(float))
        for size, mean in zip(sizes, np.linspace(0.3, 0.7, len(sizes)), strict=True)
    ]
    return Scaling("sums", "tiny", "math", 64, series(points))


def cell(trained: str, domain: str, value: float, p: float, gap: bool) -> Transfer:
    found = Difference(Estimate(value, value - 0.1, value + 0.1, 50, 50, "t"), p)
    return Transfer((trained,), domain, ("prm",), ("sums",), 0.5, found, found if gap else None)


CELLS = (cell("math", "math", 0.2, 0.01, False), cell("math", "code", -0.05, 0.4, True))


def test_what_is_enough_is_said_in_its_row() -> None:
    table = scaling_table([made((1e6, 3e6, 7e9))])
    assert table is not None
    rows = [[cell.text for cell in row] for row in table.rows]
    assert [row[4] for row in rows] == ["1M", "3M", "7B"]
    assert [row[-1] for row in rows] == ["worse", "worse", "the largest, enough"]
    assert rows[-1][8:11] == ["–", "–", "–"]
    assert scaling_table([]) is None


def test_a_curve_is_told_with_its_limit_or_why_there_is_none() -> None:
    few, many = scaling_table([made((1e6, 3e6, 7e9))]), scaling_table([made((1e6, 3e6, 1e7, 1e8))])
    assert few is not None and many is not None
    assert (
        "3 sizes; a saturating curve has three parameters and is fitted from 4 sizes"
        in few.notes[1]
    )
    assert "accuracy = " in many.notes[1] and "limit" in many.notes[1]


def test_the_matrix_has_a_dash_where_nothing_is_compared() -> None:
    table = transfer_table(CELLS)
    assert table is not None
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows[0][-3:] == ["–", "–", "–"]
    assert rows[1][4:7] == ["-5.0", "[-15.0, +5.0]", "0.4"]
    assert transfer_table(()) is None


def test_figures_are_written_twice_the_same(tmp_path: Path) -> None:
    found = [made((1e6, 3e6, 1e7, 1e8), flops=False)]
    for name in ("one", "two"):
        figures = write_scaling_figures(found, CELLS, tmp_path / name)
    assert [figure.name for figure in figures] == ["scaling-sums-tiny-math", "transfer"]
    assert "worse than the largest: prm-1e+08" in figures[0].alt
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("text", "number"), [("7B", 7e9), ("0.3M", 3e5), ("1.5 B", 1.5e9), ("", None), ("large", None)]
)
def test_sizes_are_read_as_the_catalogue_writes_them(text: str, number: float | None) -> None:
    assert parameters(text) == number
