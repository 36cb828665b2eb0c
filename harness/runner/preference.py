"""Result rows of tasks whose given solutions are chosen from: one of them is right.

A PRM that does not cover every solution of a problem is not judged on it: such problems are left
out and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace

import numpy as np

from harness.errors import DataError
from harness.runner.arrays import Bools, Floats, Ints, ScoreArrays, load_scores
from harness.runner.outcomes import known_mean, with_estimate
from harness.stats import Preference, estimate, preference
from harness.store.format import RunFolder
from harness.store.sweepfile import PoolEntry, SweepFile
from harness.types import Problem, ResultRow

METHOD = "preference"
_METRICS = {
    "accuracy": "preference_accuracy",
    "strict": "preference_strict",
    "tied": "preference_tied",
    "mrr": "mrr",
    "mrr_strict": "mrr_strict",
}
"""Field of `Preference` → metric."""


def preference_rows(run: RunFolder, sweep: SweepFile) -> Iterator[ResultRow]:
    """Yield all rows of tasks of kind ``preference``: every PRM under every legal aggregation.

    Raises:
        DataError: scores are missing; the run was interrupted.
    """
    for entry in sweep.pools:
        if entry.kind != "preference":
            continue
        problems = entry.folder(run).read_problems()
        right = np.array([right_solution(problem) for problem in problems], np.int64)
        sizes = np.array([len(problem.solutions) for problem in problems], np.int64)
        for found in sweep.scores:
            if found.pool == entry.digest:
                scores = load_scores(run, sweep, found, problems, (len(problems), int(sizes.max())))
                yield from _rows(sweep, entry, scores, right, sizes)


def right_solution(problem: Problem) -> int:
    """Return the place of the right one among a problem's solutions."""
    reference = problem.reference
    if isinstance(reference, dict) and isinstance(right := reference.get("right"), int):
        return right
    raise DataError(f"problem {problem.id!r}: the reference names no right solution")


def _rows(
    sweep: SweepFile, entry: PoolEntry, scores: ScoreArrays, right: Ints, sizes: Ints
) -> Iterator[ResultRow]:
    """Yield one PRM's rows."""
    for name, values in scores.scores.items():
        # Without a score a solution stands at -inf, which is none.
        found = preference(np.where(np.isfinite(values), values, np.nan), right, sizes)
        used = ~np.isnan(found.accuracy)
        if not used.any():
            continue
        row = replace(
            _row(sweep, entry, scores, sizes, used),
            prm=scores.entry.prm,
            aggregation=name,
            headline=name == scores.entry.aggregation,
        )
        for metric in _shown(sizes):
            own = getattr(found, metric)
            yield with_estimate(replace(row, metric=_METRICS[metric]), estimate(own))


def _shown(sizes: Ints) -> Sequence[str]:
    """Return the fields to report: a rank among two says no more than the accuracy."""
    names = [field.name for field in fields(Preference)]
    return names if sizes.max() > 2 else [name for name in names if not name.startswith("mrr")]


def _total(values: Floats, sizes: Ints) -> Floats:
    """Return (P,) sums over a problem's solutions; NaN where one is unknown."""
    total: Floats = np.where(np.arange(values.shape[1]) < sizes[:, None], values, 0.0).sum(axis=1)
    return total


def _row(
    sweep: SweepFile, entry: PoolEntry, scores: ScoreArrays, sizes: Ints, used: Bools
) -> ResultRow:
    """Return a row with everything but PRM, aggregation and metric."""
    seconds = known_mean(scores.seconds[used])
    return ResultRow(
        task=entry.task,
        task_version=entry.task_version,
        domain=entry.domain,
        method=METHOD,
        metric=_METRICS["accuracy"],
        n_total=entry.n_total,
        prm_tokens=known_mean(_total(scores.tokens, sizes)[used]),
        flops=known_mean(_total(scores.flops, sizes)[used]),
        seconds_per_problem=seconds,
        seconds_kind=None if seconds is None else "throughput",
        run_digest=sweep.digest,
    )
