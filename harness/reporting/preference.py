"""What the report says of choices among given solutions (tasks of kind ``preference``)."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting import text
from harness.reporting.cells import distinct, interval_cell, percent_cell, subset_notes
from harness.reporting.table import Cell, Column, Table
from harness.types import ResultRow

ACCURACY = "preference_accuracy"
"""The metric by which a row stands in the table."""

_FIGURES = {
    "preference_strict": "strict",
    "preference_tied": "tied",
    "mrr": "MRR",
    "mrr_strict": "MRR, strict",
}


def preference_table(rows: Sequence[ResultRow], headline: bool = True) -> Table | None:
    """Return one row per (task, PRM), by the declared aggregation; or one per aggregation of those
    PRMs for which it matters. None when there is no such row."""
    found = [row for row in rows if row.metric == ACCURACY and row.headline]
    if not headline:
        found = _differing([row for row in rows if row.metric == ACCURACY])
    if not found:
        return None
    values = {(r.task, r.prm, r.aggregation, r.metric): r.value for r in rows}
    shown = [metric for metric in _FIGURES if any(row.metric == metric for row in rows)]
    body = []
    for row in sorted(found, key=lambda row: distinct(r.task for r in found).index(row.task)):
        key = (row.task, row.prm, row.aggregation)
        body.append(
            (
                Cell(row.task, row.task),
                Cell(row.prm or text.UNKNOWN, row.prm),
                Cell(row.aggregation or text.UNKNOWN, row.aggregation),
                percent_cell(row.value),
                interval_cell(row),
                *(percent_cell(values.get((*key, metric))) for metric in shown),
                Cell(text.part(row.n_problems, row.n_total), row.n_problems),
            )
        )
    columns = (
        Column("task", fold="group"),
        Column("PRM"),
        Column("aggregation", short="agg."),
        Column("accuracy", "right"),
        Column("95\u00a0% interval", "right"),
        *(Column(_FIGURES[metric], "right", rank=1) for metric in shown),
        Column("problems", "right", fold="same", rank=2),
    )
    return Table(
        name="preference" if headline else "preference_aggregations",
        title="Which given solution is right" + ("" if headline else ", every aggregation"),
        columns=columns,
        rows=tuple(body),
        notes=tuple(_notes(found, shown, headline)),
    )


def _differing(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the rows of PRMs whose aggregations differ: those of whole answers have but one."""
    seen: dict[tuple[str, str | None], set[float]] = {}
    for row in rows:
        seen.setdefault((row.task, row.prm), set()).add(row.value)
    return [row for row in rows if len(seen[row.task, row.prm]) > 1]


def _notes(rows: Sequence[ResultRow], shown: Sequence[str], headline: bool) -> Sequence[str]:
    notes = [
        "Accuracy: the right solution has the highest score, ties shared among those that tie. "
        "Strict: it scores above all others, as published figures count; tied: it shares the first "
        "place. All in percent; intervals over problems "
        f"({', '.join(distinct(row.ci_method for row in rows))}).",
    ]
    if "mrr" in shown:
        notes.append("MRR: mean reciprocal of the right solution's rank; strict: behind its ties.")
    if not headline:
        notes.append("Only the headline aggregation was declared before the run.")
    return [*notes, *subset_notes(rows)]
