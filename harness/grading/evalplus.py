"""Grades HumanEval+ and MBPP+ as EvalPlus does (evalplus 0.3.1; time limits of its git head).

Two suites, base and plus, each one execution: all calls in order in one process
(`harness.grading.suite`), compared by EvalPlus' rules (`harness.grading.oracles`). The input
contracts of the data play no part in grading, as in EvalPlus. Behaviour is compared on inputs that
come from the prompt alone (`harness.grading.public`).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from harness.errors import DataError
from harness.grading import mbpp, public
from harness.grading.behaviour import of_calls, of_text
from harness.grading.oracles import Rule
from harness.grading.suite import Suite
from harness.grading.verdicts import Behaviour, CodeResult, Outcome, Steps
from harness.sandbox.job import Inputs
from harness.types import Json, Problem


class EvalPlusTests:
    """The tests of one problem of HumanEval+ or MBPP+ (a reference with base and plus inputs)."""

    def __init__(self, problem: Problem) -> None:
        """Read the reference: ``entry_point, prompt, solution, base_input, plus_input, atol``.

        Raises:
            DataError: a part is missing or of another form.
        """
        reference = problem.reference
        try:
            assert isinstance(reference, dict)
            entry, solution = str(reference["entry_point"]), str(reference["solution"])
            self._prompt, self._entry = str(reference["prompt"]), entry
            is_mbpp = problem.id.startswith("Mbpp/")
            rule = Rule(entry, is_mbpp, float(str(reference["atol"])))
            self._suites = [
                Suite(rule, solution, *_calls(problem, reference[key], is_mbpp))
                for key in ("base_input", "plus_input")
            ]
        except (AssertionError, KeyError, ValueError, TypeError) as error:
            raise DataError(
                f"task {problem.task!r}, problem {problem.id!r}: the reference is not that of "
                f"HumanEval+ or MBPP+: {type(error).__name__}: {error}"
            ) from error

    def prepare(self) -> Steps[float]:
        """Run the reference solution on both suites."""
        seconds = 0.0
        for suite in self._suites:
            seconds += yield from suite.prepare()
        return seconds

    def check(self, code: str, *, both: bool = False) -> Steps[CodeResult]:
        """Run base, then plus; without `both`, plus only after base passed."""
        base = yield from self._suites[0].check(code)
        plus: Outcome | None = None
        if both or base.passed:
            plus = yield from self._suites[1].check(code)
        return CodeResult(base, plus)

    def behaviour(self, code: str) -> Steps[Behaviour | None]:
        """Compare on public inputs; of the few prompts that show none, by the program's text."""
        calls = public.calls(self._prompt, self._entry)
        if not calls:
            return of_text(code)
        inputs = Inputs(calls, hashlib.sha256(repr(calls).encode()).hexdigest())
        return (yield from of_calls(code, self._entry, inputs, "evalplus"))


def _calls(problem: Problem, text: Json, is_mbpp: bool) -> tuple[list[tuple[Any, ...]], str]:
    """Return the calls in a JSON text (or list) of argument lists, and their digest."""
    calls: list[list[Any]] = json.loads(text) if isinstance(text, str) else list(text)  # type: ignore[arg-type]
    digest = hashlib.sha256(f"{problem.id}\n{json.dumps(calls)}".encode()).hexdigest()
    if is_mbpp:
        return [mbpp.arguments(problem.id, call) for call in calls], digest
    return [tuple(call) for call in calls], digest
