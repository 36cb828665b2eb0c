"""Figures: which are made, that their bytes are stable, that names and gaps do no harm."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.reporting.charts import AXES, N_AXIS, TOTAL_AXIS, drawable
from harness.reporting.figures import DPI, Figure, Missing, write_figures
from harness.reporting.lines import selection_lines
from harness.reporting.style import COLOURS, label, style_of
from harness.types import ResultRow
from tests.reporting.report_rows import first_error_rows, row, selection_rows

ROWS = selection_rows(("chain_arithmetic",)) + first_error_rows()


def size(png: Path) -> tuple[int, int]:
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[tuple[Figure, ...], tuple[Missing, ...]]:
    return write_figures(ROWS, tmp_path_factory.mktemp("figures"))


def test_one_figure_per_axis_and_the_bars_and_the_overview(written: tuple) -> None:
    figures, missing = written
    names = [figure.name for figure in figures]
    assert names == [
        *(f"chain_arithmetic-tiny-{axis.name}" for axis in AXES),
        "first_error",
        "overview",
    ]
    assert missing == ()


def test_files_are_whole(written: tuple) -> None:
    for figure in written[0]:
        width, height = size(figure.png)
        assert 600 <= width <= 14 * DPI + 100 and 300 <= height <= 1200
        assert ET.parse(figure.svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        assert b"<script" not in figure.svg.read_bytes()


def test_overview_fits_a_readme(written: tuple) -> None:
    width, height = size(written[0][-1].png)
    assert 1100 <= width <= 1300 and height <= 900


def test_alt_text_gives_the_numbers(written: tuple) -> None:
    alt = written[0][0].alt
    assert "best of N with math-large 86.8 [82.1, 91.5]" in alt
    assert "pass@N (ceiling) 97.6" in alt


def test_same_rows_same_bytes(written: tuple, tmp_path: Path) -> None:
    again, _ = write_figures(ROWS, tmp_path)
    for one, other in zip(written[0], again, strict=True):
        assert one.png.read_bytes() == other.png.read_bytes()
        assert one.svg.read_bytes() == other.svg.read_bytes()


def test_an_unknown_axis_is_named_and_not_drawn(tmp_path: Path) -> None:
    unknown = [
        replace(one, policy_tokens=None, flops=None, seconds_per_problem=None)
        for one in selection_rows(("chain_arithmetic",))
    ]
    figures, missing = write_figures(unknown, tmp_path)
    assert [figure.name for figure in figures] == ["chain_arithmetic-tiny-n", "overview"]
    assert [one.reason for one in missing] == [
        "policy tokens are unknown for this run.",
        "total tokens are unknown for this run.",
        "FLOPs are unknown for this run.",
        "measured seconds are unknown for this run.",
    ]


def test_no_rows_no_figures(tmp_path: Path) -> None:
    assert write_figures((), tmp_path / "none") == ((), ())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([row()], id="one point, no PRM"),
        pytest.param([row(value=float("nan"))], id="nothing to draw"),
        pytest.param([row(ci_low=None, ci_high=None), row(budget=8)], id="no interval"),
        pytest.param(
            [row(budget=n, value=1.0, ci_low=1.0, ci_high=1.0) for n in (1, 2)], id="ones"
        ),
        pytest.param([row(method=f"m{i}", prm="p") for i in range(9)], id="many unknown methods"),
        pytest.param([row(method="best_of_n", prm=f"p{i}") for i in range(15)], id="many PRMs"),
        pytest.param([row(policy=None)], id="no policy"),
        pytest.param(
            [
                row(
                    task="../../$a_{b}$/<x>&\n",
                    policy="_p",
                    prm="_$\\frac{1}$ % # 漢\x00",
                    method="_m" * 99,
                )
            ],
            id="hostile names",
        ),
    ],
)
def test_odd_rows_are_drawn(rows: Sequence[ResultRow], tmp_path: Path) -> None:
    folder = tmp_path / "in" / "figures"
    unknown = {"policy_tokens": None, "flops": None, "seconds_per_problem": None}
    figures, _ = write_figures([replace(one, **unknown) for one in rows], folder)
    assert "overview" in [figure.name for figure in figures]
    for figure in figures:
        assert max(size(figure.png)) <= 2400
    assert {path.parent for path in tmp_path.rglob("*.*")} <= {folder}


def test_total_tokens_need_both_parts_or_no_prm() -> None:
    assert TOTAL_AXIS.x(row(policy_tokens=10.0, prm_tokens=None)) == 10.0
    assert TOTAL_AXIS.x(row(prm="p", policy_tokens=10.0, prm_tokens=5.0)) == 15.0
    assert TOTAL_AXIS.x(row(prm="p", policy_tokens=10.0, prm_tokens=None)) is None


def test_points_without_a_place_are_left_out() -> None:
    (line,) = selection_lines([row(budget=1, value=float("nan")), row(budget=2), row(budget=None)])
    assert [x for x, _ in drawable(line, N_AXIS)] == [2]


def test_a_prm_keeps_its_colour_and_no_two_look_alike() -> None:
    style = style_of(ROWS)
    alone = style_of(ROWS)
    assert style == alone
    many = style_of([row(prm=f"p{i}") for i in range(4 * len(COLOURS))])
    assert len({(many.prm(name).colour, many.prm(name).dashes) for name in many.prms}) == 24
    line = next(one for one in selection_lines(ROWS) if one.last.prm == "math-small")
    assert style.line(line).colour == style.prm("math-small").colour


def test_methods_have_markers_of_their_own() -> None:
    style = style_of([row(method=name) for name in ("beam", "dvts", "best_of_n", "majority")])
    markers = [style.marker(name) for name in style.methods]
    assert len(set(markers)) == len(markers)
    assert label("some_new_method") == "some new method"
