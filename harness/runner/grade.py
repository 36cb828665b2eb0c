"""Grade a pool: ask the task's grader about every candidate, and write down what it said."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.errors import DataError
from harness.grading import Grader
from harness.runner.progress import Progress
from harness.runner.score import drafts_by_problem
from harness.runner.units import finished, owed, units
from harness.store.format import PoolFolder, grade_record
from harness.store.log import Header, LogWriter, ledger_path, read_ledger
from harness.store.searches import SearchFolder
from harness.telemetry.telemetry import Telemetry
from harness.types import Json, Problem, Tokens

_UNIT = 2048
"""Candidates graded together: enough to keep every worker busy, little to lose."""

logger = logging.getLogger(__name__)


def grade(
    folder: PoolFolder,
    pool: Header,
    problems: Sequence[Problem],
    grader: Grader,
    progress: Progress,
    telemetry: Telemetry,
    path: Path | None = None,
) -> None:
    """Grade what is owed of a pool, into its grades or into the log at `path`.

    Raises:
        LimitReached: before a unit.
    """
    samples = int(str(pool.facts["samples"]))
    header = Header("grades", {"pool": pool.digest, "grader": grader.identity()}, pool.facts)
    with LogWriter(path or folder.grades, header) as log:
        done = len(finished(log.finished))
        label = f"grade · {pool.facts['task']}"
        progress.start(label, len(problems) * samples, done * samples, "candidates")
        candidates = drafts_by_problem(folder)
        for name, unit in owed(units(problems, samples, _UNIT), log.finished):
            telemetry.check()
            texts: list[tuple[str, ...]] = []
            for problem in unit:
                own = next((drafts for id_, drafts in candidates if id_ == problem.id), None)
                if own is None:
                    raise DataError(f"{folder.candidates}: {problem.id!r} has no candidates")
                texts.append(tuple(draft.text for draft in own))
            logger.info("unit %s of %s", name, log.path)
            start = time.perf_counter()
            with telemetry.span("grader", str(pool.facts["kind"]), f"unit {name}"):
                grades = grader.grade_pool(list(zip(unit, texts, strict=True)))
            records = [
                grade_record(problem.id, index, found)
                for problem, own_grades in zip(unit, grades, strict=True)
                for index, found in enumerate(own_grades)
            ]
            usage = {problem.id: Tokens() for problem in unit}
            log.append(name, records, time.perf_counter() - start, usage)
            progress.advance(len(unit) * samples)
        progress.finish()


def grade_search(
    folder: SearchFolder,
    problems: Sequence[Problem],
    grader: Grader,
    progress: Progress,
    telemetry: Telemetry,
) -> None:
    """Grade all that a search found; grades of other attempts than these are made again.

    Raises:
        LimitReached: before a unit.
    """
    header, _ = read_ledger(folder.attempts)
    found: dict[str, list[str]] = {problem.id: [] for problem in problems}
    for (problem, _), attempt in sorted(folder.read_attempts().items(), key=lambda item: item[0]):
        found[problem].extend(one.draft.text for one in attempt.found)
    counts = {problem: len(texts) for problem, texts in found.items()}
    identity: dict[str, Json] = {
        "search": header.digest,
        "grader": grader.identity(),
        "found": dict(counts),
    }
    fresh = Header("grades", identity, header.facts)
    path = folder.pool.grades
    if ledger_path(path).exists() and read_ledger(path)[0].digest != fresh.digest:
        path.unlink(missing_ok=True)
        ledger_path(path).unlink()
    with LogWriter(path, fresh) as log:
        known = finished(log.finished)
        label = f"grade · {header.facts['method']} · {header.facts['task']}"
        progress.start(label, sum(counts.values()), sum(counts[p] for p in known), "candidates")
        for unit in _units([p for p in problems if p.id not in known], counts):
            telemetry.check()
            start = time.perf_counter()
            with telemetry.span("grader", problems[0].kind, f"unit {unit[0].id}"):
                graded = grader.grade_pool([(problem, found[problem.id]) for problem in unit])
            records = [
                grade_record(problem.id, index, one)
                for problem, grades in zip(unit, graded, strict=True)
                for index, one in enumerate(grades)
            ]
            usage = {problem.id: Tokens() for problem in unit}
            log.append(unit[0].id, records, time.perf_counter() - start, usage)
            progress.advance(len(records))
        progress.finish()


def _units(problems: Sequence[Problem], counts: Mapping[str, int]) -> Iterator[list[Problem]]:
    """Cut the problems in runs of about as many candidates as keep the grader's workers busy."""
    unit: list[Problem] = []
    for problem in problems:
        unit.append(problem)
        if sum(counts[p.id] for p in unit) >= _UNIT:
            yield unit
            unit = []
    if unit:
        yield unit
