"""Grades functions by input-output examples: equal values, nothing else.

A reference holds ``entry_point``, ``public_tests`` and ``hidden_tests``; a test is a mapping
``{"input": [arguments], "expected": value}``. The tasks of `harness.embedded` are of this form.
Public tests come first, then hidden ones. Behaviour is compared on the public inputs and on
variations of them, negative numbers too.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from typing import Any

from harness.errors import DataError
from harness.grading.behaviour import of_calls
from harness.grading.plain import equal
from harness.grading.public import grown
from harness.grading.verdicts import Behaviour, CodeResult, Steps, outcome
from harness.sandbox.job import Calls, Inputs, Limits
from harness.sandbox.values import preview
from harness.types import Problem

CALLS = 64
"""Inputs on which behaviour is compared; calls are cheap here, and edges matter."""
LIMITS = Limits(cpu=10.0, per_call=(2.0,))


class ExampleTests:
    """The examples of one problem."""

    def __init__(self, problem: Problem) -> None:
        """Read the reference.

        Raises:
            DataError: a part is missing or of another form, or there is no example.
        """
        reference = problem.reference
        try:
            assert isinstance(reference, dict)
            self._entry = str(reference["entry_point"])
            public, hidden = reference["public_tests"], reference["hidden_tests"]
            assert isinstance(public, list) and isinstance(hidden, list)
            rows: list[Any] = [*public, *hidden]
            calls = [tuple(row["input"]) for row in rows]
            self._expected = [row["expected"] for row in rows]
            assert public and hidden
        except (AssertionError, KeyError, TypeError) as error:
            raise DataError(
                f"task {problem.task!r}, problem {problem.id!r}: the reference holds no examples "
                f"({type(error).__name__}: {error})"
            ) from error
        self._inputs = _inputs(calls)
        rng = random.Random(f"{problem.task}\n{problem.id}")
        self._public = _inputs(grown(calls[: len(public)], rng, CALLS, negative=True))

    def prepare(self) -> Steps[float]:
        """Do nothing: the expected values are known."""
        yield from ()
        return 0.0

    def check(self, code: str, *, both: bool = False) -> Steps[CodeResult]:
        """Run all examples in one execution."""
        execution = yield Calls(code, self._entry, self._inputs, LIMITS, stop_on_error=True)

        return CodeResult(
            outcome(
                execution,
                len(self._expected),
                lambda i: equal(execution.returned[i], self._expected[i]),
                lambda i: preview(execution.returned[i]),
            )
        )

    def behaviour(self, code: str) -> Steps[Behaviour | None]:
        """Compare on the public inputs and variations of them."""
        return (yield from of_calls(code, self._entry, self._public, "evalplus"))


def _inputs(calls: Sequence[tuple[Any, ...]]) -> Inputs:
    text = json.dumps(calls, default=repr)
    return Inputs(tuple(calls), hashlib.sha256(text.encode()).hexdigest())
