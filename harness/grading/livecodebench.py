"""Grades LiveCodeBench: public tests, then private ones, up to the first that fails.

Functions (tests of kind ``functional``): inputs are one JSON value per line, the expected value is
JSON. All calls are made in one process on one ``Solution()``; a tuple that comes back counts as a
list, and then plain equality decides: no tolerance, ``2 == 2.0``. Programs read stdin and are
compared as `harness.grading.tokens` says. Each test has 6 CPU seconds.
(LiveCodeBench, ``lcb_runner/evaluation/testing_util.py`` at 28fef95.)

Programs run in one of two styles. ``real`` (default): as programs, one execution per test, with a
real standard input and output and threads waited for. ``livecodebench``: in the emulation of the
official runner, all tests in one process, which fails right programs that iterate over
``sys.stdin``, read descriptor 0, write bytes or start a thread; it is there for the comparison with
published numbers.

Tests are the data set's own strings: a JSON list, or packed (`harness.grading.packed`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import DataError
from harness.grading.behaviour import of_calls, of_outputs, of_programs, of_text
from harness.grading.packed import unpacked
from harness.grading.plain import equal
from harness.grading.tokens import first_difference
from harness.grading.verdicts import Behaviour, CodeResult, Outcome, Steps, Tests, cut, outcome
from harness.sandbox.job import Calls, Execution, Inputs, Limits, Program, Returned
from harness.sandbox.reader import Unreadable
from harness.sandbox.values import decode, preview
from harness.types import Json, Problem

SECONDS = 6.0
Style = Literal["real", "livecodebench"]


@dataclass(frozen=True, slots=True)
class Test:
    """One test: what goes in and what should come out, as the data set writes it."""

    input: str
    output: str


def tests(text: Json) -> tuple[Test, ...]:
    """Return the tests in a value of the data set: None, a JSON list (as text or not), or a packed
    text that holds one; also ``{"input_output": {inputs, outputs}}``, as some copies have it.

    Raises:
        DataError: anything else.
    """
    found: Any = text
    try:
        if isinstance(found, str):
            found = json.loads(found if found.lstrip()[:1] in ("[", "{", "n") else _unpack(found))
        if isinstance(found, dict):
            pairs = found["input_output"]
            pairs = json.loads(pairs) if isinstance(pairs, str) else pairs
            found = [
                {"input": i, "output": o}
                for i, o in zip(pairs["inputs"], pairs["outputs"], strict=True)
            ]
        return tuple(Test(str(row["input"]), str(row["output"])) for row in found or ())
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise DataError(f"tests of an unknown form: {type(error).__name__}: {error}") from error


def _unpack(text: str) -> str:
    found = unpacked(text)
    return found if isinstance(found, str) else json.dumps(found)


def tests_of(problem: Problem, style: Style) -> Tests:
    """Return the tests of a LiveCodeBench problem.

    Raises:
        DataError: the reference is of another form.
    """
    reference = problem.reference
    where = f"task {problem.task!r}, problem {problem.id!r}"
    if not isinstance(reference, dict) or "public_tests" not in reference:
        raise DataError(f"{where}: the reference is not that of LiveCodeBench")
    try:
        public, private = tests(reference["public_tests"]), tests(reference.get("private_tests"))
        name = reference.get("func_name")
        if name:
            return FunctionTests(str(name), public, private)
        return (ProgramTests if style == "real" else EmulatedTests)(public, private)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error


class FunctionTests:
    """The tests of a problem that asks for a function or a method of ``Solution``."""

    def __init__(self, name: str, public: Sequence[Test], private: Sequence[Test]) -> None:
        """Read the tests.

        Raises:
            DataError: an input or output is no JSON.
        """
        self._name = name
        try:
            self._inputs = _inputs([*public, *private])
            self._public = _inputs(public)
            self._expected = [json.loads(test.output) for test in (*public, *private)]
        except ValueError as error:
            raise DataError(f"a test that is not JSON: {error}") from error

    def prepare(self) -> Steps[float]:
        """Do nothing: the expected values are known."""
        yield from ()
        return 0.0

    def check(self, code: str, *, both: bool = False) -> Steps[CodeResult]:
        """Run all calls in one execution."""
        if not self._expected:
            return CodeResult(NO_TESTS)
        count = len(self._expected)
        execution = yield Calls(
            code, self._entry(code), self._inputs, _limits(count), "livecodebench", True
        )
        returned = execution.returned
        return CodeResult(
            outcome(
                execution,
                count,
                lambda i: equal(returned[i], self._expected[i], tuples_are_lists=True),
                lambda i: preview(returned[i]),
            )
        )

    def behaviour(self, code: str) -> Steps[Behaviour | None]:
        """Compare on the public inputs; by the program's text if there are none."""
        if not self._public.calls:
            return of_text(code)
        return (yield from of_calls(code, self._entry(code), self._public, "livecodebench"))

    def _entry(self, code: str) -> str:
        return f"Solution.{self._name}" if "class Solution" in code else self._name


class ProgramTests:
    """The tests of a problem that asks for a program, each a program's run."""

    def __init__(self, public: Sequence[Test], private: Sequence[Test]) -> None:
        self._tests = (*public, *private)
        self._public = [test.input.encode() for test in public]
        self._limits = Limits(cpu=SECONDS)

    def prepare(self) -> Steps[float]:
        """Do nothing: the expected outputs are known."""
        yield from ()
        return 0.0

    def check(self, code: str, *, both: bool = False) -> Steps[CodeResult]:
        """Run one test after the other, up to the first that fails."""
        for i, test in enumerate(self._tests):
            execution = yield Program(code, test.input.encode(), self._limits)
            found = _program_outcome(execution, i, test)
            if not found.passed:
                return CodeResult(found)
        return CodeResult(Outcome("passed") if self._tests else NO_TESTS)

    def behaviour(self, code: str) -> Steps[Behaviour | None]:
        """Compare on the public inputs; by the program's text if there are none."""
        if not self._public:
            return of_text(code)
        return (yield from of_programs(code, self._public, self._limits))


class EmulatedTests:
    """The same in the emulation of the official runner: calls of one function from text to text."""

    def __init__(self, public: Sequence[Test], private: Sequence[Test]) -> None:
        self._tests = (*public, *private)
        self._inputs, self._public = _texts(self._tests), _texts(public)

    def prepare(self) -> Steps[float]:
        """Do nothing: the expected outputs are known."""
        yield from ()
        return 0.0

    def check(self, code: str, *, both: bool = False) -> Steps[CodeResult]:
        """Run all tests in one execution."""
        if not self._tests:
            return CodeResult(NO_TESTS)
        execution = yield _emulated(code, self._inputs, stop=True)
        texts = [_printed(returned) or "" for returned in execution.returned]

        def show(i: int) -> str:
            line = first_difference(texts[i], self._tests[i].output)
            return f"line {line}: {texts[i].strip()[:2000]!r}"

        return CodeResult(
            outcome(
                execution,
                len(self._tests),
                lambda i: first_difference(texts[i], self._tests[i].output) is None,
                show,
            )
        )

    def behaviour(self, code: str) -> Steps[Behaviour | None]:
        """Compare on the public inputs; by the program's text if there are none."""
        if not self._public.calls:
            return of_text(code)
        execution = yield _emulated(code, self._public, stop=False)
        if execution.end == "compile_error":
            return None
        texts = [_printed(returned) for returned in execution.returned]
        ends: list[str] = [returned.kind for returned in execution.returned]
        lost = len(self._public.calls) - len(texts)
        return of_outputs([*texts, *[None] * lost], [*ends, *[execution.end] * lost])


def _limits(count: int) -> Limits:
    return Limits(cpu=(SECONDS + 1) * count + 5, per_call=(SECONDS,))


def _emulated(code: str, inputs: Inputs, *, stop: bool) -> Calls:
    count = len(inputs.calls)
    raw = tuple(range(count))  # what was printed comes back whole
    return Calls(code, "", inputs, _limits(count), "livecodebench program", stop, raw)


def _printed(returned: Returned) -> str | None:
    """Return what an emulated program printed; None if it failed."""
    if returned.kind != "value":
        return None
    try:
        found = decode(returned)
    except Unreadable:
        return None
    return found if isinstance(found, str) else None


def _texts(found: Sequence[Test]) -> Inputs:
    calls = tuple((test.input,) for test in found)
    text = json.dumps(["program", *(test.input for test in found)])
    return Inputs(calls, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


NO_TESTS = Outcome("sandbox_error", None, "the data has no tests for this problem")
"""Without tests a program is not graded; it is neither right nor wrong."""


def _program_outcome(execution: Execution, index: int, test: Test) -> Outcome:
    if execution.end != "finished":
        place = None if execution.end == "compile_error" else index
        return Outcome(execution.end, place, cut(execution.reason))
    output = execution.stdout.decode("utf-8", "replace")
    line = first_difference(output, test.output)
    if line is None:
        return Outcome("passed")
    return Outcome("wrong_answer", index, cut(f"line {line}: {output.strip()[:2000]!r}"))


def _inputs(found: Sequence[Test]) -> Inputs:
    calls = tuple(tuple(json.loads(line) for line in test.input.split("\n")) for test in found)
    text = json.dumps([test.input for test in found])
    return Inputs(calls, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
