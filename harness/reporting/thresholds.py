"""What the report says of the threshold below which a step is called wrong: does it matter?"""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting import text
from harness.reporting.cells import distinct, percent_cell, subset_notes
from harness.reporting.first_error import FIXED
from harness.reporting.table import Cell, Column, Table
from harness.types import ResultRow

THRESHOLD_CURVE = "threshold_curve"
"""Under this name the rows stand that look at every threshold."""


def threshold_table(rows: Sequence[ResultRow]) -> Table | None:
    """Return one row per (task, PRM), groups included; None where no F1 is defined."""
    found = [row for row in rows if row.method == THRESHOLD_CURVE]
    if not found:
        return None
    values = {(row.task, row.prm, row.method, row.metric): row.value for row in rows}
    body = []
    for task in distinct(row.task for row in found):
        for prm in distinct(row.prm for row in found if row.task == task):
            at = values.get((task, prm, FIXED, "f1"))
            best = values.get((task, prm, THRESHOLD_CURVE, "best_f1"))
            ends = (values.get((task, prm, THRESHOLD_CURVE, f"plateau_{end}")) for end in _ENDS)
            lost = None if at is None or best is None else best - at
            body.append(
                (
                    Cell(task, task),
                    Cell(prm or text.UNKNOWN, prm),
                    percent_cell(at),
                    percent_cell(best),
                    percent_cell(lost),
                    *(Cell(text.UNKNOWN if end is None else f"{end:.4g}", end) for end in ends),
                )
            )
    return Table(
        name="thresholds",
        title="How much hangs on the threshold",
        columns=(
            Column("task", fold="group"),
            Column("PRM"),
            Column("F1, declared threshold", "right"),
            Column("best F1", "right"),
            Column("points lost", "right"),
            Column("good from", "right"),
            Column("to", "right"),
        ),
        rows=tuple(body),
        notes=(
            "Best F1: at the one best threshold of all, chosen on the same solutions: an upper "
            "bound. Good from, to: the range of thresholds around it that loses at most 2 points.",
            *subset_notes(found),
        ),
    )


_ENDS = ("low", "high")
