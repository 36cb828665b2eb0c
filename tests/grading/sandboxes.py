"""Sandboxes of tests: one that stays open for the next, and one that gives more time.

Limits are seconds of the machine at hand, recorded verdicts those of faster ones. A test of
verdicts that are not about speed grades what was too slow here once more, with more time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from harness.sandbox.job import Execution, Job

FACTOR = 4.0


class Kept:
    """A sandbox that its user does not close."""

    def __init__(self, sandbox: Any) -> None:
        self._sandbox = sandbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sandbox, name)

    def close(self) -> None:
        """Leave it open for the next test."""


class Patient(Kept):
    """Gives every execution `FACTOR` times its limits of time."""

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        return self._sandbox.run(map(_longer, jobs))  # type: ignore[no-any-return]


def _longer(job: Job) -> Job:
    limits = job.limits
    longer = replace(
        limits,
        cpu=FACTOR * limits.cpu,
        per_call=tuple(FACTOR * seconds for seconds in limits.per_call),
    )
    return replace(job, limits=longer)
