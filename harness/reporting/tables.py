"""What the report says of methods that choose an answer: the headline table and its long form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from harness.published import PublishedResult
from harness.reporting import text
from harness.reporting.cells import distinct, interval_cell, percent_cell, subset_notes
from harness.reporting.domains import domain_table
from harness.reporting.duels import duel_table
from harness.reporting.first_error import Published, first_error_detail, first_error_table
from harness.reporting.lines import Line, selection_lines
from harness.reporting.preference import preference_table
from harness.reporting.prm_score import prm_score_detail, prm_score_table
from harness.reporting.published import published_table
from harness.reporting.quality import quality_table
from harness.reporting.solutions import probe_table, recut_table, solution_table
from harness.reporting.table import Cell, Column, Table
from harness.reporting.thresholds import threshold_table
from harness.types import Duel, ResultRow, SecondsKind

_MAX_BUDGETS = 4


def headline_table(rows: Sequence[ResultRow], headline: bool = True) -> Table | None:
    """Return one row per (task, policy, method, PRM, aggregation), at its largest budget.

    Percentages have one decimal. Up to three smaller budgets stand beside the largest. Rows keep
    the reading order of `lines`: the table claims no ranking.

    Args:
        rows: All rows of a run.
        headline: Only the aggregation declared for each PRM; False for every aggregation.

    Returns:
        None when no method chose an answer.
    """
    lines = selection_lines(rows, headline)
    if not lines:
        return None
    smaller = _smaller_budgets(lines)
    kinds = {line.last.seconds_kind for line in lines if line.last.seconds_per_problem is not None}
    columns = (
        Column("task", fold="group"),
        Column("policy", fold="group"),
        Column("method"),
        Column("PRM"),
        Column("aggregation", rank=1, short="agg."),
        Column("N", "right"),
        Column("accuracy %", "right"),
        Column("95\u00a0% interval", "right"),
        *(Column(f"N\u00a0=\u00a0{n}", "right", rank=5) for n in smaller),
        Column("policy tokens", "right", rank=2),
        Column("PRM tokens", "right", rank=2),
        Column("FLOPs", "right", rank=3),
        Column("seconds", "right", rank=3),
        Column("problems", "right", fold="same", rank=2),
        Column("ungraded", "right", fold="same", rank=2),
        Column("truncated %", "right", fold="same", rank=4),
    )
    return Table(
        name="headline" if headline else "aggregations",
        title="Accuracy at the largest budget" + ("" if headline else ", every aggregation"),
        columns=columns,
        rows=tuple(_headline_row(line, smaller, mixed=len(kinds) > 1) for line in lines),
        notes=tuple(_headline_notes(lines, headline, kinds)),
    )


def all_tables(
    rows: Sequence[ResultRow],
    duels: Sequence[Duel] = (),
    trained: Mapping[str, Sequence[str]] = MappingProxyType({}),
    published: Mapping[str, Published] = MappingProxyType({}),
    stated: Sequence[PublishedResult] = (),
) -> tuple[Table, ...]:
    """Return every table that there is content for, the headline first.

    Args:
        rows: All rows of a run.
        duels: Its comparisons with the majority vote.
        trained: The domains that a PRM was trained on, where they are known.
        published: What others state for a PRM, where it is known.
        stated: What others state for a policy, PRM and method.
    """
    tables = [
        headline_table(rows),
        published_table(rows, stated),
        duel_table(duels),
        domain_table(rows, duels, trained),
        first_error_table(rows, published),
        first_error_detail(rows),
        threshold_table(rows),
        quality_table(rows),
        prm_score_table(rows),
        prm_score_detail(rows),
        preference_table(rows),
        preference_table(rows, headline=False),
        solution_table(rows),
        recut_table(rows),
        probe_table(rows),
    ]
    if len(selection_lines(rows, headline=False)) > len(selection_lines(rows)):
        tables.append(headline_table(rows, headline=False))
    return tuple(table for table in tables if table is not None)


# --- rows ----------------------------------------------------------------------------------------


def _headline_row(line: Line, smaller: Sequence[int], mixed: bool) -> tuple[Cell, ...]:
    row = line.last
    seconds = text.seconds(row.seconds_per_problem)
    if mixed and row.seconds_kind and row.seconds_per_problem is not None:
        seconds += f" {row.seconds_kind}"
    points = [line.at(n) if row.budget and n < row.budget else None for n in smaller]
    return (
        Cell(row.task, row.task),
        Cell(row.policy or text.UNKNOWN, row.policy),
        Cell(row.method, row.method),
        Cell(row.prm or text.UNKNOWN, row.prm),
        Cell(row.aggregation or text.UNKNOWN, row.aggregation),
        Cell(text.UNKNOWN if row.budget is None else f"{row.budget}", row.budget),
        percent_cell(row.value),
        interval_cell(row),
        *(percent_cell(point.value if point else None) for point in points),
        Cell(text.count(row.policy_tokens), row.policy_tokens),
        Cell(text.count(row.prm_tokens), row.prm_tokens),
        Cell(text.power(row.flops), row.flops),
        Cell(seconds, row.seconds_per_problem),
        Cell(text.part(row.n_problems, row.n_total), row.n_problems),
        Cell(f"{row.n_ungraded}", row.n_ungraded),
        percent_cell(row.truncated_share),
    )


# --- notes ---------------------------------------------------------------------------------------


def _headline_notes(
    lines: Sequence[Line], headline: bool, kinds: set[SecondsKind | None]
) -> Iterable[str]:
    last = [line.last for line in lines]
    if any(line.ceiling for line in lines):
        yield (
            "pass_at_n is a ceiling, not a method: the share of problems with a correct candidate "
            "among N."
        )
    intervals = ", ".join(distinct(row.ci_method for row in last))
    yield f"Intervals over problems ({intervals})." if intervals else "No problem has a score."
    yield from subset_notes(last)
    ungraded = {(row.task, row.policy): row.n_ungraded for row in last if row.n_ungraded}
    if ungraded:
        counts = ", ".join(f"{task} {count:,}" for (task, _), count in ungraded.items())
        yield f"Ungraded candidates are left out, they do not count as wrong: {counts}."
    costs = "Tokens, FLOPs and seconds are means per problem"
    known = [kind for kind in sorted(filter(None, kinds))]
    yield f"{costs}; seconds are {known[0]}." if len(known) == 1 else f"{costs}."
    if not headline:
        yield (
            "Every aggregation is shown to explore; only the headline one was declared before the "
            "run."
        )


# --- orders --------------------------------------------------------------------------------------


def _smaller_budgets(lines: Sequence[Line]) -> tuple[int, ...]:
    """Return up to three budgets below the largest, evenly spread over those that were run."""
    budgets = sorted(
        {row.budget for line in lines if not line.ceiling for row in line.points if row.budget}
    )
    if len(budgets) <= _MAX_BUDGETS:
        return tuple(budgets[:-1])
    last = len(budgets) - 1
    places = [round(i * last / (_MAX_BUDGETS - 1)) for i in range(_MAX_BUDGETS - 1)]
    return tuple(budgets[i] for i in places)
