"""What the report says of differences: every PRM's choice against the majority vote, paired."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reporting import text
from harness.reporting.cells import distinct
from harness.reporting.table import Cell, Column, Table
from harness.types import Duel


def duel_table(duels: Sequence[Duel]) -> Table | None:
    """Return one row per comparison, in points; None if there is none.

    "Won" and "lost" are the (expected) numbers of problems that only one of the two solves.
    """
    if not duels:
        return None
    columns = (
        Column("task", fold="group"),
        Column("policy", fold="group"),
        Column("method"),
        Column("PRM"),
        Column("against", fold="same", rank=3),
        Column("N", "right", fold="same"),
        Column("points", "right"),
        Column("95\u00a0% interval", "right"),
        Column("p", "right"),
        Column("won", "right", rank=1),
        Column("lost", "right", rank=1),
        Column("problems", "right", fold="same", rank=2),
        Column("verdict"),
    )
    tests = ", ".join(distinct(duel.comparison.test for duel in duels))
    return Table(
        name="duels",
        title="Against the majority vote, paired over problems",
        columns=columns,
        rows=tuple(_row(duel) for duel in duels),
        notes=(
            "Points: difference of accuracies in percentage points, by the PRM's declared "
            f"aggregation. p: two-sided, {tests}; not corrected for the number of rows.",
        ),
    )


def _row(duel: Duel) -> tuple[Cell, ...]:
    found = duel.comparison
    difference = found.difference
    points = f"{100 * difference.value:+.1f}" if difference.n else text.UNKNOWN
    interval = f"[{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"
    ahead = "ahead" if difference.value > 0 else "behind"
    return (
        Cell(duel.task, duel.task),
        Cell(duel.policy, duel.policy),
        Cell(duel.method, duel.method),
        Cell(duel.prm, duel.prm),
        Cell(found.b, found.b),
        Cell(str(duel.budget), duel.budget),
        Cell(points, difference.value if difference.n else None),
        Cell(interval if difference.n else text.UNKNOWN, difference.low if difference.n else None),
        Cell(f"{found.p:.2g}" if difference.n else text.UNKNOWN, found.p if difference.n else None),
        Cell(f"{found.only_a:.1f}", found.only_a),
        Cell(f"{found.only_b:.1f}", found.only_b),
        Cell(str(difference.n), difference.n),
        Cell(ahead if found.separable else "not separable"),
    )
