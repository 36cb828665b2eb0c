"""What the report says of a PRM's scores of whole solutions: of their length, of where it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.reporting import text
from harness.reporting.cells import distinct, interval_cell, percent_cell, subset_notes
from harness.reporting.lines import Line, selection_lines
from harness.reporting.table import Cell, Column, Table
from harness.types import ResultRow

SOLUTION_SCORES = "solution_scores"
"""Under this name the rows stand that look at scores of whole solutions."""

SOLUTION_AUROC = "solution_auroc"

_AMONG = {"": "all", "right": "right", "wrong": "wrong"}
"""Solutions that a correlation with length is over; what the table calls them."""

_RECUT = ",steps="
"""What parts the name of a PRM from the rule by which it cuts solutions."""


_PROBE = ",probe="
"""What parts the name of a PRM from the steps that were added to solutions."""


def unprobed(prm: str) -> str:
    """Return the name of the same PRM without added steps; "" for one that has none."""
    base, mark, _ = prm.partition(_PROBE)
    return base if mark else ""


def probe_metric(kind: str, among: str) -> str:
    """Return how results.csv calls the change of a probe, or the share that rises."""
    return f"probe_{kind}_{among}"


def length_metric(kind: str, among: str = "") -> str:
    """Return how results.csv calls a correlation with the length in steps or characters."""
    return f"length_{kind}_{among}" if among else f"length_{kind}"


def solution_table(rows: Sequence[ResultRow]) -> Table | None:
    """Return up to three rows per (task, policy, PRM): of all solutions AUROC within a problem and
    correlations with length, and the latter of right ones and of wrong ones."""
    metrics = {length_metric(kind, among) for kind in ("steps", "characters") for among in _AMONG}
    found = [row for row in rows if row.method == SOLUTION_SCORES]
    found = [row for row in found if row.metric in {SOLUTION_AUROC, *metrics}]
    if not found:
        return None
    values = {(row.task, row.policy, row.prm, row.metric): row for row in found}
    first = [SOLUTION_AUROC] if any(row.metric == SOLUTION_AUROC for row in found) else []
    policies = any(row.policy for row in found)
    tasks = distinct(row.task for row in found)
    places = dict.fromkeys((row.task, row.policy, row.prm) for row in found)
    body = []
    for place in sorted(places, key=lambda place: tasks.index(place[0])):
        task, policy, prm = place
        for among, name in _AMONG.items():
            shown = ["" if among else metric for metric in first]
            shown += [length_metric("steps", among), length_metric("characters", among)]
            own = [values.get((*place, metric)) for metric in shown]
            if not any(own):
                continue
            cells = [Cell(task, task)]
            cells += [Cell(policy or text.UNKNOWN, policy)] if policies else []
            cells += [Cell(prm or "", prm), Cell(name, name)]
            for row in own:
                cells += [percent_cell(row.value if row else None), interval_cell(row)]
            body.append(tuple(cells))
    columns = [Column("task", fold="group")]
    columns += [Column("policy", fold="group")] if policies else []
    columns += [Column("PRM"), Column("solutions")]
    for header in (*(["AUROC"] if first else []), "length in steps", "in characters"):
        columns += [Column(header, "right"), Column("95\u00a0% interval", "right", rank=1)]
    return Table(
        name="solution_scores",
        title="Scores of whole solutions",
        columns=tuple(columns),
        rows=tuple(body),
        notes=tuple(_notes(found)),
    )


def _notes(found: Sequence[ResultRow]) -> Iterator[str]:
    if any(row.metric == SOLUTION_AUROC for row in found):
        yield "AUROC: how often a right solution scores above a wrong one of the same problem."
    drawn, given = ([row for row in found if (row.policy is None) == own] for own in (False, True))
    same = "rank correlation of score and length, times 100, among solutions that are equally right"
    taste = "above 0 the PRM prefers longer ones whatever their worth"
    if drawn:
        yield f"Length: {same} and of the same problem; {taste}. Intervals over problems."
    if given:
        yield (
            f"Length, where solutions come with the task: {same}, over its problems; below 0 also "
            "because hard problems have longer solutions and lower scores. Of scores that stop at "
            "the first wrong step only right solutions are known as a whole."
        )
    yield from subset_notes(found)


def recut_table(rows: Sequence[ResultRow]) -> Table | None:
    """Return one row per (task, policy, PRM, rule for steps), for PRMs that were given solutions
    cut in several ways; None where none was."""
    lines = [line for line in selection_lines(rows) if line.last.method == "best_of_n"]
    names = distinct(line.last.prm for line in lines)
    bases = {name.partition(_RECUT)[0] for name in names if _RECUT in name}
    aurocs = {
        (row.task, row.policy, row.prm): row
        for row in rows
        if (row.method, row.metric) == (SOLUTION_SCORES, SOLUTION_AUROC)
    }
    shown = [line for line in lines if (line.last.prm or "").partition(_RECUT)[0] in bases]
    if not shown:
        return None
    order = sorted(
        bases, key=lambda base: min(i for i, n in enumerate(names) if n.startswith(base))
    )
    body = []
    for task, policy in dict.fromkeys((line.last.task, line.last.policy) for line in shown):
        for base in order:
            own = [line for line in shown if (line.last.task, line.last.policy) == (task, policy)]
            own = [line for line in own if (line.last.prm or "").partition(_RECUT)[0] == base]
            body += [
                _recut_row(line, base, aurocs.get((task, policy, line.last.prm))) for line in own
            ]
    return Table(
        name="recut",
        title="Where a PRM reads: the same solutions cut in several ways",
        columns=(
            Column("task", fold="group"),
            Column("policy", fold="group"),
            Column("PRM"),
            Column("steps"),
            Column("aggregation", rank=1, short="agg."),
            Column("N", "right"),
            Column("best of N %", "right"),
            Column("95\u00a0% interval", "right"),
            Column("AUROC", "right"),
            Column("95\u00a0% interval", "right", rank=1),
            Column("PRM tokens", "right", rank=2),
        ),
        rows=tuple(body),
        notes=(
            "Steps: how solutions are cut before the PRM reads them; each: as the task cuts them. "
            "AUROC: how often a right solution scores above a wrong one of the same problem.",
            *subset_notes([line.last for line in shown]),
        ),
    )


def _recut_row(line: Line, base: str, auroc: ResultRow | None) -> tuple[Cell, ...]:
    row = line.last
    rule = (row.prm or "").partition(_RECUT)[2] or "each"
    return (
        Cell(row.task, row.task),
        Cell(row.policy or text.UNKNOWN, row.policy),
        Cell(base, base),
        Cell(rule, rule),
        Cell(row.aggregation or text.UNKNOWN, row.aggregation),
        Cell(text.UNKNOWN if row.budget is None else f"{row.budget}", row.budget),
        percent_cell(row.value),
        interval_cell(row),
        percent_cell(auroc.value if auroc else None),
        interval_cell(auroc),
        Cell(text.count(row.prm_tokens), row.prm_tokens),
    )


def probe_table(rows: Sequence[ResultRow]) -> Table | None:
    """Return one row per (task, policy, PRM, probe); None where nothing was probed."""
    metrics = [probe_metric(k, among) for among in ("right", "wrong") for k in ("change", "rises")]
    found = [r for r in rows if r.method == SOLUTION_SCORES and r.metric in metrics]
    if not found:
        return None
    values = {(row.task, row.policy, row.prm, row.metric): row for row in found}
    body = []
    for task, policy, prm in dict.fromkeys((row.task, row.policy, row.prm) for row in found):
        base, _, probe = (prm or "").partition(_PROBE)
        cells = [Cell(task, task), Cell(policy or text.UNKNOWN, policy)]
        cells += [Cell(base, base), Cell(probe, probe)]
        for metric in metrics:
            row = values.get((task, policy, prm, metric))
            value = row.value if row else None
            if "change" in metric:
                cells.append(Cell(text.UNKNOWN if value is None else f"{value:+.3f}", value))
                ends = [row.ci_low, row.ci_high] if row else []
                shown = ", ".join(f"{end:+.3f}" for end in ends if end is not None)
                cells.append(Cell(f"[{shown}]" if shown else text.UNKNOWN))
            else:
                cells.append(percent_cell(value))
        body.append(tuple(cells))
    columns = [Column("task", fold="group"), Column("policy", fold="group")]
    columns += [Column("PRM"), Column("probe")]
    for among in ("right", "wrong"):
        columns.append(Column(f"change of {among} ones", "right"))
        columns.append(Column("95\u00a0% interval", "right", rank=1))
        columns.append(Column("that rise %", "right"))
    return Table(
        name="probe",
        title="What steps that say nothing new do to scores",
        columns=tuple(columns),
        rows=tuple(body),
        notes=(
            "Change: mean difference of a solution's score, in the PRM's own units, when steps are "
            "added that say nothing new (repeat: the last step but one again; filler: steps "
            "without content); that rise: share of solutions whose score goes up. Intervals over "
            "problems.",
            *subset_notes(found),
        ),
    )
