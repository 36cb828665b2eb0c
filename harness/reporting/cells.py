"""Cells and notes that several tables share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.reporting import text
from harness.reporting.table import Cell
from harness.types import ResultRow


def percent_cell(share: float | None) -> Cell:
    """Return the cell of a share, in percent; NaN sorts as unknown."""
    shown = text.percent(share)
    return Cell(shown, None if shown == text.UNKNOWN else share)


def interval_cell(row: ResultRow | None) -> Cell:
    """Return the cell of a result's interval; it sorts by the lower end."""
    if row is None:
        return Cell(text.UNKNOWN)
    return Cell(text.interval(row.ci_low, row.ci_high), row.ci_low)


def subset_notes(rows: Sequence[ResultRow]) -> Iterable[str]:
    """Yield a sentence that names the tasks of which only a part was measured, if any."""
    tasks = distinct(row.task for row in rows if row.n_problems < row.n_total)
    if tasks:
        yield f"Only a part of the problems was run or covered: {', '.join(tasks)}."


def unparsed_notes(
    rows: Sequence[ResultRow], shown: Sequence[ResultRow], counts_as: str
) -> Iterable[str]:
    """Yield a sentence that says of how many critiques nothing could be read, if any.

    Args:
        rows: All results.
        shown: Those of the table; its tasks alone are named.
        counts_as: What becomes of a solution of which nothing else was said.
    """
    tasks = distinct(row.task for row in shown)
    shares = {
        (row.prm, row.task): row.value
        for row in rows
        if row.metric == "unparsed" and row.headline and row.task in tasks
    }
    if shares:
        said = ", ".join(
            f"{prm} on {task} {text.percent(share)}" for (prm, task), share in shares.items()
        )
        yield (
            f"Answers without a verdict, in percent: {said}. A solution of which a critic says "
            f"nothing else counts as {counts_as}."
        )


def distinct(names: Iterable[str | None]) -> tuple[str, ...]:
    """Return the names in the order of their first appearance, without None."""
    return tuple(dict.fromkeys(name for name in names if name is not None))
