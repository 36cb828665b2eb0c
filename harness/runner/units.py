"""Units of work: which problems go to an engine together, and which are still owed.

A unit is a run of neighbouring problems, as many as keep an engine busy for a while. It is done and
recorded as a whole. Where a unit begins does not depend on what is finished, so a resumed run
sends the same calls as an uninterrupted one: floating-point results depend on the shape of a batch,
and sampled tokens on floating-point results.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.store.log import Unit
from harness.types import Problem


def units(problems: Sequence[Problem], rows: int, unit_rows: int) -> Iterator[Sequence[Problem]]:
    """Cut the problems in units of like size, of at most about `unit_rows` drafts.

    Args:
        problems: In the task's order.
        rows: Drafts per problem.
        unit_rows: A problem with more drafts is a unit of its own.
    """
    most = max(1, unit_rows // max(1, rows))
    size = math.ceil(len(problems) / max(1, math.ceil(len(problems) / most)))
    for start in range(0, len(problems), max(1, size)):
        yield problems[start : start + size]


def finished(done: Mapping[str, Unit]) -> set[str]:
    """Return the ids of the problems in finished units."""
    return {problem for unit in done.values() for problem in unit.usage}


def owed(
    all_units: Iterable[Sequence[Problem]], done: Mapping[str, Unit]
) -> Iterator[tuple[str, Sequence[Problem]]]:
    """Yield (name, problems) of every unit that has something left to do.

    A unit is done in part only if the engine's batch size was changed between two launches; then
    its finished problems are left out.
    """
    ids = finished(done)
    for unit in all_units:
        left = [problem for problem in unit if problem.id not in ids]
        if left:
            yield left[0].id, left
