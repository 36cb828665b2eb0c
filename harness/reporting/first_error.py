"""What the report says of the search for the first wrong step (tasks of kind ``steps``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

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

FIXED = "first_error"
"""The method whose threshold is given."""

TUNED = "first_error_tuned"
"""The method whose threshold is the best one on one task, kept for all."""

FIRST_ERROR = "f1"
"""The metric of a task of kind ``steps``: harmonic mean of acc_error and acc_correct."""


@dataclass(frozen=True, slots=True)
class Published:
    """What others state for a PRM."""

    figures: Mapping[str, float]
    """F1 in percent by task, groups among them."""
    source: str
    impossible: frozenset[str] = frozenset()
    """Tasks whose figure no number of their solutions gives."""
    tuned: bool = False
    """Their threshold was chosen on GSM8K, not given."""


def first_error_table(
    rows: Sequence[ResultRow], published: Mapping[str, Published] = MappingProxyType({})
) -> Table | None:
    """Return one row per (method, PRM): F1 on every subset, and their mean where the rows have it.

    The mean is the row of a group (see `group_names`); it is not computed here. Beneath the PRMs
    that others have published figures for stand those, marked as such, under the rule by which
    their threshold was found. None when no task asked for the first wrong step.
    """
    found = _f1_rows(rows)
    if not found:
        return None
    groups = group_names(found)
    tasks = measured_tasks(found)
    columns = [Column("method"), Column("PRM")]
    for task in tasks:
        columns.append(Column(short_name(task, groups), "right"))
        if task in groups or len(tasks) == 1:
            columns.append(Column("95\u00a0% interval", "right", rank=1))
    by_key = {(row.method, row.prm, row.task): row for row in found}
    body = []
    pairs = _method_prm(found)
    hosts = _hosts(pairs, published)
    for method, prm in pairs:
        cells = [Cell(method, method), Cell(prm or text.UNKNOWN, prm)]
        for task in tasks:
            row = by_key.get((method, prm, task))
            cells.append(percent_cell(row.value if row else None))
            if task in groups or len(tasks) == 1:
                cells.append(interval_cell(row))
        body.append(tuple(cells))
        if prm is not None and hosts.get(prm) == method:
            body.append(_cited(prm, published[prm], tasks, groups))
    return Table(
        name="first_error",
        title="F1 of the first wrong step",
        columns=tuple(columns),
        rows=tuple(body),
        notes=(
            *unparsed_notes(rows, found, "wrong"),
            *_notes(found),
            *_citations({prm: published[prm] for prm in hosts}),
        ),
    )


def _cited(
    prm: str, published: Published, tasks: Sequence[str], groups: Sequence[str]
) -> tuple[Cell, ...]:
    """Return the row of a PRM's published figures."""
    cells = [Cell("published", "published"), Cell(prm, prm)]
    for task in tasks:
        figure = published.figures.get(task)
        cell = percent_cell(None if figure is None else figure / 100)
        marked = task in published.impossible
        cells.append(replace(cell, text=f"{cell.text}\u00a0†") if marked else cell)
        if task in groups or len(tasks) == 1:
            cells.append(interval_cell(None))
    return tuple(cells)


def _hosts(
    pairs: Sequence[tuple[str, str | None]], published: Mapping[str, Published]
) -> dict[str, str]:
    """Return the method beneath whose row a PRM's published figures stand.

    It is that of their own rule; if the PRM has no such row, that of a given threshold.
    """
    hosts = {}
    for prm, cited in published.items():
        for method in (TUNED, FIXED) if cited.tuned else (FIXED,):
            if (method, prm) in pairs:
                hosts[prm] = method
                break
    return hosts


def _citations(published: Mapping[str, Published]) -> Iterable[str]:
    sources = distinct(cited.source for cited in published.values())
    if sources:
        yield (
            f"Rows called published are the figures of others ({'; '.join(sources)}), over all "
            "solutions; nothing of them was computed here."
        )
    if tuned := [prm for prm, cited in published.items() if cited.tuned]:
        yield f"Those of {', '.join(tuned)} have a threshold that was chosen on GSM8K."
    if any(cited.impossible for cited in published.values()):
        yield (
            "† No number of this task's solutions with and without an error gives this F1: it was "
            "measured on something else."
        )


def first_error_detail(rows: Sequence[ResultRow]) -> Table | None:
    """Return one row per (task, method, PRM) with F1, its two accuracies and the threshold."""
    groups = group_names(rows)
    found = [row for row in _f1_rows(rows) if row.task not in groups]
    if not found:
        return None
    values = {(row.task, row.method, row.prm, row.metric): row.value for row in rows}
    body = []
    for row in found:
        key = (row.task, row.method, row.prm)
        threshold = values.get((*key, "threshold"))
        body.append(
            (
                Cell(row.task, row.task),
                Cell(row.method, row.method),
                Cell(row.prm or text.UNKNOWN, row.prm),
                percent_cell(row.value),
                interval_cell(row),
                percent_cell(values.get((*key, "acc_error"))),
                percent_cell(values.get((*key, "acc_correct"))),
                percent_cell(values.get((*key, "acc_right_answer_wrong_process"))),
                Cell(text.UNKNOWN if threshold is None else f"{threshold:.4g}", threshold),
                Cell(text.part(row.n_problems, row.n_total), row.n_problems),
            )
        )
    columns = (
        Column("task", fold="group"),
        Column("method"),
        Column("PRM"),
        Column("F1", "right"),
        Column("95\u00a0% interval", "right"),
        Column("error found", "right"),
        Column("correct kept", "right"),
        Column("right answer, wrong process", "right", rank=2),
        Column("threshold", "right", rank=1),
        Column("solutions", "right", fold="same", rank=1),
    )
    return Table(
        name="first_error_detail",
        title="First wrong step, task by task",
        columns=columns,
        rows=tuple(body),
        notes=(
            "Error found: share of wrong solutions whose first wrong step is named exactly. "
            "Correct kept: share of right solutions in which no step is called wrong. "
            "F1 is their harmonic mean. All in percent.",
            *_notes(found),
        ),
    )


def group_names(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """Return the groups whose rows are the mean over their subsets.

    A group's name, followed by an underscore, begins the names of two or more other tasks:
    ``processbench`` is the group of ``processbench_gsm8k`` and its like.
    """
    tasks = distinct(row.task for row in rows if row.metric == FIRST_ERROR)
    return tuple(
        name for name in tasks if sum(other.startswith(f"{name}_") for other in tasks) >= 2
    )


def measured_tasks(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """Return the tasks with an F1, as the rows name them first, the groups last."""
    groups = group_names(rows)
    tasks = distinct(row.task for row in rows if row.metric == FIRST_ERROR)
    return (*(task for task in tasks if task not in groups), *groups)


def short_name(task: str, groups: Sequence[str]) -> str:
    """Return the task's name, without that of its group where there is one group only."""
    if task in groups:
        return "mean" if len(groups) == 1 else f"{task} mean"
    return task.removeprefix(f"{groups[0]}_") if len(groups) == 1 else task


def _f1_rows(rows: Sequence[ResultRow]) -> list[ResultRow]:
    """Return the F1 rows, task by task in the order in which the rows name them."""
    found = [row for row in rows if row.metric == FIRST_ERROR]
    tasks = distinct(row.task for row in found)
    return sorted(found, key=lambda row: tasks.index(row.task))


def _notes(rows: Sequence[ResultRow]) -> Iterable[str]:
    yield f"Intervals over solutions ({', '.join(distinct(row.ci_method for row in rows))})."
    if "first_error_tuned" in distinct(row.method for row in rows):
        yield (
            "first_error_tuned has its threshold from one task, first_error_oracle from each task "
            "itself: on tasks that gave the threshold they are upper bounds, not results."
        )
    if groups := group_names(rows):
        yield f"The mean is over the subsets of {', '.join(groups)}, unweighted."
    yield from subset_notes(rows)


def _method_prm(rows: Sequence[ResultRow]) -> list[tuple[str, str | None]]:
    """Return the pairs that occur: by method as they come, and within it by PRM as they come."""
    methods = distinct(row.method for row in rows)
    prms: tuple[str | None, ...] = (*distinct(row.prm for row in rows), None)
    pairs = {(row.method, row.prm) for row in rows}
    return [(method, prm) for method in methods for prm in prms if (method, prm) in pairs]
