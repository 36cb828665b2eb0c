"""Runs many checks at once on one sandbox, so that no worker waits for another's check."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, Protocol

from harness.grading.verdicts import Result, Steps
from harness.sandbox.job import Execution, Job

_LONG = 16
"""A check is long if it takes one part in so many of what all take."""


class Runs(Protocol):
    """What runs jobs: a sandbox, or something before one."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        """Yield one execution per job, in their order."""
        ...


def stream(sandbox: Runs, checks: Iterable[Steps[Result]]) -> Iterator[Result]:
    """Run the checks and yield their results in order.

    A check is drawn when a worker is free and no check that has begun has a job to give, so a lazy
    iterable is never held whole, and few checks are under way at any time.

    Raises:
        InfrastructureError: the sandbox does not start.
    """
    return _Stream(sandbox, checks).results()


def longest_first(seconds: Sequence[float]) -> list[int]:
    """Return an order for checks that take so long: the few long ones first, the longest before the
    others, so that none is begun when the other workers are about to run dry. The rest stay as
    they are, and their results come as they would."""
    whole = sum(seconds)
    long = [i for i, own in enumerate(seconds) if own * _LONG > whole]
    rest = set(range(len(seconds))).difference(long)
    return [*sorted(long, key=lambda i: -seconds[i]), *sorted(rest)]


def in_place(order: Sequence[int], results: Iterable[Result]) -> Iterator[Result]:
    """Yield results that come in an order in the places that it names, from 0."""
    early: dict[int, Result] = {}
    place = 0
    for i, result in zip(order, results, strict=True):
        early[i] = result
        while place in early:
            yield early.pop(place)
            place += 1


class _Check(Generic[Result]):
    """A check that has begun: its next job, or its result."""

    def __init__(self, steps: Steps[Result]) -> None:
        self._steps = steps
        self.job: Job | None = None
        self.found: list[Result] = []
        self.advance(None)

    def advance(self, execution: Execution | None) -> None:
        try:
            self.job = next(self._steps) if execution is None else self._steps.send(execution)
        except StopIteration as stop:
            self.job = None
            self.found = [stop.value]


class _Stream(Generic[Result]):
    def __init__(self, sandbox: Runs, checks: Iterable[Steps[Result]]) -> None:
        self._sandbox = sandbox
        self._checks = iter(checks)
        self._begun: deque[_Check[Result]] = deque()  # in the order of the results
        self._ready: deque[_Check[Result]] = deque()  # with a job that no worker has yet
        self._running: deque[_Check[Result]] = deque()  # in the order of the executions

    def results(self) -> Iterator[Result]:
        """Yield the results in order."""
        while True:
            # `_jobs` ends when every check that has begun waits for an execution and none is
            # left; what those executions lead to runs in a next round.
            for execution in self._sandbox.run(self._jobs()):
                check = self._running.popleft()
                check.advance(execution)
                if check.job is not None:
                    self._ready.append(check)
                yield from self._finished()
            yield from self._finished()
            if not self._ready:
                return

    def _jobs(self) -> Iterator[Job]:
        while True:
            check = self._ready.popleft() if self._ready else self._begin()
            if check is None:
                return
            if check.job is not None:
                self._running.append(check)
                yield check.job

    def _begin(self) -> _Check[Result] | None:
        for steps in self._checks:
            check = _Check(steps)
            self._begun.append(check)
            return check
        return None

    def _finished(self) -> Iterator[Result]:
        while self._begun and self._begun[0].found:
            yield self._begun.popleft().found[0]
