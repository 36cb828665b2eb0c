"""The table of paired differences says who is ahead, and when nobody can tell."""

from __future__ import annotations

from harness.reporting.duels import duel_table
from harness.reporting.render import markdown
from harness.stats import compare
from harness.types import Duel


def _duel(a: list[float], b: list[float]) -> Duel:
    return Duel("sums", "small", "prm", "best_of_n", 64, compare("best_of_n prm", "majority", a, b))


def test_no_comparison_no_table() -> None:
    assert duel_table(()) is None


def test_verdicts() -> None:
    clear = _duel([1.0] * 40, [0.0] * 40)
    behind = _duel([0.0] * 40, [1.0] * 40)
    close = _duel([1.0, 0.0] * 20, [0.0, 1.0] * 20)
    empty = _duel([float("nan")], [1.0])
    table = duel_table([clear, behind, close, empty])
    assert table is not None
    verdicts = [row[-1].text for row in table.rows]
    assert verdicts == ["ahead", "behind", "not separable", "not separable"]
    assert table.rows[0][6].text == "+100.0"
    assert table.rows[3][6].text == "–"
    assert "mcnemar-exact" in table.notes[0]
    assert [cell.text for cell in table.rows[0][2:5]] == ["best_of_n", "prm", "majority"]
    assert "best\\_of\\_n" in markdown(table) or "best_of_n" in markdown(table)
    assert empty.comparison.sentence() == "best_of_n prm and majority share no graded problem."
