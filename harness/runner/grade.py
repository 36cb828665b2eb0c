"""Grade a pool: ask the task's grader about every candidate, and write down what it said."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import DataError
from harness.grading import Grader
from harness.runner.progress import Progress
from harness.runner.score import drafts_by_problem
from harness.runner.units import finished, owed, units
from harness.store.format import PoolFolder, grade_record
from harness.store.log import Header, LogWriter
from harness.types import Problem, Tokens

_UNIT = 2048
"""Candidates graded together: enough to keep every worker busy, little to lose."""

logger = logging.getLogger(__name__)


def grade(
    folder: PoolFolder,
    pool: Header,
    problems: Sequence[Problem],
    grader: Grader,
    progress: Progress,
    path: Path | None = None,
) -> None:
    """Grade what is owed of a pool, into its grades or into the log at `path`."""
    samples = int(str(pool.facts["samples"]))
    header = Header("grades", {"pool": pool.digest, "grader": grader.identity()}, pool.facts)
    with LogWriter(path or folder.grades, header) as log:
        done = len(finished(log.finished))
        label = f"grade · {pool.facts['task']}"
        progress.start(label, len(problems) * samples, done * samples, "candidates")
        candidates = drafts_by_problem(folder)
        for name, unit in owed(units(problems, samples, _UNIT), log.finished):
            texts: list[tuple[str, ...]] = []
            for problem in unit:
                own = next((drafts for id_, drafts in candidates if id_ == problem.id), None)
                if own is None:
                    raise DataError(f"{folder.candidates}: {problem.id!r} has no candidates")
                texts.append(tuple(draft.text for draft in own))
            logger.info("unit %s of %s", name, log.path)
            start = time.perf_counter()
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
