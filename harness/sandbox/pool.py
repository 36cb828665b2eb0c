"""Runs jobs on a few workers, in order and lazily, and forgives the machine but not the code.

What the code did is its execution's end; what happened to the sandbox itself (a worker killed from
outside, say) costs one of three tries. Workers are replaced after many runs, or when anything was
left behind. Nothing here believes what an execution wrote, beyond that it is what it answered.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from harness.errors import InfrastructureError
from harness.sandbox import selftest
from harness.sandbox.job import Execution, Job, Observer, Program
from harness.sandbox.outcome import Done, execution
from harness.sandbox.plan import Preload, numpy_folders
from harness.sandbox.worker import Event, Gone, Ready
from harness.types import Json

TRIES = 3
MAX_FAILED_STARTS = 3
"""So many starts in a row may fail before the machine is held to be at fault."""
RUNS = 2000
"""Executions after which a worker is replaced: nothing is known to grow, nothing shall."""
AHEAD = 128
"""Jobs per worker that may be drawn before the oldest is yielded, so that one slow execution does
not keep the other workers waiting."""


class AnyWorker(Protocol):
    """What the pool needs of a worker, isolated by whatever means."""

    preload: Preload
    deadline: float
    runs: int

    @property
    def pid(self) -> int | None:
        """Its process id on this machine, None while or where it is not known."""
        ...

    def fileno(self) -> int:
        """The descriptor that becomes readable when it says something or ends."""
        ...

    def give(self, seq: int, job: Job) -> None:
        """Hand it a job; it is idle."""
        ...

    def hear(self) -> Event:
        """Read what it said."""
        ...

    def close(self) -> None:
        """End it and all that runs in it."""
        ...


@dataclass(slots=True, eq=False)
class _Task:
    """A job on its way."""

    index: int
    job: Job
    losses: int = 0


@dataclass(slots=True, eq=False)
class _Slot:
    """A worker and what it does: nothing (`task` None), or first of all its self-test."""

    worker: AnyWorker
    task: _Task | None
    tested: bool
    number: int
    """Of the worker; the lowest that is free."""
    seq: int = 0
    since: float = 0.0
    """When it was given its job, by the observer's clock."""


class Pool:
    """A sandbox of several workers; see `harness.sandbox.job.Sandbox`."""

    def __init__(
        self,
        name: str,
        start: Callable[[Preload], AnyWorker],
        workers: int | None = None,
        test: Program | None = selftest.JOB,
        facts: dict[str, Json] | None = None,
        layers: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self._start = start
        self._count = workers or cores()
        self._test = test
        self._slots: list[_Slot] = []
        self._failed_starts = 0
        self._seq = 0
        self._running = False
        self._ready: Ready | None = None
        self._facts = facts or {}
        self._layers = layers
        self.observer: Observer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers; they start again with the next job."""
        while self._slots:
            self._slots.pop().worker.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the live workers."""
        return tuple(slot.worker.pid for slot in self._slots if slot.worker.pid is not None)

    def describe(self) -> dict[str, Json]:
        """Backend, layers of isolation, workers, and once one runs its Python: for provenance."""
        layers: list[Json] = list(self._ready.layers if self._ready else self._layers)
        facts: dict[str, Json] = {"backend": self.name, "layers": layers, "workers": self._count}
        python: dict[str, Json] = {"python": self._ready.python} if self._ready else {}
        return {**facts, **python, **self._facts}

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        """Run jobs and yield their executions in order.

        Raises:
            InfrastructureError: workers do not start at all.
        """
        if self._running:
            raise RuntimeError("this sandbox is running other jobs; finish or close that run first")
        self._running = True
        source = enumerate(jobs)
        waiting: deque[_Task] = deque()
        done: dict[int, Execution] = {}
        drawn = yielded = 0
        more = True
        try:
            while True:
                while more and not waiting and drawn - yielded < AHEAD * self._count:
                    try:
                        index, job = next(source)
                    except StopIteration:
                        more = False
                        break
                    waiting.append(_Task(index, job))
                    drawn += 1
                    self._dispatch(waiting)
                self._dispatch(waiting)
                while yielded in done:
                    yielded += 1
                    yield done.pop(yielded - 1)
                if not more and yielded == drawn:
                    return
                if yielded not in done:
                    self._wait(waiting, done)
        finally:
            self._running = False
            # Whoever stops listening (or Ctrl-C) leaves no job running that nobody waits for.
            for slot in [slot for slot in self._slots if slot.task is not None]:
                self._end(slot)

    def _dispatch(self, waiting: deque[_Task]) -> None:
        """Give waiting jobs to idle workers, starting workers as needed."""
        while waiting and sum(slot.task is not None for slot in self._slots) < self._count:
            task = waiting.popleft()
            kind = preload(task.job)
            idle = [s for s in self._slots if s.task is None and s.worker.preload == kind]
            if idle:
                idle[0].task = task
                self._give(idle[0])
            else:
                taken = {slot.number for slot in self._slots}
                number = next(i for i in range(len(taken) + 1) if i not in taken)
                self._slots.append(_Slot(self._start(kind), task, self._test is None, number))

    def _give(self, slot: _Slot) -> None:
        """Send a slot its job, or the self-test before the first."""
        self._seq += 1
        slot.seq = self._seq
        if self.observer is not None:
            slot.since = self.observer.now()
        slot.worker.give(slot.seq, self._job(slot))

    def _job(self, slot: _Slot) -> Job:
        """Return what a busy slot executes: its job, or the self-test before the first."""
        assert slot.task is not None
        return slot.task.job if slot.tested or self._test is None else self._test

    def _wait(self, waiting: deque[_Task], done: dict[int, Execution]) -> None:
        """Sleep until a worker says something, and take it in; at least one is busy."""
        busy = [slot for slot in self._slots if slot.task is not None]
        poll = select.poll()
        by_file = {slot.worker.fileno(): slot for slot in busy}
        for file in by_file:
            poll.register(file, select.POLLIN | select.POLLHUP)
        first = min((slot.worker.deadline for slot in busy), default=time.monotonic())
        pause = max(0.0, first - time.monotonic()) if first != float("inf") else 3600.0
        for file, _ in poll.poll(pause * 1000 + 1):
            self._take(by_file[file], by_file[file].worker.hear(), waiting, done)
        now = time.monotonic()
        for slot in busy:
            if slot in self._slots and slot.task is not None and slot.worker.deadline < now:
                self._take(slot, Gone("the worker is silent"), waiting, done)

    def _take(
        self, slot: _Slot, event: Event, waiting: deque[_Task], done: dict[int, Execution]
    ) -> None:
        """Take in one event of a busy worker."""
        if isinstance(event, Ready):
            self._ready, self._failed_starts = event, 0
            self._give(slot)
        elif isinstance(event, Gone):
            self._lose(slot, event.why, waiting, done)
        elif event is not None:
            self._finish(slot, event, waiting, done)

    def _finish(
        self, slot: _Slot, event: Done, waiting: deque[_Task], done: dict[int, Execution]
    ) -> None:
        """Take in the end of an execution."""
        task = slot.task
        assert task is not None
        if event.seq != slot.seq:
            return self._lose(slot, "the worker answers another job", waiting, done)
        found = execution(self._job(slot), event)
        self._tell(slot, "program" if slot.tested else "self-test")
        if not slot.tested:
            why = selftest.failure(found)
            if why:
                raise InfrastructureError(f"the sandbox is not tight, nothing was run: {why}")
            slot.tested = True
            return self._give(slot)
        if found is None:
            return self._lose(slot, "killed from outside", waiting, done)
        slot.task = None
        done[task.index] = found
        if event.dirty or slot.worker.runs >= RUNS:
            self._end(slot)

    def _lose(
        self, slot: _Slot, why: str, waiting: deque[_Task], done: dict[int, Execution]
    ) -> None:
        """End a worker that failed; its job is tried again, a few times."""
        starting = slot.seq == 0
        if not starting:
            self._tell(slot, "lost")
        task, slot.task = slot.task, None
        self._end(slot)
        assert task is not None
        if starting:
            self._failed_starts += 1
            if self._failed_starts >= MAX_FAILED_STARTS:
                raise InfrastructureError(f"sandbox workers ({self.name}) do not start: {why}")
        else:
            task.losses += 1
        if task.losses < TRIES:
            waiting.appendleft(task)
        else:
            done[task.index] = Execution("sandbox_error", reason=f"{why}, {TRIES} times")

    def _tell(self, slot: _Slot, what: str) -> None:
        """Tell the observer that a worker has done something."""
        if self.observer is not None:
            self.observer.ran(slot.number, what, slot.since)
            slot.since = self.observer.now()

    def _end(self, slot: _Slot) -> None:
        """End a worker."""
        self._slots.remove(slot)
        slot.worker.close()


def preload(job: Job) -> Preload:
    """Return the kind of worker that a job needs."""
    if "numpy" not in job.code or not numpy_folders():
        return "lean"
    return "numpy"


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
