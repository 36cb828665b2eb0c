"""Result rows of first-wrong-step tasks: per subset and, for a group, the mean of its subsets.

Three rules for the threshold are kept apart, as three methods: ``first_error`` uses the one given
beforehand (the configured 0.5 for scores that are probabilities, what the PRM declares for others;
where it declares none there is no such row); ``first_error_tuned`` the best one on a named subset,
frozen for all; ``first_error_oracle`` the best one per subset, an upper bound and no result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from harness.errors import DataError
from harness.reporting.quality import STEP_SCORES
from harness.runner.arrays import architecture_of, flops_of
from harness.stats import FirstErrorResult, Judged, Quality, Subset, SubsetResult, quality, tune
from harness.stats import evaluate as evaluate_subsets
from harness.store.format import RunFolder, read_scores
from harness.store.log import read_ledger
from harness.store.sweepfile import PoolEntry, ScoreEntry, SweepFile
from harness.types import Estimate, Json, Problem, ResultRow

FIXED, TUNED, ORACLE = "first_error", "first_error_tuned", "first_error_oracle"


@dataclass(frozen=True)
class _Scored:
    """One task's items under one PRM."""

    entry: PoolEntry
    subset: Subset
    items: int
    """Items that the PRM covers; the others are left out."""
    prm_tokens: float | None
    flops: float | None
    seconds: float | None
    truncated: int
    unparsed: float
    """Solutions of which a critic said nothing that holds a verdict; a solution with several
    critiques counts by their share. They are wrong where nothing decides, and say so here."""
    threshold: float | None
    """Declared by the PRM, else by the run's configuration."""
    quality: Quality | None
    """Of the solutions with scores; None where there is none."""


def first_error_rows(run: RunFolder, sweep: SweepFile) -> Iterator[ResultRow]:
    """Yield all rows of tasks of kind ``steps``."""
    entries = [entry for entry in sweep.pools if entry.kind == "steps"]
    for prm in dict.fromkeys(entry.prm for entry in sweep.scores):
        scored: dict[str, _Scored] = {}
        for entry in entries:
            own = [s for s in sweep.scores if s.prm == prm and s.pool == entry.digest]
            found = _load(run, sweep, entry, own[0]) if own else None
            if found is not None:
                scored[entry.task] = found
        if scored:
            yield from _prm_rows(sweep, prm, scored)


def _load(run: RunFolder, sweep: SweepFile, entry: PoolEntry, scored: ScoreEntry) -> _Scored | None:
    """Read one PRM's scores of one task; None if it covers nothing of it, or the task asks for more
    than the first wrong step."""
    path = sweep.scores_path(run, scored)
    problems = {p.id: p for p in entry.folder(run).read_problems()}
    if all(map(labels_every_step, problems.values())):
        return None
    header, units = read_ledger(path)
    done = {problem for unit in units for problem in unit.usage}
    if len(done) != len(problems):
        raise DataError(
            f"{path}: {len(done)} of {len(problems)} problems are scored; the run was "
            "interrupted: give its command again"
        )
    items, tokens, flops, truncated, unparsed = [], [], [], 0, 0.0
    architecture = architecture_of(header.facts)
    for problem, _, scores in read_scores(path):
        if scores is None:
            continue
        label, final = _reference(problems[problem].reference, problem)
        try:
            items.append(Judged(scores.values, label, final))
        except ValueError as error:
            raise DataError(f"{path}: problem {problem!r}: {error}") from error
        if scores.tokens is not None:
            tokens.append(scores.tokens)
        if not math.isnan(operations := flops_of(scores, architecture)):
            flops.append(operations)
        truncated += scores.truncated
        unparsed += scores.unparsed
    if not items:
        return None
    count = len(items)
    said = [item for item in items if item.scores]
    return _Scored(
        entry,
        Subset.of(entry.task, items),
        count,
        sum(tokens) / count if len(tokens) == count else None,
        sum(flops) / count if len(flops) == count else None,
        sum(unit.seconds for unit in units) / count if architecture else None,
        truncated,
        unparsed,
        declared_threshold(sweep, header.facts),
        quality(
            said,
            probabilities=header.facts["semantics"] == "p_correct",
            whole=header.facts["covers"] == "steps",
            seed=int(sweep.config["seed"]),
        )
        if said
        else None,
    )


def labels_every_step(problem: Problem) -> bool:
    """Whether the reference names all wrong steps (`harness.runner.prm_score`)."""
    return isinstance(problem.reference, dict) and "wrong" in problem.reference


def declared_threshold(sweep: SweepFile, facts: Mapping[str, Json]) -> float | None:
    """Return the score below which a step is wrong: the PRM's, else the configured one."""
    found = facts.get("threshold", sweep.config["threshold"])
    return None if found is None else float(str(found))


def _reference(reference: object, problem: str) -> tuple[int, bool | None]:
    """Return the label and whether the final answer is right."""
    if isinstance(reference, dict) and isinstance(label := reference.get("label"), int):
        final = reference.get("final_answer_correct")
        return label, final if isinstance(final, bool) else None
    raise DataError(f"problem {problem!r}: the reference has no label")


def _prm_rows(sweep: SweepFile, prm: str, scored: Mapping[str, _Scored]) -> Iterator[ResultRow]:
    """Yield one PRM's rows under every rule for the threshold that can be used."""
    tasks = list(scored.values())
    for task in tasks:
        yield from _quality_rows(sweep, prm, task)
    seed = int(sweep.config["seed"])
    declared = tasks[0].threshold
    rules = {} if declared is None else {FIXED: [declared] * len(tasks)}
    chosen = sweep.config.get("tune_threshold_on")
    if chosen is not None and chosen in scored and _both(scored[chosen].subset):
        rules[TUNED] = [tune(scored[chosen].subset)] * len(tasks)
    if all(_both(task.subset) for task in tasks):
        rules[ORACLE] = [tune(task.subset) for task in tasks]
    for method, thresholds in rules.items():
        found = evaluate_subsets([task.subset for task in tasks], thresholds, seed)
        for task, result in zip(tasks, found.subsets, strict=True):
            yield from _task_rows(sweep, prm, method, task, result)
        yield from _group_rows(sweep, prm, method, scored, thresholds, seed)


def _both(subset: Subset) -> bool:
    """Whether there are solutions with and without an error, and scores to choose between."""
    scored = bool(np.isfinite(subset.low).any() or np.isfinite(subset.high).any())
    return scored and bool(subset.error.any() and not subset.error.all())


def _task_rows(
    sweep: SweepFile, prm: str, method: str, task: _Scored, result: SubsetResult
) -> Iterator[ResultRow]:
    """Yield the metrics of one subset."""
    row = _row(sweep, prm, method, task)
    metrics = {
        "f1": result.f1,
        "acc_error": result.acc_error,
        "acc_correct": result.acc_correct,
        "acc_right_answer_wrong_process": result.wrong_process,
    }
    for metric, found in metrics.items():
        if found.n:
            yield _with(row, metric, found)
    yield replace(row, metric="threshold", value=result.threshold, n_problems=task.items)
    if task.unparsed:
        share = task.unparsed / task.items
        yield replace(row, metric="unparsed", value=share, n_problems=task.items)


def _quality_rows(sweep: SweepFile, prm: str, task: _Scored) -> Iterator[ResultRow]:
    """Yield what can be said of a PRM's scores whatever the threshold."""
    row = replace(_row(sweep, prm, STEP_SCORES, task), headline=False)
    for metric in fields(Quality) if task.quality else ():
        found: Estimate = getattr(task.quality, metric.name)
        if found.n:
            yield _with(row, metric.name, found)


def _group_rows(
    sweep: SweepFile,
    prm: str,
    method: str,
    scored: Mapping[str, _Scored],
    thresholds: Sequence[float],
    seed: int,
) -> Iterator[ResultRow]:
    """Yield the unweighted mean of F1 over the subsets of every group that is there whole."""
    by_task = dict(zip(scored, thresholds, strict=True))
    for group, members in sweep.groups.items():
        if not set(members) <= set(scored):
            continue
        tasks = [scored[name] for name in members]
        found: FirstErrorResult = evaluate_subsets(
            [task.subset for task in tasks], [by_task[name] for name in members], seed
        )
        items = sum(task.items for task in tasks)
        row = replace(
            _row(sweep, prm, method, tasks[0]),
            task=group,
            n_total=sum(task.entry.n_total for task in tasks),
            truncated_share=sum(task.truncated for task in tasks) / items,
            prm_tokens=_weighted([(task.prm_tokens, task.items) for task in tasks]),
            flops=_weighted([(task.flops, task.items) for task in tasks]),
            seconds_per_problem=(
                seconds := _weighted([(task.seconds, task.items) for task in tasks])
            ),
            seconds_kind=None if seconds is None else "throughput",
        )
        yield _with(row, "f1", found.f1)


def _weighted(parts: Sequence[tuple[float | None, int]]) -> float | None:
    """Return the mean over items; None if any part is unknown."""
    if any(value is None for value, _ in parts):
        return None
    return sum((value or 0.0) * items for value, items in parts) / sum(n for _, n in parts)


def _with(row: ResultRow, metric: str, found: Estimate) -> ResultRow:
    return replace(
        row,
        metric=metric,
        value=found.value,
        ci_low=found.low,
        ci_high=found.high,
        ci_method=found.method,
        n_problems=found.n,
    )


def _row(sweep: SweepFile, prm: str, method: str, task: _Scored) -> ResultRow:
    """Return a row with everything but the metric."""
    return ResultRow(
        task=task.entry.task,
        task_version=task.entry.task_version,
        domain=task.entry.domain,
        prm=prm,
        method=method,
        headline=method != ORACLE,
        metric="f1",
        n_total=task.entry.n_total,
        prm_tokens=task.prm_tokens,
        flops=task.flops,
        seconds_per_problem=task.seconds,
        seconds_kind=None if task.seconds is None else "throughput",
        truncated_share=task.truncated / task.items,
        run_digest=sweep.digest,
    )
