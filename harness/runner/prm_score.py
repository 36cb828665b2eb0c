"""Result rows of tasks in which every step has a label (PRMBench): figures by category.

A step is called wrong below the threshold that the PRM declares, else the configured one; a PRM
that declares none has no such rows. Items that the PRM does not cover are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

from harness.errors import DataError
from harness.runner.arrays import architecture_of, at_work
from harness.runner.first_error import declared_threshold, labels_every_step
from harness.runner.outcomes import with_estimate
from harness.runner.solution_scores import Given, given_rows
from harness.search.ledger import flops_of
from harness.stats import Figures, Labelled, prm_score
from harness.stats.prm_score import OVERALL
from harness.store.format import RunFolder, read_scores
from harness.store.log import read_ledger
from harness.store.sweepfile import PoolEntry, ScoreEntry, SweepFile
from harness.types import Estimate, Json, Problem, ResultRow, StepScores

METHOD = "prm_score"


def prm_score_rows(run: RunFolder, sweep: SweepFile) -> Iterator[ResultRow]:
    """Yield all rows of tasks whose references name every wrong step.

    Raises:
        DataError: scores are missing; the run was interrupted.
    """
    for entry in sweep.pools:
        if entry.kind != "steps":
            continue
        problems = {p.id: p for p in entry.folder(run).read_problems()}
        if not all(labels_every_step(problem) for problem in problems.values()):
            continue
        for scored in sweep.scores:
            if scored.pool == entry.digest:
                yield from _rows(run, sweep, entry, scored, problems)


def _rows(
    run: RunFolder,
    sweep: SweepFile,
    entry: PoolEntry,
    scored: ScoreEntry,
    problems: Mapping[str, Problem],
) -> Iterator[ResultRow]:
    """Yield one PRM's rows."""
    path = sweep.scores_path(run, scored)
    header, units = read_ledger(path)
    done = {problem for unit in units for problem in unit.usage}
    if len(done) != len(problems):
        raise DataError(
            f"{path}: {len(done)} of {len(problems)} problems are scored; the run was "
            "interrupted: give its command again"
        )
    items, originals, known = read_items(path, problems)
    tokens = [one.tokens for one in known.values() if one.tokens is not None]
    architecture = architecture_of(header.facts)
    flops = [flops_of(one, architecture) for one in known.values()]
    if not items:
        return
    count = len(items) + len(originals)
    whole = count == entry.n_total
    row = ResultRow(
        task=entry.task,
        task_version=entry.task_version,
        domain=entry.domain,
        prm=scored.prm,
        method=METHOD,
        metric=METHOD,
        n_total=entry.n_total,
        prm_tokens=sum(tokens) / count if len(tokens) == count else None,
        flops=None if math.isnan(total := sum(flops)) else total / count,
        seconds_per_problem=(
            seconds := sum(unit.seconds for unit in units) / count if at_work(header) else None
        ),
        seconds_kind=None if seconds is None else "throughput",
        run_digest=sweep.digest,
    )
    seed = int(sweep.config["seed"])
    given = [_given(problems[name], one) for name, one in known.items()]
    yield from given_rows(row, scored.aggregation, given, True, seed)
    threshold = declared_threshold(sweep, header.facts)
    if threshold is None:
        return
    for name, found in prm_score(items, originals, threshold, seed).items():
        suffix = "" if name == OVERALL else f"_{name.lower()}"
        for metric in fields(Figures):
            figure: Estimate | None = getattr(found, metric.name)
            if figure is not None and figure.n:
                made = with_estimate(replace(row, metric=f"{metric.name}{suffix}"), figure)
                # The originals belong to the task and to no figure.
                yield replace(made, n_total=figure.n) if whole else made
    yield replace(row, metric="threshold", value=threshold, n_problems=count)
    if unparsed := sum(one.unparsed for one in known.values()):
        yield replace(row, metric="unparsed", value=unparsed / count, n_problems=count)


def read_items(
    path: Path, problems: Mapping[str, Problem]
) -> tuple[list[Labelled], dict[str, tuple[float, ...]], dict[str, StepScores]]:
    """Return what a file of scores says of a task that labels every step.

    Returns:
        The modified solutions; step scores of the original ones by their names; all of them by the
        names of their problems. Items without scores are left out.
    """
    known = {name: scores for name, _, scores in read_scores(path) if scores is not None}
    items, originals = labelled((problems[name], one.values) for name, one in known.items())
    return items, originals, known


def labelled(
    said: Iterable[tuple[Problem, tuple[float, ...]]],
) -> tuple[list[Labelled], dict[str, tuple[float, ...]]]:
    """Return modified solutions with their scores, and the scores of the original ones by name.

    Args:
        said: Problems that label every step, each with its step scores; none where a critic came to
            no verdict.

    Raises:
        DataError: a reference that does not fit its problem.
    """
    items, originals = [], {}
    for problem, scores in said:
        reference = _reference(problem)
        try:
            category, origin = str(reference["category"]), str(reference["origin"])
            wrong: frozenset[int] = frozenset(reference["wrong"])  # type: ignore[arg-type]
            if category == "original":
                originals[origin] = scores
            else:
                items.append(Labelled(scores, wrong, category, origin, len(problem.steps)))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"problem {problem.id!r}: {error}") from None
    return items, originals


def _given(problem: Problem, scores: StepScores) -> Given:
    reference = _reference(problem)
    return Given(problem, scores.values, not reference["wrong"], str(reference["origin"]))


def _reference(problem: Problem) -> Mapping[str, Json]:
    return dict(problem.reference)  # type: ignore[arg-type]
