"""Runs many searches at once against one policy and one PRM; counts everything; loses nothing.

Each search is a generator (`harness.search.moves`). The driver sends a request the moment it
exists: to the policy's stream, where rows of all searches share one batch, or to the PRM's queue.
No search waits for another; there are no rounds. The PRM is called when its queue fills a batch, or
when the policy has less than half of its rows to do: small PRM calls waste the device, and so does
a policy that runs empty. An engine in a process of its own writes on while the PRM judges; there
four fifths are the limit, since fewer rows make it slower for as long as the PRM takes.

**Cost** is counted here alone (`harness.search.ledger`), and budgets are checked here before each
request: what is in flight is finished, nothing is sent after. **Seeds** follow from the job's seed
and the request's number within its search, so results do not depend on which problems ran beside it
(exactly, for engines whose numbers do not depend on batches). **Resuming** inside a search is
replaying: replies recorded in the journal are fed to a fresh generator.

**Faults**: a call that raises `InfrastructureError` is tried again; a search whose request failed
`retries` times more ends with `Attempt.failure` and is no wrong answer. When several searches in a
row fail so, the engine is taken for dead, and at once when it cannot be reached: the error is
raised, what was finished is kept.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.digest import canonical
from harness.errors import InfrastructureError
from harness.policies.policy import Policy, Stream
from harness.prms.prm import Prm
from harness.search.ledger import Ledger
from harness.search.moves import Report, Request, Search
from harness.telemetry.telemetry import Telemetry
from harness.types import (
    Agree,
    Agreed,
    Attempt,
    Budget,
    Choice,
    Draft,
    Entry,
    Extend,
    Extended,
    Found,
    Judge,
    Judged,
    Mark,
    Reply,
    Usage,
)

logger = logging.getLogger(__name__)

_HALF, _BUSY = 0.5, 0.8
"""Share of its rows below which the policy waits for the PRM: in this process, and in another."""
_DEAD = 3
"""Searches that fail one after the other, none succeeding between, before the engine is dead."""


@dataclass(frozen=True, slots=True)
class Job:
    """One search to run."""

    problem: str
    start: Callable[[], Search]
    choice: Choice
    replica: int = 0
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    vote_weight: Callable[[float], float] = float
    """From a score to a vote's weight; used where candidates vote."""
    recorded: Sequence[Entry] = ()
    """Replies that an interrupted search had got, in order."""


@dataclass(slots=True)
class Timing:
    """Where the wall-clock seconds of a driver went."""

    policy: float = 0.0
    prm: float = 0.0
    agree: float = 0.0
    total: float = 0.0
    requests: int = 0


@dataclass(slots=True, eq=False)
class _Running:
    """A search under way."""

    job: Job
    search: Search
    ledger: Ledger
    began: float
    number: int = 0
    """Requests answered."""
    request: Request | None = None
    """The one that waits for its reply."""
    failures: int = 0
    """Of that request."""
    since: float = 0.0
    """When it went to the policy, as telemetry counts seconds."""
    found: list[Found] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    notes: dict[str, float] = field(default_factory=dict)


class Driver:
    """Runs searches.

    >>> driver = Driver(policy, prm)                              # doctest: +SKIP
    >>> for attempt in driver.run(jobs): ...                      # doctest: +SKIP
    """

    def __init__(
        self,
        policy: Policy,
        prm: Prm | None = None,
        agree: Callable[[Sequence[Agree]], list[Agreed]] | None = None,
        *,
        read: Callable[[Draft], Draft] | None = None,
        concurrency: int = 64,
        retries: int = 2,
        journal: Callable[[Sequence[Entry]], None] | None = None,
        telemetry: Telemetry | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make a driver.

        Args:
            policy: writes.
            prm: judges; None for methods that ask for no judgement.
            agree: sorts finished drafts by answer, for methods that ask for it.
            read: cuts a draft the way the PRM is to read it; None: as the search cut it.
            concurrency: searches under way at once.
            retries: of a request that the infrastructure failed.
            journal: is given the replies of each call of an engine before any search sees them.
            telemetry: hears of calls, requests, tokens and operations; replayed replies are none.
            clock: seconds, for tests.
        """
        self.timing = Timing()
        self._policy, self._prm, self._agree = policy, prm, agree
        self._read = read
        self._concurrency, self._retries = max(1, concurrency), retries
        self._journal, self._clock = journal, clock
        self._telemetry = telemetry or Telemetry()
        self._names = policy.spec.name, prm.spec.name if prm is not None else ""
        self._dead = 0

    def run(self, jobs: Iterable[Job]) -> Iterator[Attempt]:
        """Yield attempts as they end.

        Raises:
            InfrastructureError: an engine that is dead.
            LimitReached: between two calls of engines; what was submitted is dropped.
        """
        for event in self.events(jobs):
            if isinstance(event, Attempt):
                yield event
            elif self._journal is not None:
                self._journal(event)

    def events(self, jobs: Iterable[Job]) -> Iterator[Attempt | list[Entry]]:
        """Yield attempts as `run` does and, before any search sees them, the replies of each call
        of an engine."""
        start = self._clock()
        stream = self._policy.stream()
        self._telemetry.opened(stream)
        if self._prm is not None:
            self._prm.remember(True)
        try:
            yield from self._run(iter(jobs), stream)
        finally:
            self.timing.total += self._clock() - start
            self._telemetry.closed()
            stream.close()
            if self._prm is not None:
                self._prm.remember(False)

    def _run(self, jobs: Iterator[Job], stream: Stream) -> Iterator[Attempt | list[Entry]]:
        writing: dict[int, _Running] = {}
        queues: dict[type, deque[_Running]] = {Judge: deque(), Agree: deque()}
        ticket = 0
        under_way = 0
        ready: list[_Running] = []
        more = True
        while True:
            while more and under_way < self._concurrency:
                job = next(jobs, None)
                if job is None:
                    more = False
                    break
                running, attempt = self._begin(job)
                if attempt is not None:
                    yield attempt
                    continue
                under_way += 1
                ready.append(running)
            for running in sorted(ready, key=_length):
                if isinstance(running.request, Extend):
                    ticket += 1
                    writing[ticket] = running
                    seeded, start = self._seeded(running), self._clock()
                    stream.submit(ticket, seeded)
                    running.since = self._telemetry.submitted(len(seeded.drafts))
                    self.timing.policy += self._clock() - start
                else:
                    queues[type(running.request)].append(running)
            ready.clear()
            if not (writing or queues[Judge] or queues[Agree]):
                if not more:
                    return
                continue
            self._telemetry.check()
            if queues[Agree]:
                answered = self._compare(queues[Agree])
            elif self._judge_now(queues[Judge], stream):
                answered = self._judge(queues[Judge])
            else:
                answered = self._write(stream, writing)
            if entries := self._note(answered):
                yield entries
            for running, reply in answered:
                before = running.ledger.spent.flops
                attempt = self._advance(running, reply)
                self._telemetry.spent(running.ledger.spent.flops - before)
                if attempt is None:
                    ready.append(running)
                    continue
                under_way -= 1
                yield attempt

    def _judge_now(self, queue: deque[_Running], stream: Stream) -> bool:
        """Whether it is the PRM's turn; see the module."""
        if not queue:
            return False
        waiting = sum(len(r.request.drafts) for r in queue if isinstance(r.request, Judge))
        assert self._prm is not None
        limit = _BUSY if stream.works_on else _HALF
        most = stream.at_once or self._policy.unit_rows
        return waiting >= self._prm.unit_rows or stream.rows < limit * min(
            most, waiting + stream.rows
        )

    # --- calls of engines; each returns (search, reply), an exception as reply of a failed one ---

    def _write(
        self, stream: Stream, writing: dict[int, _Running]
    ) -> list[tuple[_Running, Reply | InfrastructureError]]:
        start = self._clock()
        try:
            with self._telemetry.span("policy", self._names[0], "write"):
                done = stream.collect()
        except InfrastructureError as error:
            failed = [(running, error) for running in writing.values()]
            writing.clear()
            self._telemetry.dropped()
            return list(failed)
        finally:
            self.timing.policy += self._clock() - start
        return [(writing.pop(ticket), reply) for ticket, reply in done]

    def _judge(self, queue: deque[_Running]) -> list[tuple[_Running, Reply | InfrastructureError]]:
        assert self._prm is not None
        asked = list(queue)
        queue.clear()
        requests = [self._as_read(r.request) for r in asked if isinstance(r.request, Judge)]
        start = self._clock()
        try:
            with self._telemetry.span("PRM", self._names[1], "judge"):
                return list(zip(asked, self._prm.judge(requests), strict=True))
        except InfrastructureError as error:
            return [(running, error) for running in asked]
        finally:
            self.timing.prm += self._clock() - start

    def _compare(
        self, queue: deque[_Running]
    ) -> list[tuple[_Running, Reply | InfrastructureError]]:
        if self._agree is None:
            raise ValueError("a search asks for classes of answers and nobody gives them")
        asked = list(queue)
        queue.clear()
        start = self._clock()
        try:
            requests = [r.request for r in asked if isinstance(r.request, Agree)]
            with self._telemetry.span("grader", "agreement", "compare"):
                return list(zip(asked, self._agree(requests), strict=True))
        except InfrastructureError as error:
            return [(running, error) for running in asked]
        finally:
            self.timing.agree += self._clock() - start

    def _seeded(self, running: _Running) -> Extend:
        """Return the request with the seed of its place in the search."""
        assert isinstance(running.request, Extend)
        place = [running.job.seed, running.job.replica, running.number]
        seed = int.from_bytes(hashlib.sha256(canonical(place)).digest()[:7], "little")
        return replace(running.request, sampling=replace(running.request.sampling, seed=seed))

    def _as_read(self, request: Judge) -> Judge:
        if self._read is None:
            return request
        return replace(request, drafts=tuple(self._read(draft) for draft in request.drafts))

    # --- one search ---

    def _begin(self, job: Job) -> tuple[_Running, Attempt | None]:
        """Start a search and feed it what it had got before."""
        prm = self._prm
        ledger = Ledger(
            self._policy.architecture,
            prm.architecture if prm is not None else None,
            pairs=prm is not None and prm.covers == "pair",
        )
        running = _Running(job, job.start(), ledger, self._clock())
        attempt = self._step(running, None)
        for entry in job.recorded:
            if attempt is not None:
                break
            running.began = self._clock() - entry.seconds
            attempt = self._advance(running, entry.reply)
        return running, attempt

    def _note(
        self, answered: Sequence[tuple[_Running, Reply | InfrastructureError]]
    ) -> list[Entry]:
        """Return the replies that are good, to be written down before they are used."""
        now = self._clock()
        good = [(r, reply) for r, reply in answered if not isinstance(reply, InfrastructureError)]
        self.timing.requests += len(good)
        for running, reply in good:
            if isinstance(reply, Extended):
                request = running.request
                drafts = len(request.drafts) if isinstance(request, Extend) else 0
                name, what, since = self._names[0], running.job.problem, running.since
                self._telemetry.wrote(name, what, drafts, since, reply.tokens)
            elif isinstance(reply, Judged):
                self._telemetry.judged(reply.tokens)
        if good:
            self._dead = 0
        return [
            Entry(r.job.problem, r.job.replica, r.number, reply, now - r.began) for r, reply in good
        ]

    def _advance(self, running: _Running, reply: Reply | InfrastructureError) -> Attempt | None:
        """Give a search its reply; return its attempt if that ends it."""
        if isinstance(reply, InfrastructureError):
            return self._failed(running, reply)
        running.failures = 0
        running.number += 1
        request = running.request
        if isinstance(request, Extend) and isinstance(reply, Extended):
            running.ledger.extended(request, reply)
        elif isinstance(request, Judge) and isinstance(reply, Judged):
            running.ledger.judged(request, reply)
        elif isinstance(request, Agree) and isinstance(reply, Agreed):
            running.ledger.ran(reply.executions)
        else:
            raise ValueError(f"{type(reply).__name__} is no reply to {type(request).__name__}")
        return self._step(running, reply)

    def _step(self, running: _Running, reply: Reply | None) -> Attempt | None:
        """Let a search go on to its next request; note what it reports on the way."""
        try:
            request = running.search.send(reply)
            while isinstance(request, Report):
                self._report(running, request)
                request = running.search.send(None)
        except StopIteration:
            return self._attempt(running)
        if self._spent(running):
            running.search.close()
            return self._attempt(running)
        running.request = request
        return None

    def _report(self, running: _Running, given: Report) -> None:
        weigh = running.job.vote_weight if running.job.choice == "vote" else float
        running.found.extend(
            replace(one, weight=1.0 if running.job.choice == "majority" else weigh(one.weight))
            for one in given.found
        )
        running.notes.update(given.notes)
        if given.found or given.ballot is not None:
            usage = self._usage(running)
            running.marks.append(Mark(len(running.found), usage, given.ballot))

    def _spent(self, running: _Running) -> bool:
        """Whether the budget is used up."""
        budget, usage = running.job.budget, self._usage(running)
        limits = (
            (budget.policy_tokens, usage.policy.decode),
            (budget.flops, usage.flops),
            (budget.seconds, usage.seconds),
        )
        return any(limit is not None and used >= limit for limit, used in limits)

    def _usage(self, running: _Running) -> Usage:
        return replace(running.ledger.spent, seconds=self._clock() - running.began)

    def _failed(self, running: _Running, error: InfrastructureError) -> Attempt | None:
        """Try again, or give the search up."""
        running.failures += 1
        if error.away:
            raise error
        if running.failures <= self._retries:
            logger.warning("%s: %s; trying again", running.job.problem, error)
            return None
        self._dead += 1
        if self._dead >= _DEAD:
            raise error
        logger.error("%s: %s; given up", running.job.problem, error)
        running.search.close()
        return self._attempt(running, str(error))

    def _attempt(self, running: _Running, failure: str = "") -> Attempt:
        return Attempt(
            problem=running.job.problem,
            replica=running.job.replica,
            choice=running.job.choice,
            found=tuple(running.found),
            marks=tuple(running.marks),
            usage=self._usage(running),
            failure=failure,
            notes=dict(running.notes),
        )


def _length(running: _Running) -> int:
    """Return how long a text goes to the policy: like ones side by side leave little padding."""
    request = running.request
    if not isinstance(request, Extend) or not request.drafts:
        return 0
    return len(request.question.prompt) + sum(map(len, request.drafts[0].steps))
