"""Tables: what they say, and how they are written.

The golden files are made again by ``HARNESS_REFRESH_GOLDEN=1 pytest tests/reporting``.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from harness.errors import DataError
from harness.reporting.escape import escape_latex, escape_markdown, plain
from harness.reporting.first_error import Published, first_error_detail, first_error_table
from harness.reporting.lines import one_run, selection_lines
from harness.reporting.render import latex, markdown, print_table, write_tables
from harness.reporting.table import Cell, Column, Table
from harness.reporting.tables import all_tables, headline_table
from harness.types import ResultRow
from tests.reporting.report_rows import (
    AGGREGATIONS,
    PRMS,
    SUBSETS,
    first_error_rows,
    row,
    selection_rows,
)

ROWS = selection_rows() + first_error_rows()
GOLDEN = Path(__file__).parent / "golden"


def printed(table: Table, width: int = 100) -> list[str]:
    out = io.StringIO()
    print_table(table, Console(file=out, width=width, color_system=None))
    return out.getvalue().splitlines()


def column(table: Table, header: str) -> list[str]:
    place = [c.header.replace("\u00a0", " ") for c in table.columns].index(header)
    return [cells[place].text for cells in table.rows]


def headline(rows: tuple[ResultRow, ...]) -> Table:
    table = headline_table(rows)
    assert table is not None
    return table


@pytest.mark.parametrize("suffix", ["md", "tex"])
@pytest.mark.parametrize("table", all_tables(ROWS), ids=lambda table: table.name)
def test_golden(table: Table, suffix: str) -> None:
    path = GOLDEN / f"{table.name}.{suffix}"
    actual = markdown(table) if suffix == "md" else latex(table)
    if os.environ.get("HARNESS_REFRESH_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(actual)
    assert actual == path.read_text()


def test_golden_terminal() -> None:
    path = GOLDEN / "headline.txt"
    actual = "\n".join(line.rstrip() for line in printed(headline(ROWS))) + "\n"
    if os.environ.get("HARNESS_REFRESH_GOLDEN"):
        path.write_text(actual)
    assert actual == path.read_text()


# --- lines ---------------------------------------------------------------------------------------


def test_lines_are_complete_and_in_reading_order() -> None:
    lines = selection_lines(tuple(reversed(ROWS)))
    names = [line.last.method for line in lines if line.last.task == "chain_programs"]
    expected = ["greedy", "majority", *["weighted_vote"] * 4, *["best_of_n"] * 4, "pass_at_n"]
    assert names == expected
    assert all(
        [r.budget for r in line.points] == sorted(r.budget for r in line.points) for line in lines
    )


def test_only_the_declared_aggregation_unless_all_are_asked_for() -> None:
    with_prm = [line for line in selection_lines(ROWS) if line.last.prm]
    assert {line.last.aggregation for line in with_prm} == {AGGREGATIONS[0]}
    every = [line for line in selection_lines(ROWS, headline=False) if line.last.prm]
    assert len(every) == len(AGGREGATIONS) * len(with_prm)


def test_two_rows_for_one_result_are_refused() -> None:
    other = row(run_digest="1" * 64)
    with pytest.raises(DataError, match=r"two results for task chain_arithmetic.*report each run"):
        one_run([row(), other])
    with pytest.raises(DataError, match="two results"):
        selection_lines([row(), other])
    one_run(ROWS)


# --- content -------------------------------------------------------------------------------------


def test_headline_shows_the_largest_budget_and_up_to_three_smaller() -> None:
    table = headline(ROWS)
    headers = [c.header.replace("\u00a0", " ") for c in table.columns]
    assert [h for h in headers if h.startswith("N =")] == ["N = 1", "N = 4", "N = 16"]
    assert set(column(table, "N")) == {"1", "64"}
    assert len(table.rows) == 2 * (3 + 2 * len(PRMS))


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [((8,), []), ((1, 8), ["N = 1"]), ((1, 2, 3, 4), ["N = 1", "N = 2", "N = 3"])],
)
def test_few_budgets(budgets: tuple[int, ...], expected: list[str]) -> None:
    table = headline(tuple(row(budget=n) for n in budgets))
    headers = [c.header.replace("\u00a0", " ") for c in table.columns]
    assert [h for h in headers if h.startswith("N =")] == expected


def test_unknown_is_a_dash_and_sorts_last_and_zero_is_a_zero() -> None:
    table = headline((row(prm_tokens=None, flops=0.0, ci_low=None, seconds_per_problem=None),))
    assert column(table, "PRM tokens") == ["–"]
    assert column(table, "95 % interval") == ["–"]
    assert column(table, "seconds") == ["–"]
    assert column(table, "FLOPs") == ["0.00e0"]
    raw = {c.header: cell.raw for c, cell in zip(table.columns, table.rows[0], strict=True)}
    assert (raw["PRM tokens"], raw["FLOPs"]) == (None, 0.0)


def test_nan_value_is_unknown() -> None:
    table = headline((row(value=math.nan, ci_low=None, ci_high=None),))
    assert column(table, "accuracy %") == ["–"]


def test_part_of_a_task_is_flagged() -> None:
    whole, part = headline((row(),)), headline((row(n_problems=50),))
    assert column(whole, "problems") == ["200"]
    assert column(part, "problems") == ["50 of 200"]
    sentence = "Only a part of the problems was run or covered: chain_arithmetic."
    assert (sentence in whole.notes, sentence in part.notes) == (False, True)


def test_ungraded_is_printed_and_explained() -> None:
    table = headline((row(n_ungraded=7),))
    assert column(table, "ungraded") == ["7"]
    assert any("do not count as wrong" in note for note in table.notes)
    assert not any("do not count as wrong" in note for note in headline((row(),)).notes)


def test_kind_of_seconds_is_said_once_or_in_every_cell() -> None:
    same = headline((row(),))
    assert any("seconds are throughput" in note for note in same.notes)
    mixed = headline((row(), row(method="greedy", seconds_kind="latency")))
    assert column(mixed, "seconds") == ["0.750 latency", "0.750 throughput"]


def test_first_error_means_come_from_the_rows() -> None:
    table = first_error_table(ROWS)
    assert table is not None
    assert [c.header for c in table.columns[2:7]] == [*SUBSETS, "mean"]
    changed = [replace(r, value=0.123) if r.task == "processbench" else r for r in ROWS]
    other = first_error_table(changed)
    assert other is not None and set(column(other, "mean")) == {"12.3"}
    without = first_error_table([r for r in ROWS if r.task != "processbench"])
    assert without is not None
    assert [c.header for c in without.columns[2:]] == [f"processbench_{name}" for name in SUBSETS]


def test_published_figures_stand_beneath_and_are_marked() -> None:
    prm = next(r.prm for r in ROWS if r.prm and r.method == "first_error")
    cited = Published(
        {"processbench": 61.23, f"processbench_{next(iter(SUBSETS))}": 50.0}, "a paper"
    )
    table = first_error_table(ROWS, {prm: cited, "other": cited})
    plain = first_error_table(ROWS)
    assert table is not None and plain is not None
    assert len(table.rows) == len(plain.rows) + 1
    (place,) = (i for i, own in enumerate(table.rows) if own[0].text == "published")
    assert table.rows[place - 1][:2] == plain.rows[place - 1][:2]
    assert table.rows[place - 1][0].text == "first_error"
    texts = [cell.text for cell in table.rows[place]]
    assert texts[1:3] == [prm, "50.0"] and "61.2" in texts and texts[-1] == "–"
    assert any("the figures of others (a paper)" in note for note in table.notes)
    assert not any("published" in note for note in plain.notes)
    assert not any("†" in note for note in table.notes)
    doubted = replace(cited, impossible=frozenset({"processbench"}))
    table = first_error_table(ROWS, {prm: doubted})
    assert table is not None
    assert [c.text for c in table.rows[place] if "†" in c.text] == ["61.2\u00a0†"]
    assert any(note.startswith("† No number of this task's") for note in table.notes)


def test_published_figures_of_a_tuned_threshold_stand_beneath_ours() -> None:
    prm = next(r.prm for r in ROWS if r.prm and r.method == "first_error")
    cited = Published({"processbench": 61.23}, "a paper", tuned=True)

    def above(rows: list[ResultRow]) -> tuple[str, str]:
        table = first_error_table(rows, {prm: cited})
        assert table is not None
        (place,) = (i for i, own in enumerate(table.rows) if own[0].text == "published")
        assert f"Those of {prm} have a threshold that was chosen on GSM8K." in table.notes
        return table.rows[place - 1][0].text, table.rows[place - 1][1].text

    assert above(ROWS) == ("first_error_tuned", prm)
    # A PRM whose scores are no probabilities has no row of a given threshold, ...
    assert above([r for r in ROWS if r.method != "first_error"]) == ("first_error_tuned", prm)
    # ... and a run that tunes on nothing none of a tuned one.
    untuned = [r for r in ROWS if r.method != "first_error_tuned"]
    assert above(untuned) == ("first_error", prm)
    neither = first_error_table([r for r in untuned if r.method != "first_error"], {prm: cited})
    assert neither is None or not any("figures of others" in note for note in neither.notes)
    fixed = first_error_table(
        [r for r in ROWS if r.method != "first_error"], {prm: replace(cited, tuned=False)}
    )
    assert fixed is not None and not any(own[0].text == "published" for own in fixed.rows)


def test_first_error_detail_has_the_parts_of_f1() -> None:
    table = first_error_detail(ROWS)
    assert table is not None and len(table.rows) == 2 * 3 * len(SUBSETS)
    first = {c.header: cell.text for c, cell in zip(table.columns, table.rows[0], strict=True)}
    assert (first["F1"], first["error found"], first["correct kept"]) == ("48.0", "42.0", "55.0")
    assert (first["threshold"], first["right answer, wrong process"]) == ("0.5", "28.0")


def test_tables_are_made_only_for_what_the_rows_hold() -> None:
    assert all_tables(()) == ()
    assert [t.name for t in all_tables([row()])] == ["headline"]
    names = [t.name for t in all_tables(first_error_rows())]
    assert names == ["first_error", "first_error_detail"]
    assert [t.name for t in all_tables(ROWS)] == ["headline", *names, "aggregations"]


# --- formats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", all_tables(ROWS), ids=lambda table: table.name)
@pytest.mark.parametrize("width", [80, 100, 160])
def test_terminal_never_exceeds_its_width(table: Table, width: int) -> None:
    assert max(cell_len(line) for line in printed(table, width)) <= width


def test_terminal_does_not_break_cells_at_100() -> None:
    lines = printed(headline(ROWS))
    for line in selection_lines(ROWS):
        cells = [line.last.method, line.last.prm or "–", line.last.aggregation or "–"]
        assert any(text.split()[:3] == cells for text in lines)


def test_terminal_says_what_it_leaves_out() -> None:
    assert any(
        "Not shown for width: N = 4, N = 16" in line.replace("\u00a0", " ")
        for line in printed(headline(ROWS))
    )
    assert not any("Not shown" in line for line in printed(headline(ROWS), width=200))


def test_sections_name_what_their_rows_share() -> None:
    lines = printed(headline(ROWS), width=200)
    expected = (
        "task chain_programs, policy tiny, problems 164 of 378, ungraded 3, truncated 1.2\u00a0%"
    )
    assert expected in [line.rstrip() for line in lines]


HOSTILE = "a|b_c `x` <img onerror=1> [t](u) $5 & 100% {#1} \\input{x} ~^ \x1b[31m\nnext \u202e"


def hostile_table() -> Table:
    cells = (Cell(HOSTILE, HOSTILE), Cell("1", 1))
    return Table("t", HOSTILE, (Column(HOSTILE), Column("n", "right")), (cells,), (HOSTILE,))


def test_hostile_names_stay_in_their_cell() -> None:
    text = markdown(hostile_table())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert all(line.replace("\\|", "").count("|") == 3 for line in rows)
    assert "<img" not in text and "](u)" not in text.replace("]\\(", "")


def test_hostile_names_are_inert_in_latex() -> None:
    text = latex(hostile_table())
    body = text.split("\\midrule\n")[1].split("\n\\bottomrule")[0]
    assert body.count("\n") == 0
    assert "\\input" not in body and "\\textbackslash{}input\\{x\\}" in body
    assert body.replace("\\&", "").count("&") == 1
    assert "%" not in body.replace("\\%", "")


def test_hostile_names_cannot_drive_a_terminal() -> None:
    text = "\n".join(printed(hostile_table()))
    assert "\x1b" not in text and "\u202e" not in text


def test_escapes_leave_ordinary_names_readable() -> None:
    assert escape_markdown("best_of_n") == "best_of_n"
    assert escape_markdown("_x_") == "\\_x\\_"
    assert escape_latex("best_of_n, 95\u00a0%") == "best\\_of\\_n, 95~\\%"
    assert plain("a\tb\nc") == "a b c"


def test_files_are_written_for_every_table(tmp_path: Path) -> None:
    tables = all_tables(ROWS)
    paths = write_tables(tables, tmp_path)
    assert {path.name for path in paths} == {f"{t.name}.{s}" for t in tables for s in ("md", "tex")}
    assert (tmp_path / "headline.md").read_text() == markdown(tables[0])


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells, 2 columns"):
        Table("t", "t", (Column("a"), Column("b")), ((Cell("x"),),))
