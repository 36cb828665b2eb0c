"""Which grader a kind of problem gets: one protocol, one factory.

Mathematics is graded by `harness.grading.math`, code by `harness.grading.code` in a sandbox, tasks
of lm-eval by lm-eval (`harness.grading.lm_eval`).
Problems of kind ``steps`` have no grader: a PRM's first wrong step is compared with the label by
the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from harness.errors import ConfigError
from harness.grading.code import CodeGrader
from harness.grading.lm_eval import LmEvalGrader
from harness.grading.math import MathGrader
from harness.grading.references import cache_folder
from harness.sandbox.choice import SandboxChoice
from harness.types import GIVEN_KINDS, Grade, Json, Kind, Problem


class Grader(Protocol):
    """Says which solutions are right, and which of them give the same answer."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def identity(self) -> dict[str, Json]:
        """Everything that decides its grades; part of the digest of a grades file."""
        ...

    def close(self) -> None:
        """Give back what the grader holds (processes); it may be used again."""
        ...

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Grade]:
        """Grade one solution text per problem, in order, each by itself: no answer classes."""
        ...

    def agreement(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[int]]:
        """Return the answer class of every text of each problem, -1 for none, by what a solver may
        see: the reference is not used."""
        ...

    def grade_pool(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[Grade]]:
        """Grade every candidate text of each problem; each grade has its `answer_class`."""
        ...


def grader_for(
    kind: Kind,
    workers: int | None = None,
    sandbox: SandboxChoice | None = None,
    include: Sequence[str] = (),
) -> Grader:
    """Return a new grader for problems of `kind`.

    Processes start with the first problem; without a sandbox that works, grading code raises
    then.

    Args:
        kind: of the problems.
        workers: processes; None is one per core.
        sandbox: where programs run; None is the best that works on this machine.
        include: folders in which tasks of lm-eval may stand, besides its own.

    Raises:
        ConfigError: kinds ``steps`` and ``preference``, which have no grader.
    """
    if kind == "math":
        return MathGrader(workers)
    if kind == "lm_eval":
        return LmEvalGrader(include, workers)
    if kind in GIVEN_KINDS:
        raise ConfigError(
            f"problems of kind {kind!r} have no grader: their solutions come with the answer, and "
            "a PRM is measured on them"
        )
    choice = sandbox or SandboxChoice()
    return CodeGrader(lambda: choice.open(workers), cache=cache_folder())
