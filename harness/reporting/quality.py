"""What the report says of step scores whatever the threshold: do they rank, are they calibrated?"""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting import text
from harness.reporting.cells import distinct, interval_cell, percent_cell, subset_notes
from harness.reporting.table import Cell, Column, Table
from harness.types import ResultRow

STEP_SCORES = "step_scores"
"""Under this name the rows stand; no threshold and no search is part of it."""

_FIGURES = {
    "step_auroc": "AUROC, steps",
    "same_place_auroc": "at the same place",
    "solution_auroc": "AUROC, solutions",
    "brier": "Brier",
    "ece": "ECE",
    "last_is_least": "last is least",
}


def third_metric(third: str) -> str:
    """Return how results.csv calls the calibration error in the first, middle or last third."""
    return f"ece_{third}_third"


def place_metric(first: int, last: int | None) -> str:
    """Return how results.csv calls the AUROC of the steps from first to last, from 1."""
    if first == last:
        return f"auroc_step_{first}"
    return f"auroc_steps_{first}_{last or 'up'}"


def quality_table(rows: Sequence[ResultRow]) -> Table | None:
    """Return one row per (task, PRM); None when no task asked for the first wrong step."""
    found = [row for row in rows if row.method == STEP_SCORES]
    if not found:
        return None
    values = {(row.task, row.prm, row.metric): row for row in found}
    shown = [metric for metric in _FIGURES if any(row.metric == metric for row in found)]
    body = []
    for task in distinct(row.task for row in found):
        for prm in distinct(row.prm for row in found if row.task == task):
            cells = [Cell(task, task), Cell(prm or text.UNKNOWN, prm)]
            for metric in shown:
                row = values.get((task, prm, metric))
                cells.append(percent_cell(row.value if row else None))
                if metric == "step_auroc":
                    cells.append(interval_cell(row))
            body.append(tuple(cells))
    columns = [Column("task", fold="group"), Column("PRM")]
    for metric in shown:
        columns.append(Column(_FIGURES[metric], "right"))
        if metric == "step_auroc":
            columns.append(Column("95\u00a0% interval", "right", rank=1))
    notes = [
        "AUROC: how often a wrong step has a lower score than a right one (solutions: by their "
        "least score); 50 is chance. Steps after the first wrong one have no label and do not "
        "count. All in percent, intervals over solutions.",
    ]
    if "same_place_auroc" in shown:
        notes.append(
            "At the same place: AUROC over pairs of steps with the same number in their solutions; "
            "scores that only fall from step to step have 50."
        )
    if "ece" in shown:
        notes.append(
            "Brier: mean squared error of a score as a probability; ECE: mean distance of scores "
            "from what comes true, over ten bins. Both are better when lower."
        )
    if "last_is_least" in shown:
        notes.append(
            "Last is least: solutions whose lowest score is the last step's; high where a PRM "
            "judges the answer and not the step."
        )
    return Table(
        name="step_scores",
        title="Step scores, whatever the threshold",
        columns=tuple(columns),
        rows=tuple(body),
        notes=(*notes, *subset_notes(found)),
    )
