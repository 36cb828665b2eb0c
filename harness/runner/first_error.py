"""Result rows of first-wrong-step tasks: per subset and, for a group, the mean of its subsets.

Three rules for the threshold are kept apart, as three methods: ``first_error`` uses the one given
beforehand (the configured 0.5 for scores that are probabilities, what the PRM declares for others;
where it declares none there is no such row); ``first_error_tuned`` the best one on a named subset,
frozen for all; ``first_error_oracle`` the best one per subset, an upper bound and no result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.errors import DataError
from harness.reporting.quality import STEP_SCORES
from harness.reporting.step_curves import StepCurves
from harness.reporting.thresholds import THRESHOLD_CURVE
from harness.runner.arrays import architecture_of, at_work
from harness.runner.solution_scores import Given, given_rows
from harness.runner.step_scores import curve_rows, quality_rows, with_found
from harness.search.ledger import flops_of
from harness.stats import (
    FirstErrorResult,
    Judged,
    Subset,
    SubsetResult,
    reliability,
    threshold_curve,
    tune,
)
from harness.stats import evaluate as evaluate_subsets
from harness.store.format import RunFolder, read_scores
from harness.store.log import read_ledger
from harness.store.sweepfile import PoolEntry, ScoreEntry, SweepFile
from harness.types import Json, Problem, ResultRow

FIXED, TUNED, ORACLE = "first_error", "first_error_tuned", "first_error_oracle"


@dataclass(frozen=True)
class _Scored:
    """One task's items under one PRM."""

    entry: PoolEntry
    subset: Subset
    judged: tuple[Judged, ...]
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
    probabilities: bool
    whole: bool
    """Every step has a score."""
    given: tuple[Given, ...]
    """The same items, to be scored as a whole, ..."""
    aggregation: str
    """... by what the PRM declares."""

    @property
    def items(self) -> int:
        """Items that the PRM covers."""
        return len(self.judged)

    @property
    def said(self) -> list[Judged]:
        """Those with scores: a critic may have said nothing of others."""
        return [item for item in self.judged if item.scores]


def first_error_results(
    run: RunFolder, sweep: SweepFile
) -> tuple[list[ResultRow], list[StepCurves]]:
    """Return all rows of tasks of kind ``steps``, and the curves that are drawn of them."""
    entries = [entry for entry in sweep.pools if entry.kind == "steps"]
    rows: list[ResultRow] = []
    curves: list[StepCurves] = []
    for prm in dict.fromkeys(entry.prm for entry in sweep.scores):
        scored: dict[str, _Scored] = {}
        for entry in entries:
            own = [s for s in sweep.scores if s.prm == prm and s.pool == entry.digest]
            found = _load(run, sweep, entry, own[0]) if own else None
            if found is not None:
                scored[entry.task] = found
        if scored:
            rules = _rules(sweep, scored)
            drawn = list(_curves(sweep, prm, scored, rules))
            rows += _prm_rows(sweep, prm, scored, rules)
            rows += _curve_rows(sweep, scored, drawn)
            curves += drawn
    return rows, curves


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
    items, given, tokens, flops, truncated, unparsed = [], [], [], [], 0, 0.0
    architecture = architecture_of(header.facts)
    for problem, _, scores in read_scores(path):
        if scores is None:
            continue
        label, final = first_error_reference(problems[problem].reference, problem)
        try:
            steps = len(problems[problem].steps)
            items.append(Judged(scores.values, label, final, steps))
        except ValueError as error:
            raise DataError(f"{path}: problem {problem!r}: {error}") from error
        given.append(Given(problems[problem], scores.values, label < 0))
        if scores.tokens is not None:
            tokens.append(scores.tokens)
        if not math.isnan(operations := flops_of(scores, architecture)):
            flops.append(operations)
        truncated += scores.truncated
        unparsed += scores.unparsed
    if not items:
        return None
    count = len(items)
    return _Scored(
        entry,
        Subset.of(entry.task, items),
        tuple(items),
        sum(tokens) / count if len(tokens) == count else None,
        sum(flops) / count if len(flops) == count else None,
        sum(unit.seconds for unit in units) / count if at_work(header) else None,
        truncated,
        unparsed,
        declared_threshold(sweep, header.facts),
        header.facts["semantics"] == "p_correct",
        header.facts["covers"] == "steps",
        tuple(given),
        scored.aggregation,
    )


def labels_every_step(problem: Problem) -> bool:
    """Whether the reference names all wrong steps (`harness.runner.prm_score`)."""
    return isinstance(problem.reference, dict) and "wrong" in problem.reference


def declared_threshold(sweep: SweepFile, facts: Mapping[str, Json]) -> float | None:
    """Return the score below which a step is wrong: the PRM's, else the configured one."""
    found = facts.get("threshold", sweep.config["threshold"])
    return None if found is None else float(str(found))


def first_error_reference(reference: object, problem: str) -> tuple[int, bool | None]:
    """Return the label and whether the final answer is right."""
    if isinstance(reference, dict) and isinstance(label := reference.get("label"), int):
        final = reference.get("final_answer_correct")
        return label, final if isinstance(final, bool) else None
    raise DataError(f"problem {problem!r}: the reference has no label")


def _rules(sweep: SweepFile, scored: Mapping[str, _Scored]) -> dict[str, list[float]]:
    """Return the thresholds of the tasks under every rule that can be used."""
    tasks = list(scored.values())
    declared = tasks[0].threshold
    rules = {} if declared is None else {FIXED: [declared] * len(tasks)}
    chosen = sweep.config.get("tune_threshold_on")
    if chosen is not None and chosen in scored and _both(scored[chosen].subset):
        rules[TUNED] = [tune(scored[chosen].subset)] * len(tasks)
    if all(_both(task.subset) for task in tasks):
        rules[ORACLE] = [tune(task.subset) for task in tasks]
    return rules


def _prm_rows(
    sweep: SweepFile,
    prm: str,
    scored: Mapping[str, _Scored],
    rules: Mapping[str, Sequence[float]],
) -> Iterator[ResultRow]:
    """Yield one PRM's rows."""
    tasks = list(scored.values())
    seed = int(sweep.config["seed"])
    for task in tasks:
        row = replace(_row(sweep, prm, STEP_SCORES, task), headline=False)
        if task.said:
            yield from quality_rows(row, task.said, task.probabilities, task.whole, seed)
            yield from given_rows(row, task.aggregation, task.given, task.whole, seed)
    for method, thresholds in rules.items():
        found = evaluate_subsets([task.subset for task in tasks], thresholds, seed)
        for task, result in zip(tasks, found.subsets, strict=True):
            yield from _task_rows(sweep, prm, method, task, result)
        yield from _group_rows(sweep, prm, method, scored, thresholds, seed)


def _curves(
    sweep: SweepFile,
    prm: str,
    scored: Mapping[str, _Scored],
    rules: Mapping[str, Sequence[float]],
) -> Iterator[StepCurves]:
    """Yield what is drawn of one PRM's scores: task by task, then for groups."""
    for number, (name, task) in enumerate(scored.items()):
        curve = threshold_curve([task.subset]) if _both(task.subset) else None
        marks = {rule: thresholds[number] for rule, thresholds in rules.items()}
        diagram = reliability(task.said) if task.probabilities and task.said else None
        yield StepCurves(name, (name,), prm, task.items, curve, marks, diagram)
    for group, members in sweep.groups.items():
        tasks = [scored[name] for name in members if name in scored]
        if len(tasks) == len(members) and all(_both(task.subset) for task in tasks):
            curve = threshold_curve([task.subset for task in tasks])
            # The best of each task are several thresholds, which have no place on a common curve.
            marks = {rule: own[0] for rule, own in rules.items() if rule != ORACLE}
            items = sum(task.items for task in tasks)
            yield StepCurves(group, members, prm, items, curve, marks, None)


def _curve_rows(
    sweep: SweepFile, scored: Mapping[str, _Scored], curves: Sequence[StepCurves]
) -> Iterator[ResultRow]:
    """Yield the best threshold of each curve and how far it can be moved."""
    for drawn in curves:
        if drawn.thresholds is not None:
            tasks = [scored[name] for name in drawn.members]
            row = _row(sweep, drawn.prm, THRESHOLD_CURVE, tasks[0])
            if drawn.task not in scored:
                row = _grouped(row, drawn.task, tasks)
            yield from curve_rows(row, drawn.thresholds, drawn.items)


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
            yield with_found(row, metric, found)
    yield replace(row, metric="threshold", value=result.threshold, n_problems=task.items)
    if task.unparsed:
        share = task.unparsed / task.items
        yield replace(row, metric="unparsed", value=share, n_problems=task.items)


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
        yield with_found(_grouped(_row(sweep, prm, method, tasks[0]), group, tasks), "f1", found.f1)


def _grouped(row: ResultRow, group: str, tasks: Sequence[_Scored]) -> ResultRow:
    """Return the row of a group, its costs the means over the items of its tasks."""
    seconds = _weighted([(task.seconds, task.items) for task in tasks])
    items = sum(task.items for task in tasks)
    return replace(
        row,
        task=group,
        n_total=sum(task.entry.n_total for task in tasks),
        truncated_share=sum(task.truncated for task in tasks) / items,
        prm_tokens=_weighted([(task.prm_tokens, task.items) for task in tasks]),
        flops=_weighted([(task.flops, task.items) for task in tasks]),
        seconds_per_problem=seconds,
        seconds_kind=None if seconds is None else "throughput",
    )


def _weighted(parts: Sequence[tuple[float | None, int]]) -> float | None:
    """Return the mean over items; None if any part is unknown."""
    if any(value is None for value, _ in parts):
        return None
    return sum((value or 0.0) * items for value, items in parts) / sum(n for _, n in parts)


def _row(sweep: SweepFile, prm: str, method: str, task: _Scored) -> ResultRow:
    """Return a row with everything but the metric."""
    return ResultRow(
        task=task.entry.task,
        task_version=task.entry.task_version,
        domain=task.entry.domain,
        prm=prm,
        method=method,
        headline=method not in (ORACLE, THRESHOLD_CURVE),
        metric="f1",
        n_total=task.entry.n_total,
        prm_tokens=task.prm_tokens,
        flops=task.flops,
        seconds_per_problem=task.seconds,
        seconds_kind=None if task.seconds is None else "throughput",
        truncated_share=task.truncated / task.items,
        run_digest=sweep.digest,
    )
