"""Accuracy against cost in tables, sentences, CSV, figures and the page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from harness.analysis import Curve
from harness.reporting.charts import Axis, scale
from harness.reporting.costs import (
    CSV_COLUMNS,
    Costs,
    analyse,
    claim_texts,
    claims_markdown,
    frontier_csv,
    frontier_table,
    winner_table,
)
from harness.reporting.frontier_figures import (
    SERIES,
    method_colours,
    shown_lines,
    spread_out,
    write_frontier_figures,
)
from harness.reporting.render import latex, markdown
from harness.reporting.report import Report, write_report
from harness.reporting.table import Table
from tests.analysis.made import answers, curve
from tests.reporting.report_rows import row
from tests.reporting.test_page import ABOUT, ATTACKS, Outline

COST = [100.0, 200, 400, 800, 1600]
TRUTHS = {
    "majority": [0.40, 0.42, 0.44, 0.45, 0.46],
    "best_of_n": [0.40, 0.46, 0.52, 0.56, 0.58],
    "beam": [0.30, 0.42, 0.54, 0.62, 0.68],
    "mcts": [0.20, 0.35, 0.55, 0.70, 0.82],
}


def curves(
    problems: int = 600, tasks: Sequence[str] = ("sums",), prm: str = "judge"
) -> list[Curve]:
    made = []
    for seed, task in enumerate(tasks):
        for name, values in answers(TRUTHS, problems, seed).items():
            own = None if name == "majority" else prm
            axes = ("policy_tokens", "total_tokens")
            made.append(curve(name, values, COST, prm=own, task=task, axes=axes))  # type: ignore[arg-type]
        greedy = answers({"greedy": [0.45]}, problems, seed)["greedy"]
        made.append(curve("greedy", greedy, [90.0], prm=None, task=task, axes=["total_tokens"]))
    return made


@pytest.fixture(scope="module")
def costs() -> Costs:
    return analyse(curves())


def cells(table: Table | None, header: str) -> list[str]:
    assert table is not None
    place = [c.header.replace("\u00a0", " ") for c in table.columns].index(header)
    return [row[place].text for row in table.rows]


def test_the_table_has_every_method_with_cost_and_winner(costs: Costs) -> None:
    table = frontier_table(costs, "total_tokens")
    assert cells(table, "method") == ["majority", "greedy", "best_of_n", "beam", "mcts"]
    assert cells(table, "total tokens") == ["1.60k", "90", "1.60k", "1.60k", "1.60k"]
    assert cells(table, "N") == ["16", "1", "16", "16", "16"]
    assert cells(table, "area %")[1] == "–"
    assert cells(table, "gain")[:2] == ["–", "–"]
    assert all(text.endswith("×") for text in cells(table, "gain")[2:])
    wins = cells(table, "wins at")
    assert wins[-1].endswith("1.60k") and wins[0] == "–"
    assert set(cells(table, "problems")) == {"600"}
    assert table is not None and "\\begin{tabular}" in latex(table) and "| mcts" in markdown(table)
    assert frontier_table(costs, "flops") is None


def test_the_winners_stand_by_axis(costs: Costs) -> None:
    table = winner_table(costs)
    assert table is not None
    headers = [column.header for column in table.columns]
    assert headers[3:5] == ["policy tokens", "total tokens"]
    assert "mcts" in cells(table, "total tokens")[0]
    few = winner_table(analyse(curves(10)))
    assert cells(few, "total tokens") == ["none"]


def test_claims_are_sentences_everywhere(costs: Costs) -> None:
    texts = claim_texts(costs)
    assert [text.summary for text in texts] == ["Supported.", "Supported.", "Contradicted."]
    assert all(len(text.sentences) == 1 for text in texts)
    document = claims_markdown(texts)
    assert document.startswith("### Published claims\n")
    assert document.count("\n- ") == 3
    none = claim_texts(analyse(curves()[:1]))
    assert all(text.summary.startswith("Not tested: it needs") for text in none)
    assert claims_markdown(none).count("\n- ") == 0
    two = claim_texts(analyse(curves(tasks=("sums", "words"))))
    assert two[1].summary == "Supported 2, of 2 (task, policy, PRM)."


def test_csv_holds_every_point(costs: Costs) -> None:
    rows = list(csv.DictReader(io.StringIO(frontier_csv(costs).decode())))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 2 * 4 * 5 + 1
    best = [one for one in rows if one["method"] == "mcts" and one["axis"] == "total_tokens"]
    assert [float(one["cost"]) for one in best] == COST
    assert best[-1]["pareto"] == "true"
    assert all(float(one["low"]) <= float(one["accuracy"]) <= float(one["high"]) for one in rows)


def test_the_panel_is_that_of_the_prm_with_the_most_methods() -> None:
    made = curves(40) + curves(40, prm="other")[1:2]
    found = analyse([*made[-1:], *made[:-1]]).featured("total_tokens")
    assert [one.panel.group.prm for one in found] == ["judge"]


# --- figures -------------------------------------------------------------------------------------


def test_one_figure_per_axis_with_the_same_bytes(costs: Costs, tmp_path: Path) -> None:
    one, other = (write_frontier_figures(costs, tmp_path / name) for name in "ab")
    assert list(one) == ["policy_tokens", "total_tokens"]
    for axis, figure in one.items():
        assert figure.name == f"frontier-{axis}"
        assert "MCTS" in figure.alt and "at 1.60k" in figure.alt
        assert figure.png.read_bytes() == other[axis].png.read_bytes()
        assert figure.svg.read_bytes() == other[axis].svg.read_bytes()


def test_lines_of_one_panel_differ_in_colour() -> None:
    truths = {f"search_{i:02}": [0.5, 0.9 - 0.03 * i] for i in range(14)}
    truths |= {"z_best": [0.5, 0.99], "majority": [0.2, 0.21], "greedy": [0.2, 0.2]}
    made = [
        curve(name, values, [1, 2], prm="judge" if "_" in name else None, task=task)
        for task in ("sums", "words")
        for name, values in answers(truths, 400, 0 if task == "sums" else 1).items()
    ]
    costs = analyse(made)
    colours = method_colours(costs)
    panels = costs.featured("total_tokens")
    assert len(panels) == 2
    for found in panels:
        shown = [found.lines[place].curve.method for place in shown_lines(found)]
        assert "z_best" in shown
        assert len({colours[name] for name in shown}) == len(shown) == SERIES
    assert set(colours) == set(truths)


def test_at_most_eight_lines_the_plain_ones_among_them() -> None:
    truths = {f"search_{i}": [0.5, 0.6 + 0.02 * i] for i in range(12)}
    truths |= {"best_of_n": [0.3, 0.31], "majority": [0.2, 0.21]}
    made = [
        curve(name, values, [1, 2], prm=None if name == "majority" else "judge")
        for name, values in answers(truths, 400, 0).items()
    ]
    (found,) = analyse(made).on("total_tokens")
    shown = [found.lines[place].curve.method for place in shown_lines(found)]
    assert len(shown) == SERIES
    assert {"majority", "best_of_n", "search_11", "search_10"} <= set(shown)
    assert "search_0" not in shown


@pytest.mark.parametrize(
    "heights", [[0.5] * 8, [0.1, 0.11, 0.9, 0.91, 0.92], [1.0, 1.0], [0.3], []]
)
def test_names_stand_apart_in_order_and_inside(heights: list[float]) -> None:
    found = spread_out(dict(enumerate(heights)), 0.06)
    placed = [found[i] for i in sorted(found, key=lambda i: (heights[i], i))]
    assert all(b - a >= 0.06 - 1e-9 for a, b in pairwise(placed))
    assert max(placed, default=0) <= 0.97
    assert found.keys() == set(range(len(heights)))


def test_ticks_are_several_on_three_decades() -> None:
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    ax.set_xscale("log")
    ax.set_xlim(300, 100_000)
    scale(ax, Axis("total_tokens", "tokens", "tokens", lambda row: None))
    low, high = ax.get_xlim()
    assert sum(low <= tick <= high for tick in ax.get_xticks()) >= 5


# --- the report ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("costs")
    return write_report([row()], (), (), ABOUT, folder, curves=curves())


def test_everything_is_written(report: Report) -> None:
    folder = report.page.parent
    names = {path.name for path in (folder / "tables").iterdir()}
    assert {"winners.md", "winners.tex", "claims.md", "frontier.csv"} <= names
    assert {"frontier_total_tokens.md", "frontier_total_tokens.tex"} <= names
    assert (folder / "figures" / "frontier-total_tokens.svg").exists()
    assert [table.name for table in report.tables][-3:] == [
        "winners",
        "frontier_policy_tokens",
        "frontier_total_tokens",
    ]


def test_the_page_has_a_section_with_a_selector(report: Report) -> None:
    text = report.page.read_text()
    outline = Outline(text)
    assert {"id": "costs", "aria-labelledby": "costs-title"} in outline.of("section")
    options = [(one["value"], "selected" in one) for one in outline.of("option")]
    assert options == [("policy_tokens", False), ("total_tokens", True)]
    views = [one["data-axis"] for one in outline.of("div") if one.get("class") == "axis"]
    assert views == ["policy_tokens", "total_tokens"]
    assert "The majority vote is to be avoided" in text
    levels = [int(tag[1]) for tag, _ in outline.tags if tag in ("h1", "h2", "h3", "h4")]
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {label["for"] for label in outline.of("label") if "for" in label}
    assert {one["id"] for one in outline.of("input")} <= labelled
    assert len(text) < 5_000_000


def test_a_run_without_curves_has_no_such_section(tmp_path: Path) -> None:
    made = write_report([row()], (), (), ABOUT, tmp_path)
    assert 'id="costs"' not in made.page.read_text()
    assert made.claims == ()


def test_names_are_data_here_too(tmp_path: Path) -> None:
    names = [text[:80] for text in ATTACKS[:6]]
    values = np.array([[0.0, 1.0], [1.0, 1.0], [0.0, math.nan]])
    made = [
        curve(name, values, [1, 2], prm=None if i % 2 else names[0], task=names[2])
        for i, name in enumerate(names)
    ]
    page = write_report([row()], (), (), ABOUT, tmp_path, curves=made).page.read_text()
    assert "<script>window.broken" not in page
    assert "<img src=x" not in page


def test_the_selector_shows_one_axis_at_a_time(report: Report) -> None:
    import shutil

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(report.page.as_uri())
        views = page.locator(".axis")
        assert views.count() == 2
        assert [views.nth(i).is_visible() for i in range(2)] == [False, True]
        page.locator("#pick-axis").select_option("policy_tokens")
        assert [views.nth(i).is_visible() for i in range(2)] == [True, False]
        assert page.evaluate("document.documentElement.scrollWidth") <= 1400
        browser.close()
