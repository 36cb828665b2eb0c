"""What the report says of PRMs across domains: does one trained on mathematics help on code?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.reporting import text
from harness.reporting.cells import distinct, percent_cell
from harness.reporting.first_error import FIRST_ERROR, group_names
from harness.reporting.table import Cell, Column, Table
from harness.types import Duel, ResultRow

_CHOICE, _FINDING = "best_of_n", "first_error"


def domain_table(
    rows: Sequence[ResultRow], duels: Sequence[Duel], trained: Mapping[str, Sequence[str]]
) -> Table | None:
    """Return one row per PRM: on each task its choice's points over the majority vote, its F1.

    Args:
        rows: All rows of a run.
        duels: Its comparisons with the majority vote, at the largest budget.
        trained: The domains that a PRM was trained on, where they are known.

    Returns:
        None unless the run has PRMs on tasks of two domains.
    """
    groups = group_names(rows)
    found = [row for row in rows if row.prm and row.headline and row.task not in groups]
    choices = {(d.task, d.policy, d.prm): d.comparison for d in duels if d.method == _CHOICE}
    f1 = {
        (row.task, row.prm): row.value
        for row in found
        if (row.method, row.metric) == (_FINDING, FIRST_ERROR)
    }
    places = tuple(dict.fromkeys((task, policy) for task, policy, _ in choices))
    judged = tuple(dict.fromkeys(task for task, _ in f1))
    shown = {task for task, _ in places} | set(judged)
    domains = {row.task: row.domain for row in found if row.task in shown}
    if len(set(domains.values())) < 2:
        return None
    measured = {prm for _, _, prm in choices} | {prm for _, prm in f1}
    columns = [Column("PRM"), Column("trained on", rank=2)]
    for name in _names(places, domains):
        columns += [
            Column(f"{name} points", "right"),
            Column("95\u00a0% interval", "right", rank=1),
        ]
    columns += [
        Column(f"{name} F1\u00a0%", "right")
        for name in _names([(task, None) for task in judged], domains)
    ]
    body = []
    for prm in distinct(row.prm for row in found if row.prm in measured):
        known = " + ".join(trained.get(prm, ()))
        cells = [Cell(prm, prm), Cell(known or text.UNKNOWN, known or None)]
        for task, policy in places:
            duel = choices.get((task, policy, prm))
            difference = duel.difference if duel and duel.difference.n else None
            if difference is None:
                cells += [Cell(text.UNKNOWN), Cell(text.UNKNOWN)]
                continue
            interval = f"[{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
            cells.append(Cell(f"{100 * difference.value:+.1f}", difference.value))
            cells.append(Cell(interval, difference.low))
        cells += [percent_cell(f1.get((task, prm))) for task in judged]
        body.append(tuple(cells))
    names = "; ".join(
        f"{domain}: {', '.join(task for task in domains if domains[task] == domain)}"
        for domain in distinct(domains.values())
    )
    return Table(
        name="domains",
        title="Across domains",
        columns=tuple(columns),
        rows=tuple(body),
        notes=(
            f"Points: {_CHOICE} minus majority vote at the largest budget, paired over problems. "
            f"F1: first wrong step at the threshold set before the run. {names}.",
        ),
    )


def _names(places: Sequence[tuple[str, str | None]], domains: Mapping[str, str]) -> tuple[str, ...]:
    """Return what to call each (task, policy): its domain where that tells them apart."""
    short = tuple(domains[task] for task, _ in places)
    if len(set(short)) == len(places):
        return short
    tasks = tuple(task for task, _ in places)
    if len(set(tasks)) == len(places):
        return tasks
    return tuple(f"{task}, {policy}" for task, policy in places)
