"""The lines of a report: one method with one PRM on one task, followed over its budgets.

A table prints a line in one row, a figure draws it as one curve. Lines come in reading order:
tasks, policies and PRMs as the rows name them first, methods from the plainest to the ceiling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.errors import DataError
from harness.types import ResultRow

SELECTION = ("accuracy", "pass_at_n")
"""Metrics of methods that choose an answer: the share of problems solved."""

CEILING = "pass_at_n"
"""The metric that no choice can beat: some candidate of the problem is right."""

CHOSEN_SCORE = "chosen_score"
"""The metric of best_of_n beside its accuracy: the mean score that the PRM gives to its choice."""

_PLAIN_FIRST = ("greedy", "majority", "weighted_vote", "best_of_n")


@dataclass(frozen=True, slots=True)
class Line:
    """One (task, policy, method, PRM, aggregation) with its results at every budget."""

    points: tuple[ResultRow, ...]
    """At least one, by rising budget."""

    @property
    def last(self) -> ResultRow:
        """The result at the largest budget."""
        return self.points[-1]

    @property
    def ceiling(self) -> bool:
        """Whether this is the share of problems that could be solved, not a method's result."""
        return self.last.metric == CEILING

    def at(self, budget: int) -> ResultRow | None:
        """Return the result at `budget`, None if that budget was not run."""
        return next((row for row in self.points if row.budget == budget), None)


def selection_lines(rows: Iterable[ResultRow], headline: bool = True) -> tuple[Line, ...]:
    """Return the lines of all methods that choose an answer, in reading order.

    Args:
        rows: Any rows; those of other metrics are left out.
        headline: Only each PRM's declared aggregation, the default; False for all of them.

    Raises:
        DataError: two rows for the same line and budget, as when runs are mixed.
    """
    chosen = [
        row
        for row in rows
        if row.metric in SELECTION and (row.headline or row.prm is None or not headline)
    ]
    tasks, policies, prms = (
        _places(getattr(row, name) for row in chosen) for name in ("task", "policy", "prm")
    )
    methods = _places(_method_order(chosen))
    groups: dict[tuple[str | None, ...], list[ResultRow]] = {}
    for row in chosen:
        key = (row.task, row.policy, row.method, row.prm, row.aggregation)
        groups.setdefault(key, []).append(row)
    lines = [_line(group) for group in groups.values()]
    # sorted() is stable: aggregations stay in the order of the rows.
    return tuple(
        sorted(
            lines,
            key=lambda line: (
                tasks[line.last.task],
                policies[line.last.policy],
                methods[line.last.method],
                prms[line.last.prm],
            ),
        )
    )


def prm_names(rows: Iterable[ResultRow]) -> tuple[str, ...]:
    """Return the PRMs in the order in which the rows name them first."""
    return tuple(dict.fromkeys(row.prm for row in rows if row.prm is not None))


def one_run(rows: Sequence[ResultRow]) -> None:
    """Check that no two rows measure the same thing.

    Raises:
        DataError: two rows agree in everything that names a result.
    """
    seen: dict[tuple[object, ...], ResultRow] = {}
    for row in rows:
        key = (
            *(row.task, row.policy, row.method, row.prm, row.aggregation),
            *(row.budget, row.metric),
        )
        other = seen.setdefault(key, row)
        if other is not row:
            raise _twice(other, row)


def _line(group: Sequence[ResultRow]) -> Line:
    points = sorted(group, key=lambda row: 0 if row.budget is None else row.budget)
    for one, other in pairwise(points):
        if one.budget == other.budget:
            raise _twice(one, other)
    return Line(tuple(points))


def _twice(one: ResultRow, other: ResultRow) -> DataError:
    what = ", ".join(
        f"{name} {getattr(one, name)}"
        for name in ("task", "policy", "method", "prm", "aggregation", "budget", "metric")
        if getattr(one, name) is not None
    )
    runs = "" if one.run_digest == other.run_digest else "; report each run by itself"
    return DataError(f"two results for {what}{runs}")


def _method_order(rows: Sequence[ResultRow]) -> list[str]:
    """Return the methods: plain ones, then any others as they come, then the ceiling."""
    ceiling = [row.method for row in rows if row.metric == CEILING]
    others = [row.method for row in rows if row.metric != CEILING]
    plain = [name for name in _PLAIN_FIRST if name in others]
    return list(dict.fromkeys([*plain, *others, *ceiling]))


def _places(names: Iterable[str | None]) -> dict[str | None, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}
