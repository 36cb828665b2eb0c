"""What the report says of tasks in which every step has a label (PRMBench)."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting import text
from harness.reporting.cells import (
    distinct,
    interval_cell,
    percent_cell,
    subset_notes,
    unparsed_notes,
)
from harness.reporting.table import Cell, Column, Table
from harness.types import ResultRow

PRM_SCORE = "prm_score"
"""The method, and the metric of all categories together."""

_FIGURES = {
    "prm_score": "PRMScore",
    "f1_right_steps": "F1, right steps",
    "f1_wrong_steps": "F1, wrong steps",
    "acc_right_steps": "right kept",
    "acc_wrong_steps": "wrong found",
    "acc_first_wrong": "first wrong found",
    "similarity": "similarity",
}


def prm_score_table(rows: Sequence[ResultRow]) -> Table | None:
    """Return one row per (task, PRM): PRMScore overall, by category and group; None if no task has
    such labels."""
    from harness.stats.prm_score import GROUPS  # brings numpy, which tables do without

    found = [row for row in rows if row.metric == PRM_SCORE]
    if not found:
        return None
    values = _values(rows)
    columns = [
        Column("task", fold="group"),
        Column("PRM"),
        Column("overall", "right"),
        Column("95\u00a0% interval", "right", rank=1),
    ]
    names = []
    for group, members in GROUPS.items():
        names += [*members, group]
        columns += [Column(name, "right", rank=2) for name in members]
        columns.append(Column(group, "right", rank=1))
    body = []
    for row in found:
        cells = [Cell(row.task, row.task), Cell(row.prm or text.UNKNOWN, row.prm)]
        cells += [percent_cell(row.value), interval_cell(row)]
        for name in names:
            one = values.get((row.task, row.prm, f"{PRM_SCORE}_{name.lower()}"))
            cells.append(percent_cell(one.value if one else None))
        body.append(tuple(cells))
    return Table(
        name="prm_score",
        title="PRMScore: right and wrong steps",
        columns=tuple(columns),
        rows=tuple(body),
        notes=(
            "PRMScore: mean of the F1 of right and of wrong steps; of MS, where no step is wrong, "
            "the F1 of right steps. Overall takes all steps together; a group is the mean of the "
            "categories before it. All in percent; intervals over problems "
            f"({', '.join(distinct(row.ci_method for row in found))}).",
            *unparsed_notes(rows, found, "misjudged step by step"),
            *subset_notes(found),
        ),
    )


def prm_score_detail(rows: Sequence[ResultRow]) -> Table | None:
    """Return one row per (task, PRM, category) with everything behind PRMScore."""
    from harness.stats.prm_score import GROUPS  # brings numpy, which tables do without

    found = [row for row in rows if row.metric == PRM_SCORE]
    if not found:
        return None
    values = _values(rows)
    body = []
    for row in found:
        for name in ("", *(name for members in GROUPS.values() for name in members)):
            suffix = f"_{name.lower()}" if name else ""
            own = [values.get((row.task, row.prm, f"{metric}{suffix}")) for metric in _FIGURES]
            if own[0] is None:
                continue
            cells = [Cell(row.task, row.task), Cell(row.prm or text.UNKNOWN, row.prm)]
            cells.append(Cell(name or "all", name))
            cells += [percent_cell(one.value if one else None) for one in own]
            body.append((*cells, Cell(f"{own[0].n_problems:,}", own[0].n_problems)))
    columns = (
        Column("task", fold="group"),
        Column("PRM", fold="group"),
        Column("category"),
        *(Column(title, "right") for title in _FIGURES.values()),
        Column("solutions", "right", rank=1),
    )
    return Table(
        name="prm_score_detail",
        title="PRMScore, category by category",
        columns=columns,
        rows=tuple(body),
        notes=(
            "Right kept, wrong found: share of right steps called right, of wrong ones called "
            "wrong. Similarity: mean distance between the share of steps called right in a "
            "solution and in its unmodified original; a PRM that sees the errors has a large one. "
            "All in percent.",
        ),
    )


def _values(rows: Sequence[ResultRow]) -> dict[tuple[str, str | None, str], ResultRow]:
    return {(r.task, r.prm, r.metric): r for r in rows if r.method == PRM_SCORE}
