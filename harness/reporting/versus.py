"""Two ways of answering compared, as sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.analysis.versus import FEWEST, Point, Slice, Versus
from harness.reporting import text
from harness.reporting.table import Cell, Column, Table
from harness.types import Comparison

_MORE = {
    "accuracy": "picks a right solution on {points} points more problems than {other}",
    "preference_accuracy": "prefers the right solution on {points} points more problems than "
    "{other}",
    "f1": "finds first wrong steps with an F1 {points} points above that of {other}",
    "prm_score": "judges steps with a PRMScore {points} points above that of {other}",
}
_FIGURES = {"f1": "F1", "prm_score": "PRMScore"}
"""Of metrics that are no shares of problems."""


def sentence(found: Versus) -> str:
    """Return the result at the largest budget in plain words, as a paper would have it."""
    point = found.last
    d = point.difference
    if math.isnan(d.value):
        return f"On {found.task} {found.a} and {found.b} share no problem with a result."
    lead, other = (found.a, found.b) if d.value >= 0 else (found.b, found.a)
    low, high = (d.low, d.high) if d.value >= 0 else (-d.high, -d.low)
    more = _MORE[found.metric].format(points=f"{100 * abs(d.value):.1f}", other=other)
    where = f"On {found.task}"
    if point.budget is not None:
        where += f", of {point.budget} candidates,"
    p = text.p_value(point.adjusted)
    facts = (
        (
            f"95\u00a0% interval {_plain(low)} to {_plain(high)}, n\u00a0=\u00a0{d.n}, "
            f"p\u00a0{'' if p.startswith('<') else '= '}{p}{_family(found)}"
        )
        .replace("= ", "=\u00a0")
        .replace("<0", "<\u00a00")
    )
    if point.significant:
        return f"{where} {lead} {more} ({facts})."
    return (
        f"{where} {found.a} and {found.b} cannot be told apart: {lead} {more} ({facts}). "
        f"{_needed(found, d.value)}"
    ).rstrip()


def power_line(found: Versus, wanted: float | None = None) -> str:
    """Return what so many problems can see, and how many a wanted difference (a share) needs."""
    parts = [found.power.sentence()]
    figure = _FIGURES.get(found.metric)
    if figure and not math.isnan(found.power.smallest):
        parts = [
            f"{found.power.n} problems can separate {figure} that differ by more than "
            f"{100 * found.power.smallest:.1f} points (80\u00a0% power, two-sided 5\u00a0%, one "
            "comparison)."
        ]
    if not math.isnan(found.correlation):
        parts.append(f"Results of the two correlate over problems by {found.correlation:.2f}.")
    if wanted is not None:
        parts.append(_needed(found, wanted))
    return f"{found.task}: {' '.join(filter(None, parts))}"


def versus_table(found: Sequence[Versus]) -> Table:
    """Return one row per task and budget, in points."""
    a, b = found[0].a, found[0].b
    columns = (
        Column("task", fold="group"),
        Column("N", "right", fold="same"),
        Column(f"{a} %", "right", rank=2),
        Column(f"{b} %", "right", rank=2),
        Column("points", "right"),
        Column("95\u00a0% interval", "right"),
        Column("p, Holm", "right"),
        Column("p", "right", rank=3),
        Column("bootstrap interval", "right", rank=5),
        Column("only first", "right", rank=1),
        Column("only second", "right", rank=1),
        Column("problems", "right", fold="same", rank=4),
        Column("verdict"),
    )
    rows = tuple(_row(one, point) for one in found for point in one.points)
    tests = ", ".join(dict.fromkeys(p.comparison.test for one in found for p in one.points))
    notes = [
        f"Points: {a} minus {b}, in percentage points; the interval is for each line alone. "
        f"p: two-sided, {tests}; Holm over {found[0].family} tests. Only first, only second: "
        "(expected) numbers of problems that one of the two solves and the other does not. "
        "Bootstrap: problems resampled in pairs, expanded percentiles."
    ]
    for one in found:
        if any(one.only):
            notes.append(
                f"{one.task}: compared on the problems that both have; {one.only[0]} are "
                f"{one.a}'s alone, {one.only[1]} are {one.b}'s."
            )
    return Table("versus", f"{a} against {b}", columns, rows, tuple(notes))


def slice_table(found: Sequence[Versus]) -> Table | None:
    """Return the breakdown by subject, level and source at the largest budget; None without one."""
    rows = [(one, part) for one in found for part in one.slices]
    if not rows:
        return None
    a, b = found[0].a, found[0].b
    columns = (
        Column("task", fold="group"),
        Column("by", fold="group"),
        Column("value"),
        Column("problems", "right"),
        Column(f"{a} %", "right", rank=2),
        Column(f"{b} %", "right", rank=2),
        Column("points", "right"),
        Column("95\u00a0% interval", "right"),
        Column("p, Holm", "right"),
        Column("verdict"),
    )
    note = (
        f"Points: {a} minus {b} at the largest budget. Holm over the values of one key. A "
        f"breakdown is no finding: few problems, wide intervals; fewer than {FEWEST} have none."
    )
    body = tuple(_slice_row(one, part) for one, part in rows)
    return Table("breakdown", "By subject, level and source", columns, body, (note,))


def _row(one: Versus, point: Point) -> tuple[Cell, ...]:
    d = point.difference
    return (
        Cell(one.task, one.task),
        Cell(text.UNKNOWN if point.budget is None else str(point.budget), point.budget),
        Cell(text.percent(point.a), _raw(point.a)),
        Cell(text.percent(point.b), _raw(point.b)),
        Cell(text.points(d.value), _raw(d.value)),
        Cell(text.points_interval(d.low, d.high), _raw(d.low)),
        Cell(text.p_value(point.adjusted), _raw(point.adjusted)),
        Cell(text.p_value(point.comparison.p), _raw(point.comparison.p)),
        Cell(text.points_interval(*point.bootstrap), _raw(point.bootstrap[0])),
        Cell(f"{point.comparison.only_a:.1f}", point.comparison.only_a),
        Cell(f"{point.comparison.only_b:.1f}", point.comparison.only_b),
        Cell(str(d.n), d.n),
        Cell(_verdict(point.comparison, point.adjusted)),
    )


def _slice_row(one: Versus, part: Slice) -> tuple[Cell, ...]:
    d = part.comparison.difference
    return (
        Cell(one.task, one.task),
        Cell(part.key, part.key),
        Cell(part.value, part.value),
        Cell(str(d.n), d.n),
        Cell(text.percent(part.a), _raw(part.a)),
        Cell(text.percent(part.b), _raw(part.b)),
        Cell(text.points(d.value), _raw(d.value)),
        Cell(text.points_interval(d.low, d.high), _raw(d.low)),
        Cell(text.p_value(part.adjusted), _raw(part.adjusted)),
        Cell(_verdict(part.comparison, part.adjusted)),
    )


def _verdict(found: Comparison, adjusted: float) -> str:
    if math.isnan(adjusted):
        return "too few problems"
    if not adjusted < 0.05:
        return "not separable"
    return f"{found.a if found.difference.value > 0 else found.b} ahead"


def _needed(found: Versus, difference: float) -> str:
    """Return how many problems such a difference would need; empty where that is unknown."""
    if not difference or math.isnan(found.power.discordance) or not found.power.n:
        return ""
    n = found.power.needed(difference)
    return (
        f"A difference of {100 * abs(difference):.1f} points needs {n:,} problems for a power of "
        "80\u00a0%."
    )


def _family(found: Versus) -> str:
    """Return over what Holm's correction ran."""
    if found.family <= 1:
        return ""
    if found.tasks == 1:
        return f", Holm over {found.family} budgets"
    if found.family == found.tasks:
        return f", Holm over {found.tasks} tasks"
    return f", Holm over {found.family} tests on {found.tasks} tasks"


def _plain(share: float) -> str:
    """Return points without a plus sign, with a proper minus."""
    shown = f"{100 * share:.1f}"
    return "0.0" if shown == "-0.0" else shown.replace("-", "−")


def _raw(number: float) -> float | None:
    return None if math.isnan(number) else number
