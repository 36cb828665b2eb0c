"""Score a pool: ask a PRM for every candidate, and write down what it said."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import DataError
from harness.prms.prm import Prm, check_fit
from harness.runner.progress import Progress
from harness.runner.spent import judged_flops
from harness.runner.units import finished, owed, units
from harness.store.format import PoolFolder, scores_record
from harness.store.log import Header, LogWriter, Record
from harness.telemetry.telemetry import Telemetry
from harness.types import GIVEN_KINDS, Draft, Judge, Judged, Problem

logger = logging.getLogger(__name__)


def score(
    path: Path,
    header: Header,
    folder: PoolFolder,
    problems: Sequence[Problem],
    prm: Prm,
    progress: Progress,
    telemetry: Telemetry,
) -> None:
    """Score what is owed of a pool, or of the solutions that come with a task.

    Raises:
        LimitReached: before a unit.
    """
    rows = _rows(header)
    with LogWriter(path, header) as log:
        label = f"score · {prm.spec.name} · {header.facts['task']}"
        progress.start(label, len(problems) * rows, len(finished(log.finished)) * rows, "drafts")
        pending = owed(units(problems, rows, prm.unit_rows), log.finished)
        for name, unit, drafts in _with_drafts(pending, folder):
            telemetry.check()
            requests = [
                Judge(problem.question, own, blind=problem.blind)
                for problem, own in zip(unit, drafts, strict=True)
            ]
            logger.info("unit %s of %s", name, log.path)
            start = time.perf_counter()
            with telemetry.span("PRM", prm.spec.name, f"unit {name}"):
                replies = prm.judge(requests)
            seconds = time.perf_counter() - start
            records = [
                record
                for request, reply in zip(requests, replies, strict=True)
                for record in _records(request, reply, prm)
            ]
            usage = {p.id: reply.tokens for p, reply in zip(unit, replies, strict=True)}
            log.append(name, records, seconds, usage)
            for reply in replies:
                telemetry.judged(reply.tokens)
                telemetry.spent(judged_flops(prm, reply))
            progress.advance(len(unit) * rows)
        progress.finish()


def _rows(header: Header) -> int:
    """Return how many drafts each problem has."""
    samples = header.facts.get("samples")
    return samples if isinstance(samples, int) else 1


def _with_drafts(
    pending: Iterator[tuple[str, Sequence[Problem]]], folder: PoolFolder
) -> Iterator[tuple[str, Sequence[Problem], list[tuple[Draft, ...]]]]:
    """Join units with their drafts. Both are in the task's order, so the pool is read once and
    never held."""
    pool: Iterator[tuple[str, tuple[Draft, ...]]] | None = None
    for name, unit in pending:
        drafts: list[tuple[Draft, ...]] = []
        for problem in unit:
            if problem.kind in GIVEN_KINDS:
                drafts.append(problem.given)
                continue
            pool = pool if pool is not None else drafts_by_problem(folder)
            found = next((own for id_, own in pool if id_ == problem.id), None)
            if found is None:
                raise DataError(f"{folder.candidates}: problem {problem.id!r} has no candidates")
            drafts.append(found)
        yield name, unit, drafts


def drafts_by_problem(folder: PoolFolder) -> Iterator[tuple[str, tuple[Draft, ...]]]:
    """Yield (problem id, drafts in index order); a problem's candidates stand together."""
    groups = itertools.groupby(folder.read_candidates(), key=lambda c: c.problem)
    for problem, candidates in groups:
        yield problem, tuple(candidate.draft for candidate in candidates)


def _records(request: Judge, reply: Judged, prm: Prm) -> list[Record]:
    """Return the lines of one problem's scores, after checking the contract: one per step."""
    if len(reply.scores) != len(request.drafts):
        raise ValueError(
            f"{prm.spec.name} gave {len(reply.scores)} score lists for {len(request.drafts)} "
            f"drafts of problem {request.question.id!r}"
        )
    for index, (draft, scores) in enumerate(zip(request.drafts, reply.scores, strict=True)):
        if scores is not None:
            where = f"{prm.spec.name}, candidate {index} of problem {request.question.id!r}"
            check_fit(scores, draft, prm.covers, where, request.blind)
    return [
        scores_record(request.question.id, index, scores)
        for index, scores in enumerate(reply.scores)
    ]
