"""Grades a file of samples of HumanEval+ or MBPP+ as ``evalplus.evaluate`` does.

A row has ``task_id`` and either ``solution`` (a whole program) or ``completion`` (what follows the
prompt); nothing is cut out of it. A task may have many samples. A sample solves a task of
HumanEval+ if base and plus both pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.errors import DataError
from harness.grading.code import CodeGrader
from harness.grading.verdicts import CodeResult, Outcome
from harness.types import Json, Problem

PASS, FAIL, UNGRADED = "pass", "fail", "ungraded"


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What became of one sample."""

    task_id: str
    index: int
    """Its place among the samples of its task, from 0."""
    solution: str
    """The program that ran."""
    result: CodeResult

    @property
    def base_status(self) -> str:
        """``pass`` or ``fail``; ``ungraded`` if the sandbox failed."""
        return _status(self.result.base)

    @property
    def plus_status(self) -> str:
        """``pass`` or ``fail``; ``ungraded`` if the sandbox failed."""
        return _status(self.result.plus)

    def row(self) -> dict[str, Json]:
        """As one line of a results file: evalplus' fields, then ours."""
        return {
            "task_id": self.task_id,
            "index": self.index,
            "solution": self.solution,
            "base_status": self.base_status,
            "plus_status": self.plus_status,
            "verdict": self.result.word,
            "base": _details(self.result.base),
            "plus": _details(self.result.plus),
        }


def grade_samples(
    rows: Iterable[Mapping[str, Json]],
    problems: Sequence[Problem],
    grader: CodeGrader,
) -> Iterator[SampleResult]:
    """Grade samples and yield their results in the order of the rows; both suites always run.

    Args:
        rows: of the samples file; drawn in batches, never held whole.
        problems: of the task, with EvalPlus' references; samples of others are passed over.
        grader: what runs them.

    Raises:
        DataError: a row without a task id or a program; the message counts rows from 1.
        InfrastructureError: no sandbox can be started.
    """
    known = {problem.id: problem for problem in problems}
    drawn: deque[tuple[str, int, str]] = deque()
    counts: dict[str, int] = {}

    def programs() -> Iterator[tuple[Problem, str]]:
        for number, row in enumerate(rows, 1):
            name, code = _sample(row, number, known)
            if name not in known:
                continue
            counts[name] = counts.get(name, -1) + 1
            drawn.append((name, counts[name], code))
            yield known[name], code

    for result in grader.results(programs(), both=True):
        yield SampleResult(*drawn.popleft(), result)


def _sample(row: Mapping[str, Json], number: int, known: Mapping[str, Problem]) -> tuple[str, str]:
    """Return task id and program of a row; the prompt comes before a completion."""
    name, code = row.get("task_id"), row.get("solution")
    if not isinstance(name, str):
        raise DataError(f"sample {number}: no task_id")
    if isinstance(code, str):
        return name, code
    completion = row.get("completion")
    if not isinstance(completion, str):
        raise DataError(f"sample {number} ({name}): neither a solution nor a completion")
    reference = known[name].reference if name in known else None
    prompt = reference.get("prompt") if isinstance(reference, dict) else ""
    return name, f"{prompt}{completion}"


def _status(outcome: Outcome | None) -> str:
    if outcome is None or outcome.word == "sandbox_error":
        return UNGRADED
    return PASS if outcome.passed else FAIL


def _details(outcome: Outcome | None) -> Json:
    if outcome is None:
        return None
    return {"verdict": outcome.word, "test": outcome.index, "preview": outcome.preview}
