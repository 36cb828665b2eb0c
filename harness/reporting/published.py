"""Figures of others beside ours: accuracies that papers state for a policy, PRM and method."""

from __future__ import annotations

from collections.abc import Sequence

from harness.published import PublishedResult
from harness.reporting import text
from harness.reporting.cells import distinct, interval_cell, percent_cell, subset_notes
from harness.reporting.table import Cell, Column, Table
from harness.types import ResultRow

COLUMNS = (
    Column("task", fold="group"),
    Column("policy", fold="group"),
    Column("method"),
    Column("PRM"),
    Column("N", "right"),
    Column("here %", "right"),
    Column("95\u00a0% interval", "right"),
    Column("published %", "right"),
    Column("inside", "right", rank=1),
    Column("problems", "right", fold="same", rank=2),
    Column("source", rank=3),
    Column("measured on", rank=4),
)


def published_table(
    rows: Sequence[ResultRow], published: Sequence[PublishedResult] = ()
) -> Table | None:
    """Return one row per published figure that this run has a number for.

    A figure belongs to a row of the same task, policy, PRM, method, aggregation (by default the one
    that the PRM declares) and budget. None where there is no such pair.
    """
    pairs = [(one, row) for one in published for row in rows if _same(one, row)]
    if not pairs:
        return None
    measured = [row for _, row in pairs]
    return Table(
        name="published",
        title="Beside published figures",
        columns=COLUMNS,
        rows=tuple(_cells(one, row) for one, row in pairs),
        notes=(
            "Columns called published hold figures of others "
            f"({'; '.join(distinct(one.source for one, _ in pairs))}); nothing of them was "
            "computed here.",
            "Inside: the published figure lies in our interval, which holds our sampling error "
            "and none of theirs.",
            *subset_notes(measured),
        ),
    )


def _same(one: PublishedResult, row: ResultRow) -> bool:
    """Whether a row measures what a figure states."""
    chosen = row.headline or row.prm is None
    return (
        (row.task, row.method, row.metric) == (one.task, one.method, one.metric)
        and _lower(row.policy) == _lower(one.policy)
        and _lower(row.prm) == _lower(one.prm)
        and (row.budget == one.budget or one.budget is None)
        and (chosen if one.aggregation is None else row.aggregation == one.aggregation)
    )


def _lower(name: str | None) -> str | None:
    return None if name is None else name.lower()


def _cells(one: PublishedResult, row: ResultRow) -> tuple[Cell, ...]:
    low, high, value = row.ci_low, row.ci_high, one.value / 100
    inside = text.UNKNOWN
    if low is not None and high is not None:
        inside = "yes" if low <= value <= high else "no"
    return (
        Cell(row.task, row.task),
        Cell(row.policy or text.UNKNOWN, row.policy),
        Cell(row.method, row.method),
        Cell(row.prm or text.UNKNOWN, row.prm),
        Cell(text.UNKNOWN if row.budget is None else f"{row.budget}", row.budget),
        percent_cell(row.value),
        interval_cell(row),
        percent_cell(value),
        Cell(inside, inside),
        Cell(text.part(row.n_problems, row.n_total), row.n_problems),
        Cell(one.source, one.source),
        Cell(one.note or text.UNKNOWN, one.note),
    )
