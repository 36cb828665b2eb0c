"""From two sides of a comparison to their answers, problem by problem."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.analysis.curve import Curve
from harness.analysis.versus import Answers, Pair, Versus, versus
from harness.errors import ConfigError, DataError
from harness.runner.arrays import load_scores
from harness.runner.comparable import common_tasks
from harness.runner.evaluate import evaluate
from harness.runner.first_error import declared_threshold, first_error_reference, labels_every_step
from harness.runner.preference import right_solution
from harness.runner.prm_score import read_items
from harness.runner.sides import Side, entries, names
from harness.stats import Judged, Subset, preference, step_counts
from harness.store.format import read_scores
from harness.store.log import read_ledger
from harness.store.sweepfile import PoolEntry, ScoreEntry
from harness.types import Kind, Problem

MOST_VALUES = 40
"""Values of a key by which problems are broken down: more are names of problems, not kinds."""


@dataclass(frozen=True)
class Compared:
    """Two sides on all tasks that they share."""

    a: Side
    b: Side
    tasks: tuple[Versus, ...]
    shared: tuple[tuple[str, str], ...]
    """What both sides have in common, as (what, which)."""


def compare_sides(
    a: Side, b: Side, tasks: Sequence[str] = (), budgets: Sequence[int] = ()
) -> Compared:
    """Compare two sides on the tasks named, or on all that they share.

    Raises:
        ConfigError: they cannot be compared, and why.
        DataError: a file of a run is missing or torn.
    """
    chosen = common_tasks(a, b, tasks)
    pairs = [_pair(a, b, task, budgets) for task in chosen]
    pairs += _groups(a, pairs)
    found = versus(pairs, seed=int(a.sweep.config["seed"]))
    return Compared(a, b, found, _shared(a, b, chosen))


def _pair(a: Side, b: Side, task: str, budgets: Sequence[int]) -> Pair:
    """Read both sides of a task."""
    kind = next(entry.kind for entry in entries(a.sweep) if entry.task == task)
    read = [_answers(side, task, kind) for side in (a, b)]
    left, right = (
        replace(one, name=name) for (one, _), name in zip(read, names(a, b, kind), strict=True)
    )
    _same_problems(task, read[0][1], read[1][1])
    common = [budget for budget in left.budgets if budget in right.budgets]
    if not common:
        raise ConfigError(
            f"{task} cannot be compared, budgets differ: {_numbers(left.budgets)} and "
            f"{_numbers(right.budgets)}; run one again with --budget of the other"
        )
    if budgets and common != [None]:
        missing = [budget for budget in budgets if budget not in common]
        if missing:
            raise ConfigError(
                f"{task}: no budget {missing[0]} on both sides; there are {_numbers(common)}"
            )
        left, right = (_only(one, budgets) for one in (left, right))
    if not set(left.problems) & set(right.problems):
        raise ConfigError(f"{task} cannot be compared: the two sides share no problem")
    metric = {"steps": "f1", "preference": "preference_accuracy"}.get(kind, "accuracy")
    if left.steps is not None:
        metric = "prm_score"
    pools = a.pool(task), b.pool(task)
    pooled = not (a.searches(task) or b.searches(task))
    same = bool(pooled and pools[0] and pools[1] and pools[0].digest == pools[1].digest)
    meta = _meta(read[0][1]) if left.steps is None else {}
    return Pair(task, metric, left, right, meta, same)


def _groups(side: Side, pairs: Sequence[Pair]) -> Iterator[Pair]:
    """Yield the groups of first-wrong-step tasks that are there whole: their mean F1."""
    own = {pair.task: pair for pair in pairs if pair.metric == "f1"}
    for group, members in side.sweep.groups.items():
        parts = [own[name] for name in members if name in own]
        if len(parts) < max(2, len(members)):
            continue
        left, right = (
            Answers(
                getattr(parts[0], which).name,
                tuple(f"{part.task} {name}" for part, one in each for name in one.problems),
                (None,),
                np.concatenate([one.values for _, one in each]),
                np.concatenate([one.error for _, one in each if one.error is not None]),
            )
            for which in ("a", "b")
            for each in [[(part, getattr(part, which)) for part in parts]]
        )
        strata = {
            f"{part.task} {name}": part.task
            for part in parts
            for name in (*part.a.problems, *part.b.problems)
        }
        yield Pair(group, "f1", left, right, strata=strata)


def _answers(side: Side, task: str, kind: Kind) -> tuple[Answers, Mapping[str, Problem]]:
    """Return a side's answers on a task, and the problems."""
    if kind == "steps":
        return _labelled_steps(side, task)
    if kind == "preference":
        return _preferences(side, task)
    name = side.method_on(kind)
    searches, pool = side.searches(task), side.pool(task)
    kept = [] if pool is None or searches else [pool]
    scores = [entry for entry in (side.scores(one) for one in kept) if entry is not None]
    narrowed = replace(
        side.sweep,
        pools=tuple(kept),
        scores=tuple(scores) if side.needs_prm(kind) else (),
        searches=searches,
        config={**side.sweep.config, "methods": [] if searches else [name]},
    )
    curve = _joined(
        [c for c in evaluate(side.run, narrowed).curves if c.method == name], side, task
    )
    folder = searches[0].folder(side.run).pool if searches else kept[0].folder(side.run)
    problems = {problem.id: problem for problem in folder.read_problems()}
    return Answers(task, curve.problems, curve.budgets, curve.values), problems


def _joined(curves: Sequence[Curve], side: Side, task: str) -> Curve:
    if len(curves) != 1:
        raise DataError(f"{side.run.root}: {len(curves)} results of {side.method} on {task}")
    return curves[0]


def _labelled_steps(side: Side, task: str) -> tuple[Answers, Mapping[str, Problem]]:
    """Return a side's answers on given steps, at the threshold set before the run: on which items
    the first wrong step is found, or how each step is judged where every one has a label."""
    pool, entry = _scored(side, task)
    problems = {problem.id: problem for problem in pool.folder(side.run).read_problems()}
    path = side.sweep.scores_path(side.run, entry)
    header, units = read_ledger(path)
    done = {problem for unit in units for problem in unit.usage}
    if len(done) != len(problems):
        raise DataError(f"{path}: {len(done)} of {len(problems)} problems are scored")
    threshold = declared_threshold(side.sweep, header.facts)
    if threshold is None:
        raise ConfigError(
            f"{task} cannot be compared: {side.prm} declares no threshold; set one with "
            "--set threshold=… before the run"
        )
    if all(map(labels_every_step, problems.values())):
        modified, _, _ = read_items(path, problems)
        origins, counts = step_counts(modified, threshold)
        right = (counts[:, [0, 2]].sum(axis=1) / counts.sum(axis=1))[:, None]
        return Answers(task, origins, (None,), right, steps=counts), problems
    items: dict[str, Judged] = {}
    for name, _, scores in read_scores(path):
        if scores is not None:
            label, final = first_error_reference(problems[name].reference, name)
            items[name] = Judged(scores.values, label, final, len(problems[name].steps))
    subset = Subset.of(task, items.values())
    right = subset.found(threshold).astype(float)[:, None]
    answers = Answers(task, tuple(items), (None,), right, subset.error)
    return answers, problems


def _preferences(side: Side, task: str) -> tuple[Answers, Mapping[str, Problem]]:
    """Return how often the right solution is preferred, by the declared aggregation."""
    pool, entry = _scored(side, task)
    problems = pool.folder(side.run).read_problems()
    right = np.array([right_solution(problem) for problem in problems], np.int64)
    sizes = np.array([len(problem.solutions) for problem in problems], np.int64)
    scores = load_scores(side.run, side.sweep, entry, problems, (len(problems), int(sizes.max())))
    own = scores.scores[entry.aggregation]
    found = preference(np.where(np.isfinite(own), own, math.nan), right, sizes)
    ids = tuple(problem.id for problem in problems)
    values = np.asarray(found.accuracy, np.float64)[:, None]
    return Answers(task, ids, (None,), values), {p.id: p for p in problems}


def _scored(side: Side, task: str) -> tuple[PoolEntry, ScoreEntry]:
    pool = side.pool(task)
    entry = side.scores(pool) if pool else None
    if pool is None or entry is None:
        raise ConfigError(f"{side.run.root} has no scores of {side.prm} on {task}")
    return pool, entry


def _same_problems(task: str, left: Mapping[str, Problem], right: Mapping[str, Problem]) -> None:
    """Refuse problems that are called the same and are not."""
    for name in left.keys() & right.keys():
        if left[name].digest != right[name].digest:
            raise ConfigError(
                f"{task} cannot be compared: problem {name!r} has another content in each run"
            )


def _meta(problems: Mapping[str, Problem]) -> dict[str, dict[str, str]]:
    """Return by what problems can be told apart: their few-valued facts."""
    keys = dict.fromkeys(key for problem in problems.values() for key in problem.meta)
    found = {}
    for key in keys:
        values = {name: p.meta.get(key) for name, p in problems.items()}
        known = {
            name: str(value)
            for name, value in values.items()
            if isinstance(value, str | int | float) and str(value)
        }
        if 2 <= len({*known.values()}) <= MOST_VALUES:
            found[key] = known
    return found


def _only(answers: Answers, budgets: Sequence[int]) -> Answers:
    columns = [i for i, budget in enumerate(answers.budgets) if budget in budgets]
    return replace(
        answers,
        budgets=tuple(answers.budgets[i] for i in columns),
        values=answers.values[:, columns],
    )


def _numbers(budgets: Sequence[int | None]) -> str:
    return ", ".join(map(str, budgets))


def _shared(a: Side, b: Side, tasks: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return what both sides have in common, and the aggregation of each."""
    facts: list[tuple[str, str]] = []
    kinds = {entry.kind for entry in entries(a.sweep) if entry.task in tasks}
    methods = [dict.fromkeys(side.method_on(kind) for kind in kinds) for side in (a, b)]
    if methods[0] == methods[1]:
        facts.append(("method", ", ".join(methods[0])))
    if a.prm == b.prm and a.prm and any(map(a.needs_prm, kinds)):
        facts.append(("PRM", a.prm))
    policies = {side.policy_on(task) for side in (a, b) for task in tasks} - {None}
    if len(policies) == 1:
        facts.append(("policy", str(policies.pop())))
    for side in (a, b):
        used = {e.aggregation for e in side.sweep.scores if e.prm == side.prm}
        if side.prm and len(used) == 1 and any(map(side.needs_prm, kinds)):
            facts.append((f"aggregation of {side.prm}", used.pop()))
        facts.append(("run", f"{side.run.root} ({side.sweep.digest[:8]})"))
    return tuple(dict.fromkeys(facts))
