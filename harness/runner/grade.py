"""Grade a pool: ask the task's grader about every candidate, and write down what it said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.grading import Grader, grader_for
from harness.policies.policy import Policy
from harness.policies.pool import PoolPolicy
from harness.runner.fill import fill
from harness.runner.progress import Progress
from harness.runner.recorded_grades import RecordedGrader
from harness.runner.spread.local import Local
from harness.runner.spread.station import Station
from harness.runner.spread.work import Act, Cut, Done, Executor, Said, Tick
from harness.runner.units import finished
from harness.sandbox.choice import SandboxChoice
from harness.store.drafts import Drafts
from harness.store.format import PoolFolder, grade_record
from harness.store.log import Header, LogWriter, ledger_path, read_ledger
from harness.store.searches import SearchFolder
from harness.types import Json, Kind, Problem, Tokens

_UNIT = 2048
"""Candidates graded together: enough to keep every worker busy, little to lose."""

Solved = Sequence[tuple[Problem, Sequence[str]]]
"""Problems with the texts that solve them."""


@dataclass(frozen=True, slots=True)
class Grading:
    """Grades solutions of one kind of problems. Their grades depend on nothing beside them."""

    kind: Kind
    workers: int | None = None
    """Processes, where all is graded here; None is one per core."""
    sandbox: SandboxChoice | None = None
    """Where programs run; None is the best that works."""
    recording: PoolPolicy | None = None
    """Whose verdicts are taken in the place of ours."""

    @classmethod
    def of(
        cls,
        kind: Kind,
        policy: Policy | None,
        workers: int | None = None,
        sandbox: SandboxChoice | None = None,
    ) -> Grading:
        """Return how a pool is graded: by whoever graded the recording, if that is asked for."""
        graded = isinstance(policy, PoolPolicy) and policy.graded
        return cls(kind, workers, sandbox, policy if graded else None)  # type: ignore[arg-type]

    @property
    def travels(self) -> bool:
        """Not if the grades are recorded."""
        return self.recording is None

    def identity(self) -> dict[str, Json]:
        """Everything that decides the grades; no process is started for it."""
        return self._whose(grader_for(self.kind)).identity()

    def at(self, station: Station) -> Act[Solved]:
        """Return what grades the solutions of a unit."""
        grader = self._whose(station.grader(self.kind, self.workers, self.sandbox))

        def grade(solved: Solved) -> Iterator[Said]:
            start = time.perf_counter()
            graded = grader.grade_pool(solved)
            records = [
                grade_record(problem.id, index, one)
                for (problem, _), grades in zip(solved, graded, strict=True)
                for index, one in enumerate(grades)
            ]
            seconds = time.perf_counter() - start
            yield Tick(len(records))
            yield Done(records, seconds, {problem.id: Tokens() for problem, _ in solved})

        return grade

    def _whose(self, grader: Grader) -> Grader:
        return grader if self.recording is None else RecordedGrader(self.recording, grader)


def grade(
    folder: PoolFolder,
    pool: Header,
    problems: Sequence[Problem],
    work: Grading,
    progress: Progress,
    executor: Executor | None = None,
    path: Path | None = None,
) -> None:
    """Grade what is owed of a pool, into its grades or into the log at `path`."""
    samples = int(str(pool.facts["samples"]))
    header = Header("grades", {"pool": pool.digest, "grader": work.identity()}, pool.facts)
    with LogWriter(path or folder.grades, header) as log, Drafts(folder) as drafts:

        def texts(problem: Problem) -> tuple[str, ...]:
            return tuple(draft.text for draft in drafts[problem.id])

        known = finished(log.finished)
        label = f"grade · {pool.facts['task']}"
        progress.start(label, len(problems) * samples, len(known) * samples, "candidates")
        source = Cut(
            [problem for problem in problems if problem.id not in known],
            lambda problem: problem.id,
            lambda unit: [(problem, texts(problem)) for problem in unit],
            weight=lambda _: samples,
            most=_UNIT,
        )
        fill(log, work, source, executor or Local(), progress)
        progress.finish()


def grade_search(
    folder: SearchFolder,
    problems: Sequence[Problem],
    work: Grading,
    progress: Progress,
    executor: Executor | None = None,
) -> None:
    """Grade all that a search found; grades of other attempts than these are made again."""
    header, _ = read_ledger(folder.attempts)
    found: dict[str, list[str]] = {problem.id: [] for problem in problems}
    for (problem, _), attempt in sorted(folder.read_attempts().items(), key=lambda item: item[0]):
        found[problem].extend(one.draft.text for one in attempt.found)
    counts = {problem: len(texts) for problem, texts in found.items()}
    identity: dict[str, Json] = {
        "search": header.digest,
        "grader": work.identity(),
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
        source = Cut(
            [problem for problem in problems if problem.id not in known],
            lambda problem: problem.id,
            lambda unit: [(problem, found[problem.id]) for problem in unit],
            weight=lambda problem: counts[problem.id],
            most=_UNIT,
        )
        fill(log, work, source, executor or Local(), progress)
        progress.finish()
