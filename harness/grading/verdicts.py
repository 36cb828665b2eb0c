"""What the tests of a problem say about one program: plain records, and how they become a grade."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, TypeVar

from harness.sandbox.job import Execution, Job
from harness.types import Verdict

Word = Literal[
    "passed",
    "wrong_answer",
    "runtime_error",
    "timeout",
    "memory_limit",
    "output_limit",
    "compile_error",
    "sandbox_violation",
    "sandbox_error",
]
"""What became of a program. Only ``sandbox_error`` says nothing about it."""

Result = TypeVar("Result")
Steps: TypeAlias = Generator[Job, Execution, Result]
"""A check as a generator: it yields jobs one at a time, is sent their executions, and returns its
result. So it knows no sandbox, and `harness.grading.stream` runs many of them at once."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one suite of tests, run in one go, says about a program."""

    word: Word
    index: int | None = None
    """The first test that failed, from 0; None if all passed or the program never got to a test."""
    preview: str = ""
    """What it gave there: a value, an exception or the sandbox's reason, at most 300 characters."""

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return self.word == "passed"


@dataclass(frozen=True, slots=True)
class CodeResult:
    """What the tests of a problem say about one program."""

    base: Outcome
    """Of the tests; of HumanEval+ and MBPP+ those of the original data set."""
    plus: Outcome | None = None
    """Of EvalPlus' additional tests; None if there are none, or they were not needed."""

    @property
    def word(self) -> Word:
        """The first certain failure; without one ``sandbox_error`` if a suite was lost."""
        outcomes = [self.base] + ([self.plus] if self.plus else [])
        words = [outcome.word for outcome in outcomes if not outcome.passed]
        certain = [word for word in words if word != "sandbox_error"]
        return next(iter(certain or words), "passed")

    @property
    def verdict(self) -> Verdict:
        """Correct, wrong, or ungraded where the sandbox failed."""
        if self.word == "sandbox_error":
            return "ungraded"
        return "correct" if self.word == "passed" else "wrong"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a program gives on the public inputs of its problem."""

    key: str
    """Equal for equal behaviour."""
    shown: str
    """The first few outputs, for people."""


class Tests(Protocol):
    """The tests of one problem."""

    def prepare(self) -> Steps[float]:
        """Run what must be known before any candidate: the reference solution. Return the CPU
        seconds that it needs for the tests, 0 where none runs."""
        ...

    def check(self, code: str, *, both: bool = False) -> Steps[CodeResult]:
        """Say whether a program is right; with `both`, run the plus tests whatever base says."""
        ...

    def behaviour(self, code: str) -> Steps[Behaviour | None]:
        """Return what it does on public inputs; None if it gives nothing on any of them."""
        ...


def outcome(
    execution: Execution, tests: int, right: Callable[[int], bool], show: Callable[[int], str]
) -> Outcome:
    """Return the outcome of an execution of `tests` calls, in the order of the calls.

    Args:
        execution: what came back.
        tests: number of calls that were asked for.
        right: whether the value of this call is right; asked for values only, up to the first
            that is not.
        show: a preview of the value of this call.
    """
    if execution.end in ("sandbox_error", "sandbox_violation"):
        return Outcome(execution.end, None, cut(execution.reason))
    for i, returned in enumerate(execution.returned[:tests]):
        if returned.kind == "raised":
            return Outcome("runtime_error", i, cut(returned.data.decode("utf-8", "replace")))
        if returned.kind == "out_of_memory":
            return Outcome("memory_limit", i, "MemoryError")
        if not right(i):
            return Outcome("wrong_answer", i, cut(show(i)))
    done = len(execution.returned)
    if execution.end != "finished":
        started = done or execution.end in ("timeout", "memory_limit")
        return Outcome(execution.end, done if started else None, cut(execution.reason))
    if done < tests:
        return Outcome("runtime_error", done, "it ended before the test did")
    return Outcome("passed")


def cut(text: str, limit: int = 300) -> str:
    """Return at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
