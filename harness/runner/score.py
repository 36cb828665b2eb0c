"""Score a pool: ask a PRM for every candidate, and write down what it said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.prms.fake import Truth
from harness.prms.prm import Prm, check_fit
from harness.runner.fill import fill
from harness.runner.progress import Progress
from harness.runner.spread.local import Local
from harness.runner.spread.station import Model, Station
from harness.runner.spread.work import Act, Done, Executor, Listed, Said, Tick
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
        prm = station.model(self.prm)

        def judge(requests: Sequence[Judge]) -> Iterator[Said]:
            start = time.perf_counter()
            replies = prm.judge(requests)
            seconds = time.perf_counter() - start
            pairs = list(zip(requests, replies, strict=True))
            records = [record for pair in pairs for record in _records(*pair, prm)]
            read = sum(r.tokens.prefill_computed + r.tokens.decode for r in replies)
            yield Tick(sum(len(request.drafts) for request in requests), read)
            yield Done(records, seconds, {q.question.id: reply.tokens for q, reply in pairs})

        return judge


def score(
    path: Path,
    header: Header,
    folder: PoolFolder,
    problems: Sequence[Problem],
    prm: Prm,
    progress: Progress,
    executor: Executor | None = None,
    truth: Truth | None = None,
    unit_rows: int | None = None,
) -> None:
    """Score what is owed of a pool, or of the solutions that come with a task, in units of about
    `unit_rows` of them."""
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
        progress.start(label, len(problems) * rows, len(finished(log.finished)) * rows, "drafts")
        parts = units(problems, rows, unit_rows or prm.unit_rows)
        source = Listed(owed(parts, log.finished), load, lambda unit: sum(map(weight, unit)))
        fill(log, Scoring(Model.prm(prm, truth)), source, executor or Local(), progress)
        progress.finish()


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
