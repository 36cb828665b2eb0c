"""Tables of whole solutions' scores: length within a problem, and the same solutions cut anew."""

from __future__ import annotations

from harness.reporting.solutions import recut_table, solution_table
from tests.reporting.report_rows import row

PLACE = {"prm": "p", "method": "solution_scores", "budget": None, "headline": False}


def test_a_table_of_auroc_and_length() -> None:
    ends = {"ci_low": -0.2, "ci_high": 0.1}
    table = solution_table(
        [
            row(**PLACE, metric="solution_auroc", value=0.8, ci_low=0.75, ci_high=0.85),
            row(**PLACE, metric="length_steps", value=-0.05, **ends),
            row(**PLACE, metric="length_characters_right", value=0.3, **ends),
        ]
    )
    assert table is not None
    shown = [[cell.text for cell in cells[3:]] for cells in table.rows]
    assert shown == [
        ["all", "80.0", "[75.0, 85.0]", "-5.0", "[-20.0, 10.0]", "–", "–"],
        ["right", "–", "–", "–", "–", "30.0", "[-20.0, 10.0]"],
    ]
    assert solution_table([row()]) is None


def test_given_solutions_have_no_policy_and_nothing_to_choose_from() -> None:
    place = {**PLACE, "policy": None, "value": -0.4, "ci_low": -0.5, "ci_high": -0.3}
    table = solution_table(
        [
            row(**{**place, "prm": prm}, task=task, metric="length_steps_right")
            for prm in ("p", "q")
            for task in ("a", "b")
        ]
    )
    assert table is not None
    assert [column.header for column in table.columns][:4] == [
        "task", "PRM", "solutions", "length in steps",
    ]  # fmt: skip
    found = [[cell.text for cell in cells[:4]] for cells in table.rows]
    assert found == [[task, prm, "right", "-40.0"] for task in ("a", "b") for prm in ("p", "q")]


def test_only_prms_that_read_in_several_ways_are_put_side_by_side() -> None:
    best = {"method": "best_of_n", "aggregation": "min"}
    names = ("other", "p", "p,steps=whole", "p,steps=join:2")
    table = recut_table([row(**best, prm=name, value=0.5) for name in names])
    assert table is not None
    shown = [(cells[2].text, cells[3].text) for cells in table.rows]
    assert shown == [("p", "each"), ("p", "whole"), ("p", "join:2")]
    assert recut_table([row(**best, prm="other"), row(**best, prm="p")]) is None
