"""Score a pool: ask a PRM for every candidate, and write down what it said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.prms.fake import Truth
from harness.prms.prm import Prm, check_fit
from harness.runner.fill import fill
from harness.runner.launch import Launch
from harness.runner.spent import judged_flops
from harness.runner.spread.station import Model, Station
from harness.runner.spread.work import Act, Done, Listed, Said, Tick
from harness.runner.units import finished, owed, units
from harness.store.drafts import Drafts
from harness.store.format import PoolFolder, scores_record
from harness.store.log import Header, LogWriter, Record
from harness.types import GIVEN_KINDS, Judge, Judged, Problem


@dataclass(frozen=True, slots=True)
class Scoring:
    """Judges drafts."""

    prm: Model[Prm]

    @property
    def travels(self) -> bool:
        """Not if the scores are recorded."""
        return self.prm.travels

    def at(self, station: Station) -> Act[Sequence[Judge]]:
        """Return what judges the requests of a unit."""
        prm, telemetry = station.model(self.prm), station.telemetry

        def judge(requests: Sequence[Judge]) -> Iterator[Said]:
            start = time.perf_counter()
            with telemetry.span("PRM", prm.spec.name, f"unit {requests[0].question.id}"):
                replies = prm.judge(requests)
            seconds = time.perf_counter() - start
            pairs = list(zip(requests, replies, strict=True))
            records = [record for pair in pairs for record in _records(*pair, prm)]
            for reply in replies:
                telemetry.judged(reply.tokens)
                telemetry.spent(judged_flops(prm, reply))
            yield Tick(sum(len(request.drafts) for request in requests))
            yield Done(records, seconds, {q.question.id: reply.tokens for q, reply in pairs})

        return judge


def score(
    path: Path,
    header: Header,
    folder: PoolFolder,
    problems: Sequence[Problem],
    prm: Prm,
    launch: Launch,
    truth: Truth | None = None,
) -> None:
    """Score what is owed of a pool, or of the solutions that come with a task.

    Raises:
        LimitReached: between units.
    """
    rows = _rows(header)
    with LogWriter(path, header) as log, Drafts(folder) as drafts:

        def load(unit: Sequence[Problem]) -> tuple[Judge, ...]:
            return tuple(
                Judge(
                    problem.question,
                    problem.given if problem.kind in GIVEN_KINDS else drafts[problem.id],
                    blind=problem.blind,
                )
                for problem in unit
            )

        def weight(problem: Problem) -> int:
            given = problem.kind in GIVEN_KINDS
            return sum(map(len, problem.steps)) if given else drafts.size(problem.id)

        label = f"score · {prm.spec.name} · {header.facts['task']}"
        done = len(finished(log.finished)) * rows
        launch.progress.start(label, len(problems) * rows, done, "drafts")
        pending = owed(units(problems, rows, launch.unit or prm.unit_rows), log.finished)
        source = Listed(pending, load, lambda unit: sum(map(weight, unit)))
        fill(log, Scoring(Model.prm(prm, truth)), source, launch)
        launch.progress.finish()


def _rows(header: Header) -> int:
    """Return how many drafts each problem has."""
    samples = header.facts.get("samples")
    return samples if isinstance(samples, int) else 1


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
