"""A small pool of killable worker processes for what may hang: comparing answers by computer
algebra, and the grading code of lm-eval's tasks.

math-verify can hang past its own timeout, take gigabytes and crash; so it runs in processes of its
own (`harness.grading.worker`, started afresh and not forked: the parent may have threads and a
GPU). Each worker has one pair at a time. A pair that is over its limits costs that one worker,
which is killed and replaced, and gets the outcome ``timeout``; no other pair is affected. Nothing
is pickled: both directions are lines of JSON. `harness.grading.lm_eval_worker` is driven the same
way, with jobs of its own.

Covered: hangs, crashes, memory, output on the wrong stream, the parent's sudden death. Not
covered: code execution inside sympy's parser. math-verify lets it parse digits, operators and
brackets only, and the worker has the user's rights; it is no sandbox.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from harness.errors import InfrastructureError
from harness.types import Json

CPU_SECONDS = 5.0
"""CPU time for one pair. CPU time, so that a busy machine changes no verdict; the worker and the
kernel enforce it."""
WALL_SECONDS = 120.0
"""Clock time for one pair: only for a worker that neither computes nor answers."""
START_SECONDS = 120.0
"""Clock time for a worker to import math-verify: half a second on an idle machine."""
MEMORY_BYTES = 2 * 1024**3
"""Address space of one worker; 60 MB are used after the import."""
PAIRS_PER_WORKER = 16
"""A further worker is started only when there are this many pairs for it: its start takes as long
as a few hundred comparisons."""
TRIES = 2
"""A worker that dies without being over a limit may have been killed from outside: once more."""
MAX_FAILED_STARTS = 3
"""So many starts in a row may fail before the machine is held to be at fault."""
TIMEOUT = "timeout"
DIED = "worker died"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to compare. The order counts: math-verify reads the first as the reference."""

    gold: str
    answer: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a pair is equal; None if that was not found out, with the reason."""

    equal: bool | None
    reason: str = ""
    """``timeout``, ``too large`` or ``worker died``; empty otherwise."""


@dataclass(frozen=True, slots=True)
class Script:
    """A worker's program."""

    path: Path
    module: str
    """The library that it works with: what may be missing."""
    memory: int = MEMORY_BYTES


_COMPARE = Script(Path(__file__).with_name("worker.py"), "math_verify")


@dataclass(slots=True, eq=False)
class _Worker:
    """One process, its half-read reply, and what it is working on."""

    process: subprocess.Popen[bytes]
    deadline: float
    """When to kill it; infinite while it is idle."""
    job: int | None = None
    started: bool = False
    received: bytearray = field(default_factory=bytearray)


class Workers:
    """Processes that compare pairs of answers; a context manager that owns them.

    They start with the first pair and live until `close`. Not for use by several threads at once.
    """

    def __init__(
        self,
        count: int | None = None,
        cpu_seconds: float = CPU_SECONDS,
        wall_seconds: float = WALL_SECONDS,
        script: Script = _COMPARE,
    ) -> None:
        self._count = count or _cores()
        self._cpu_seconds = cpu_seconds
        self._wall_seconds = wall_seconds
        self._script = script
        self._workers: list[_Worker] = []
        self._failed_starts = 0

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
        """End all workers. The object can be used again; it then starts new ones."""
        for worker in list(self._workers):
            self._end(worker)

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the live workers."""
        return tuple(worker.process.pid for worker in self._workers)

    def compare(self, pairs: Sequence[Pair]) -> list[Outcome]:
        """Compare all pairs and return their outcomes in the same order; [] for none.

        Raises:
            InfrastructureError: workers cannot be started, or do not come up.
        """
        jobs: list[Json] = [{"gold": pair.gold, "answer": pair.answer} for pair in pairs]
        return [Outcome(reply["equal"], reply["reason"]) for reply in self.ask(jobs)]

    def ask(self, jobs: Sequence[Json]) -> list[dict[str, Any]]:
        """Give each job to a worker and return the replies in the same order; [] for none.

        A job whose worker was killed, or died, is answered by ``{"equal": None, "reason": …}``.

        Raises:
            InfrastructureError: workers cannot be started, or do not come up.
        """
        outcomes: list[dict[str, Any] | None] = [None] * len(jobs)
        owed = list(reversed(range(len(jobs))))
        deaths: Counter[int] = Counter()
        try:
            while owed or any(worker.job is not None for worker in self._workers):
                self._staff(len(owed))
                for worker in self._workers:
                    if worker.started and worker.job is None and owed:
                        self._give(worker, owed.pop(), jobs)
                for job, outcome in self._wait():
                    deaths[job] += outcome["reason"] == DIED
                    if outcome["reason"] == DIED and deaths[job] < TRIES:
                        owed.append(job)
                    else:
                        outcomes[job] = outcome
        except BaseException:
            self.close()  # a reply that nobody waits for must not be taken for the next pair's
            raise
        return [outcome for outcome in outcomes if outcome is not None]

    def _staff(self, owed: int) -> None:
        """Start workers, no more than the pairs are worth."""
        busy = sum(worker.job is not None for worker in self._workers)
        wanted = min(self._count, busy + math.ceil(owed / PAIRS_PER_WORKER))
        while len(self._workers) < wanted:
            limits = [str(self._cpu_seconds), str(self._script.memory)]
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", str(self._script.path), *limits],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C is for the parent, which then ends its workers
                )
            except OSError as error:
                raise InfrastructureError(f"cannot start a grading worker: {error}") from error
            self._workers.append(_Worker(process, time.monotonic() + START_SECONDS))

    def _give(self, worker: _Worker, job: int, jobs: Sequence[Json]) -> None:
        """Hand one job to an idle worker."""
        line = json.dumps(jobs[job]) + "\n"
        worker.job, worker.deadline = job, time.monotonic() + self._wall_seconds
        with contextlib.suppress(BrokenPipeError):  # the dead are found by their output's end
            os.write(_pipe(worker.process.stdin), line.encode("ascii"))

    def _wait(self) -> list[tuple[int, dict[str, Any]]]:
        """Sleep until something happens; return the jobs that are done, with their replies."""
        with selectors.DefaultSelector() as selector:
            for worker in self._workers:
                selector.register(_pipe(worker.process.stdout), selectors.EVENT_READ, worker)
            first = min(worker.deadline for worker in self._workers)
            pause = None if math.isinf(first) else max(0.0, first - time.monotonic())
            heard: list[_Worker] = [key.data for key, _ in selector.select(pause)]
        done = [self._hear(worker) for worker in heard]
        now = time.monotonic()
        done += [
            self._lose(worker, TIMEOUT) for worker in self._workers[:] if worker.deadline < now
        ]
        return [found for found in done if found is not None]

    def _hear(self, worker: _Worker) -> tuple[int, dict[str, Any]] | None:
        """Read what a worker wrote; return its job and the reply once that is whole."""
        chunk = os.read(_pipe(worker.process.stdout), 65536)
        if not chunk:
            killed_by = -worker.process.wait()
            return self._lose(worker, TIMEOUT if killed_by == signal.SIGXCPU else DIED)
        worker.received += chunk
        if not worker.received.endswith(b"\n"):
            return None
        reply = json.loads(worker.received)
        worker.received.clear()
        if "error" in reply:
            module = self._script.module
            raise InfrastructureError(f"a grading worker cannot load {module}: {reply['error']}")
        job, worker.job, worker.deadline = worker.job, None, math.inf
        self._failed_starts, worker.started = 0, True
        return None if job is None else (job, reply)

    def _lose(self, worker: _Worker, reason: str) -> tuple[int, dict[str, Any]] | None:
        """End a worker that is dead or over its time; return what becomes of its job."""
        self._end(worker)
        if not worker.started:
            self._failed_starts += 1
            if self._failed_starts > MAX_FAILED_STARTS:
                raise InfrastructureError(
                    f"grading workers do not start (tried {self._failed_starts} times); "
                    f"see why: {sys.executable} -c 'import {self._script.module}'"
                )
        return None if worker.job is None else (worker.job, {"equal": None, "reason": reason})

    def _end(self, worker: _Worker) -> None:
        """Kill a worker, reap it and close its pipes."""
        self._workers.remove(worker)
        worker.process.kill()
        worker.process.wait()
        for pipe in (worker.process.stdin, worker.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()


def _pipe(pipe: IO[bytes] | None) -> int:
    """Return the file descriptor of a pipe that the process was started with."""
    assert pipe is not None
    return pipe.fileno()


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
