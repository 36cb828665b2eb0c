"""Search every problem that is owed, through drivers, and write down what was found."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence

from harness.runner.grade import Grading, grade_search
from harness.runner.progress import Progress
from harness.runner.search_plan import SearchPlan
from harness.runner.searching import Owed, Searching
from harness.runner.spread.local import Local
from harness.runner.spread.work import Cut, Executor, Found, Replies
from harness.sandbox.choice import SandboxChoice
from harness.store.format import RunFolder
from harness.store.log import LogWriter, Record
from harness.store.searches import SearchFolder, attempt_record, entry_record
from harness.types import Attempt, Entry

_COMMIT = 1.0
"""Seconds between commits of the journal: what a kill can cost, besides requests in flight."""


def run_searches(
    plans: Sequence[SearchPlan],
    run: RunFolder,
    progress: Progress,
    workers: int | None = None,
    sandbox: SandboxChoice | None = None,
    executor: Executor | None = None,
) -> None:
    """Search and grade what is owed, one pair of policy and PRM in memory at a time."""
    executor = executor or Local()
    for _, pair in itertools.groupby(plans, key=lambda p: (id(p.policy), id(p.prm))):
        for plan in pair:
            _search(plan, plan.entry.folder(run), progress, workers, sandbox, executor)
        executor.release()
    graded = [plan for plan in plans if not plan.alone]
    for kind in dict.fromkeys(plan.task.kind for plan in graded):
        work = Grading(kind, workers, sandbox)
        for plan in graded:
            if plan.task.kind == kind:
                grade_search(plan.entry.folder(run), plan.problems, work, progress, executor)
        executor.release()


def _search(
    plan: SearchPlan,
    folder: SearchFolder,
    progress: Progress,
    workers: int | None,
    sandbox: SandboxChoice | None,
    executor: Executor,
) -> None:
    """Run the attempts that are owed of one search."""
    if not folder.pool.problems.exists():
        folder.pool.write_problems(plan.problems)
    wanted = [(p, r) for r in range(plan.replicas) for p in plan.problems]
    with LogWriter(folder.attempts, plan.header) as attempts:
        known = folder.read_attempts() if attempts.finished else {}
        owed = [(p, r) for p, r in wanted if _owed(known.get((p.id, r)))]
        total = len(wanted)
        progress.start(_label(plan), total, total - len(owed), "searches")
        if owed:
            recorded = folder.read_journal({(p.id, r) for p, r in owed})
            with LogWriter(folder.journal, plan.header) as journal:
                book = _Book(attempts, journal, progress)
                source = Cut(
                    [Owed(p, r, tuple(recorded.get((p.id, r), ()))) for p, r in owed],
                    lambda one: f"{one.problem.id}/{one.replica}",
                    tuple,
                    whole=plan.alone,
                    rest=book.rest,
                )
                work = Searching.of(plan, workers, sandbox)
                for _, said in executor.do(work, source, str(attempts.path)):
                    if isinstance(said, Replies):
                        book.note(said.entries)
                    elif isinstance(said, Found):
                        book.finish(said)
                book.commit()
        folder.drop_journal()
        progress.finish()


def _label(plan: SearchPlan) -> str:
    parts = ["time" if plan.alone else "search", f"{plan.spec.name} n={plan.n}"]
    return " · ".join([*parts, *filter(None, [plan.prm_name]), plan.task.name])


def _owed(attempt: Attempt | None) -> bool:
    return attempt is None or bool(attempt.failure)


class _Book:
    """Writes replies and attempts down, several at a time: two syncs of the disk for each would
    cost more than a small model's work."""

    def __init__(self, attempts: LogWriter, journal: LogWriter, progress: Progress) -> None:
        self._attempts, self._journal, self._progress = attempts, journal, progress
        self._entries: list[Record] = []
        self._done: list[Attempt] = []
        self._finished: set[tuple[str, int]] = set()
        self._last = self._began = time.perf_counter()
        self._charged = 0.0
        self._decoded = 0

    def note(self, entries: Sequence[Entry]) -> None:
        """Keep replies; see `Driver`."""
        self._entries.extend(map(entry_record, entries))
        if time.perf_counter() - self._last > _COMMIT:
            self.commit()

    def finish(self, found: Found) -> None:
        """Keep an attempt."""
        attempt = found.attempt
        self._done.append(attempt)
        self._finished.add((attempt.problem, attempt.replica))
        self._charged += found.seconds
        self._decoded += attempt.usage.policy.decode
        rate = self._decoded / max(time.perf_counter() - self._began, 1e-9)
        self._progress.advance(1, f"{rate:,.0f} tokens/s")

    def rest(self, unit: tuple[Owed, ...]) -> tuple[Owed, ...] | None:
        """Return the searches of a unit that have not ended."""
        left = [one for one in unit if (one.problem.id, one.replica) not in self._finished]
        return tuple(left) or None

    def commit(self) -> None:
        """Put everything kept on the disk: replies first, so that no attempt lacks its own."""
        self._last = time.perf_counter()
        if self._entries:
            self._journal.append(str(len(self._journal.finished)), self._entries)
            self._entries = []
        if self._done:
            usage = {
                f"{one.problem}/{one.replica}": one.usage.policy + one.usage.prm
                for one in self._done
            }
            records = list(map(attempt_record, self._done))
            seconds, self._charged = self._charged, 0.0
            self._attempts.append(str(len(self._attempts.finished)), records, seconds, usage)
            self._done = []
