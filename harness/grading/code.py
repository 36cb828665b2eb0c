"""Grades code: runs programs in a sandbox, and decides outside of it whether they are right.

What goes into the sandbox is a program and inputs; what comes out are bytes. Expected values never
go in. A candidate's text is cut down to its program by `harness.grading.program`; what its tests
are, how they are run and what counts as equal is the matter of the problem's data set:
`harness.grading.evalplus` (HumanEval+, MBPP+), `harness.grading.livecodebench` and
`harness.grading.examples` (our generated tasks).

Verdicts: *correct* if every test passed; *ungraded* only if the sandbox failed
(``sandbox_error``); everything else is *wrong*, with the reason in one word: ``wrong_answer``,
``runtime_error``, ``timeout``, ``memory_limit``, ``output_limit``, ``compile_error``,
``sandbox_violation``, or ``no code``.

Answer classes: candidates of a problem are in one class if they behave alike on inputs that a
solver may see (`harness.grading.behaviour`): the public inputs of chain_programs with variations,
the examples in the prompts of HumanEval+ and MBPP+ with variations, LiveCodeBench's public tests.
A candidate without code, or that fails on all of these inputs, is in no class. The answer of a
candidate is a preview of what it gave there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import DataError
from harness.grading.answers import NO_CLASS
from harness.grading.evalplus import EvalPlusTests
from harness.grading.examples import ExampleTests
from harness.grading.livecodebench import Style, tests_of
from harness.grading.program import program
from harness.grading.references import References
from harness.grading.stream import in_place, longest_first, stream
from harness.grading.verdicts import Behaviour, CodeResult, Result, Steps, Tests
from harness.sandbox.choice import SandboxChoice
from harness.sandbox.job import Sandbox
from harness.types import Grade, Json, Problem

RULES = 2
"""Goes up with every change that can change a grade or a class."""
_BATCH = 1024
"""Programs whose references are run together, before them."""
_KEPT_BYTES = 64 * 2**20
"""Length of the references (as packed as they come) of a batch, and of those whose tests are kept;
all of HumanEval+ and MBPP+ have 10 MB, single problems of LiveCodeBench as much."""

OpenSandbox = Callable[[], Sandbox]
_Both = tuple[CodeResult, Behaviour | None]


class CodeGrader:
    """Grades programs; a context manager that owns a sandbox. Not for several threads at once.

    The sandbox is opened with the first program. Expected values of reference solutions are
    remembered for the grader's life.
    """

    def __init__(
        self,
        open_sandbox: OpenSandbox | None = None,
        *,
        style: Style = "real",
        cache: Path | None = None,
    ) -> None:
        """Run programs in what `open_sandbox` returns; by default the best sandbox that works on
        this machine, with a worker per core. `style` is LiveCodeBench's. What references give is
        kept in the folder `cache` (`harness.grading.references`); None: it is not kept."""
        self._open = open_sandbox or SandboxChoice().open
        self._style: Style = style
        self._cache = cache
        self._sandbox: Sandbox | None = None
        self._tests: dict[str, tuple[Tests, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def identity(self) -> dict[str, Json]:
        """The rules of this room by number, and the style in which programs are run."""
        return {"grader": "code", "rules": RULES, "programs": self._style}

    def close(self) -> None:
        """End the sandbox's workers. What is remembered stays; further use starts new ones."""
        if self._sandbox is not None:
            self._sandbox.close()

    def grade(self, items: Sequence[tuple[Problem, str]]) -> list[Grade]:
        """Grade one solution text per problem; [] for none. The order is kept.

        Raises:
            DataError: a problem whose reference holds no tests.
            InfrastructureError: no sandbox can be started.
        """
        codes = [(problem, _program(problem, text)) for problem, text in items]
        found = self.results((problem, code) for problem, code in codes if code is not None)
        return [_NO_CODE if code is None else _grade(next(found)) for _, code in codes]

    def grade_pool(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[Grade]]:
        """Grade every candidate text of each problem; each grade has its `answer_class`.

        Programs that occur twice in a pool run once. Raises as `grade` does.
        """
        codes = [[_program(problem, text) for text in texts] for problem, texts in pool]
        distinct = {
            (i, code): problem
            for i, (problem, _) in enumerate(pool)
            for code in codes[i]
            if code is not None
        }
        items = ((problem, code) for (_, code), problem in distinct.items())
        found = dict(zip(distinct, self._run(items, _check_and_behave), strict=True))
        return [
            _classed([None if code is None else found[i, code] for code in own])
            for i, own in enumerate(codes)
        ]

    def agreement(self, pool: Sequence[tuple[Problem, Sequence[str]]]) -> list[list[int]]:
        """Return the class of equal behaviour of every text of each problem, -1 for none; programs
        run on public inputs alone. Raises as `grade` does."""
        codes = [[_program(problem, text) for text in texts] for problem, texts in pool]
        distinct = {
            (i, code): problem
            for i, (problem, _) in enumerate(pool)
            for code in codes[i]
            if code is not None
        }
        items = ((problem, code) for (_, code), problem in distinct.items())
        behave = self._run(items, lambda tests, code: tests.behaviour(code))
        found = dict(zip(distinct, behave, strict=True))
        return [
            _numbered([None if code is None else found[i, code] for code in own])
            for i, own in enumerate(codes)
        ]

    def results(
        self, items: Iterable[tuple[Problem, str]], *, both: bool = False
    ) -> Iterator[CodeResult]:
        """Check programs (not texts) and yield what their tests say, in order; `items` is drawn in
        batches. With `both`, EvalPlus' plus tests run even where a base test failed.

        Raises:
            As `grade`.
        """
        return self._run(items, lambda tests, code: tests.check(code, both=both))

    def _run(
        self,
        items: Iterable[tuple[Problem, str]],
        steps: Callable[[Tests, str], Steps[Result]],
    ) -> Iterator[Result]:
        for batch in _batches(items):
            if self._sandbox is None:
                self._sandbox = self._open()
            tests = {problem.digest: self._tests_of(problem) for problem, _ in batch}
            runs = References(self._sandbox, self._cache) if self._cache else self._sandbox
            spent = stream(runs, (own.prepare() for own in tests.values()))
            seconds = dict(zip(tests, spent, strict=True))
            order = longest_first([seconds[problem.digest] for problem, _ in batch])
            checks = (steps(tests[batch[i][0].digest], batch[i][1]) for i in order)
            yield from in_place(order, stream(self._sandbox, checks))

    def _tests_of(self, problem: Problem) -> Tests:
        known = self._tests.pop(problem.digest, None)
        tests, size = known or (read_tests(problem, self._style), _size(problem))
        self._tests[problem.digest] = tests, size
        while sum(size for _, size in self._tests.values()) > _KEPT_BYTES and len(self._tests) > 1:
            del self._tests[next(iter(self._tests))]
        return tests


def read_tests(problem: Problem, style: Style = "real") -> Tests:
    """Return the tests in a problem's reference, by the fields that it has.

    Raises:
        DataError: it is the reference of no data set that we know.
    """
    reference = problem.reference
    if isinstance(reference, dict):
        if "base_input" in reference:
            return EvalPlusTests(problem)
        if "hidden_tests" in reference:
            return ExampleTests(problem)
        if "public_tests" in reference:
            return tests_of(problem, style)
    raise DataError(
        f"task {problem.task!r}, problem {problem.id!r}: the reference holds no tests; it needs "
        "base_input and plus_input, public_tests and hidden_tests, or public_tests and "
        "private_tests"
    )


def _batches(items: Iterable[tuple[Problem, str]]) -> Iterator[list[tuple[Problem, str]]]:
    """Cut the items into batches that a machine can hold."""
    batch: list[tuple[Problem, str]] = []
    sizes: dict[str, int] = {}
    for problem, code in items:
        sizes.setdefault(problem.digest, _size(problem))
        batch.append((problem, code))
        if len(batch) == _BATCH or sum(sizes.values()) > _KEPT_BYTES:
            yield batch
            batch, sizes = [], {}
    if batch:
        yield batch


def _size(problem: Problem) -> int:
    reference = problem.reference
    values = reference.values() if isinstance(reference, dict) else ()
    return sum(len(value) for value in values if isinstance(value, str))


def _program(problem: Problem, text: str) -> str | None:
    reference = problem.reference if isinstance(problem.reference, dict) else {}
    entry = reference.get("entry_point") or reference.get("func_name")
    head = reference.get("prompt") if "base_input" in reference else None
    return program(text, str(entry) if entry else None, str(head or ""))


def _check_and_behave(tests: Tests, code: str) -> Steps[_Both]:
    result = yield from tests.check(code)
    if result.word == "compile_error":
        return result, None
    return result, (yield from tests.behaviour(code))


_NO_CODE = Grade("wrong", None, "no code", NO_CLASS)


def _grade(result: CodeResult, answer: str | None = None, number: int = NO_CLASS) -> Grade:
    reason = "" if result.word == "passed" else result.word
    return Grade(result.verdict, answer, reason, number)


def _classed(found: Sequence[_Both | None]) -> list[Grade]:
    """Number the behaviours of one problem by first appearance."""
    numbers = _numbered([None if item is None else item[1] for item in found])
    grades = []
    for item, number in zip(found, numbers, strict=True):
        if item is None:
            grades.append(_NO_CODE)
        else:
            result, behaviour = item
            grades.append(_grade(result, behaviour.shown if behaviour else None, number))
    return grades


def _numbered(found: Sequence[Behaviour | None]) -> list[int]:
    """Number distinct behaviours by first appearance; -1 for none."""
    numbers: dict[str, int] = {}
    return [NO_CLASS if one is None else numbers.setdefault(one.key, len(numbers)) for one in found]
