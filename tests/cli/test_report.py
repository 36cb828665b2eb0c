"""What a run prints at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.report import show_results
from harness.reporting.costs import ClaimText
from harness.reporting.report import Report
from harness.reporting.table import Cell, Column, Table
from harness.store.format import RunFolder


def _table(name: str) -> Table:
    return Table(name, f"title of {name}", (Column("x"),), ((Cell(f"row of {name}"),),))


def test_the_terminal_has_the_first_tables_and_says_where_the_others_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("headline", "first_error", "step_scores", "winners", "frontier_flops")
    claim = ClaimText("votes are to be avoided", "paper", "rule", "Supported 2.", ("on a", "on b"))
    untested = ClaimText("trees are to be avoided", "paper", "rule", "Not tested: it needs …", ())
    report = Report(
        tmp_path / "index.html", tuple(_table(name) for name in names), (), (), (claim, untested)
    )
    show_results(RunFolder(tmp_path), report)
    printed = capsys.readouterr().out
    assert [name for name in names if f"row of {name}" in printed] == ["headline", "first_error"]
    assert "tables, 3 more than shown" in printed
    assert "votes are to be avoided (paper): Supported 2." in printed
    assert "on a" not in printed and "trees are to be avoided" not in printed
    assert "index.html" in printed
