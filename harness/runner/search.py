"""Run a search on every problem that is owed, through the driver, and write down what it found."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from harness.errors import LimitReached
from harness.grading import Grader, grader_for
from harness.runner.grade import grade_search
from harness.runner.progress import Progress
from harness.runner.search_plan import SearchPlan
from harness.sandbox.choice import SandboxChoice
from harness.search.driver import Driver, Job
from harness.store.format import RunFolder
from harness.store.log import LogWriter, Record
from harness.store.searches import SearchFolder, attempt_record, entry_record
from harness.telemetry.telemetry import Telemetry
from harness.types import Agree, Agreed, Attempt, Budget, Draft, Entry, Problem

logger = logging.getLogger(__name__)

_COMMIT = 1.0
"""Seconds between commits of the journal: what a kill can cost, besides requests in flight."""


def run_searches(
    plans: Sequence[SearchPlan],
    run: RunFolder,
    progress: Progress,
    telemetry: Telemetry,
    workers: int | None = None,
    sandbox: SandboxChoice | None = None,
    include: Sequence[str] = (),
) -> None:
    """Search and grade what is owed, one pair of policy and PRM in memory at a time.

    Raises:
        LimitReached: after the reply to a request, which is kept.
    """
    for _, pair in itertools.groupby(plans, key=lambda p: (id(p.policy), id(p.prm))):
        own = list(pair)
        for plan in own:
            _search(plan, plan.entry.folder(run), progress, telemetry, workers, sandbox, include)
        own[0].policy.close()
        if own[0].prm:
            own[0].prm.close()
    graded = [plan for plan in plans if not plan.alone]
    for kind in dict.fromkeys(plan.task.kind for plan in graded):
        with grader_for(kind, workers, sandbox, include) as grader:
            for plan in graded:
                if plan.task.kind == kind:
                    folder = plan.entry.folder(run)
                    grade_search(folder, plan.problems, grader, progress, telemetry)


def _search(
    plan: SearchPlan,
    folder: SearchFolder,
    progress: Progress,
    telemetry: Telemetry,
    workers: int | None,
    sandbox: SandboxChoice | None,
    include: Sequence[str],
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
            with (
                LogWriter(folder.journal, plan.header) as journal,
                _Agreement(plan, workers, sandbox, include) as agree,
            ):
                book = _Book(attempts, journal, progress)
                driver = Driver(
                    plan.policy,
                    plan.prm,
                    agree,
                    read=_reader(plan),
                    concurrency=1 if plan.alone else plan.config.concurrency,
                    journal=book.note,
                    telemetry=telemetry,
                )
                if plan.alone:  # what loads at first use, a sandbox too, is nobody's latency
                    list(Driver(plan.policy, plan.prm, agree).run(_jobs(plan, owed[:1], {})))
                try:
                    for attempt in driver.run(_jobs(plan, owed, recorded)):
                        book.finish(attempt)
                except LimitReached:
                    book.commit()
                    raise
                book.commit()
        folder.drop_journal()
        progress.finish()


def _label(plan: SearchPlan) -> str:
    parts = ["time" if plan.alone else "search", f"{plan.spec.name} n={plan.n}"]
    return " · ".join([*parts, *filter(None, [plan.prm_name]), plan.task.name])


def _owed(attempt: Attempt | None) -> bool:
    return attempt is None or bool(attempt.failure)


def _reader(plan: SearchPlan) -> Callable[[Draft], Draft]:
    """Return how drafts are cut for the PRM: by the task's rule, as everywhere else."""

    def read(draft: Draft) -> Draft:
        steps = tuple(plan.task.steps.cut(draft.text))
        return Draft(steps, draft.finish, draft.tokens)

    return read


def _jobs(
    plan: SearchPlan,
    owed: Sequence[tuple[Problem, int]],
    recorded: Mapping[tuple[str, int], Sequence[Entry]],
) -> Iterator[Job]:
    config = plan.config
    budget = Budget(config.policy_tokens, config.flops, config.seconds)
    for problem, replica in owed:
        yield Job(
            problem.id,
            lambda problem=problem, replica=replica: plan.spec.search(  # type: ignore[misc]
                plan.setting(problem, replica)
            ),
            plan.choice,
            replica,
            plan.seed,
            budget,
            plan.vote_weight,
            recorded.get((problem.id, replica), ()),
        )


class _Book:
    """Writes replies and attempts down, several at a time: two syncs of the disk for each would
    cost more than a small model's work."""

    def __init__(self, attempts: LogWriter, journal: LogWriter, progress: Progress) -> None:
        self._attempts, self._journal, self._progress = attempts, journal, progress
        self._entries: list[Record] = []
        self._done: list[Attempt] = []
        self._last = self._charged = time.perf_counter()

    def note(self, entries: Sequence[Entry]) -> None:
        """Keep replies; see `Driver`."""
        self._entries.extend(map(entry_record, entries))
        if time.perf_counter() - self._last > _COMMIT:
            self.commit()

    def finish(self, attempt: Attempt) -> None:
        """Keep an attempt."""
        self._done.append(attempt)
        self._progress.advance(1)

    def commit(self) -> None:
        """Put everything kept on the disk: replies first, so that no attempt lacks its own."""
        now = self._last = time.perf_counter()
        if self._entries:
            self._journal.append(str(len(self._journal.finished)), self._entries)
            self._entries = []
        if self._done:
            usage = {
                f"{one.problem}/{one.replica}": one.usage.policy + one.usage.prm
                for one in self._done
            }
            records = list(map(attempt_record, self._done))
            seconds, self._charged = now - self._charged, now
            self._attempts.append(str(len(self._attempts.finished)), records, seconds, usage)
            self._done = []


class _Agreement:
    """Sorts drafts by answer for methods that ask; the grader is opened with the first question."""

    def __init__(
        self,
        plan: SearchPlan,
        workers: int | None,
        sandbox: SandboxChoice | None,
        include: Sequence[str],
    ) -> None:
        self._kind = plan.task.kind
        self._how = workers, sandbox, include
        self._problems = {problem.id: problem for problem in plan.problems}
        self._grader: Grader | None = None

    def __enter__(self) -> _Agreement:
        return self

    def __exit__(self, *_: object) -> None:
        if self._grader is not None:
            self._grader.close()

    def __call__(self, requests: Sequence[Agree]) -> list[Agreed]:
        """Answer; programs run once each, on public inputs."""
        if self._grader is None:
            self._grader = grader_for(self._kind, *self._how)
        pool = [
            (self._problems[request.question.id], [draft.text for draft in request.drafts])
            for request in requests
        ]
        runs = self._kind.startswith("code")
        return [
            Agreed(tuple(classes), len(classes) if runs else 0)
            for classes in self._grader.agreement(pool)
        ]
