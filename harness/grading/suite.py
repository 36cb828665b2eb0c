"""One list of calls of a function, and what the reference solution gives for them.

The expected values are what the reference gives in the same sandbox, run once per problem and kept
as bytes; they never enter an execution. The reference's CPU times give the limits, as in EvalPlus:
per call ``max(4, 4 × reference)`` seconds, in all ``min(60, their sum) + 2``. Values are compared
by a `Rule`, in three steps, so that a right program costs next to nothing and a hostile one little:

1. Equal bytes are equal values (unless they could hold NaN, or name a type we cannot compare).
2. A value whose encoding is far larger or smaller than the expected one is wrong.
3. Else both are decoded. Of a value too large to come back at once only the digest is known; then
   program and reference run again and give it whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from harness.grading.oracles import FLOAT_TOLERANCE, Rule, is_floats
from harness.grading.plain import Undecodable, Value, value_of
from harness.grading.verdicts import Outcome, Steps, outcome
from harness.sandbox.job import Calls, Execution, Inputs, Limits, Returned
from harness.sandbox.values import preview

CALL_SECONDS, TIMES_REFERENCE = 4.0, 4.0
TASK_SECONDS, GRACE_SECONDS = 60.0, 2.0
REFERENCE_SECONDS = 600.0
GATE_FACTOR, GATE_BYTES = 8, 4096
WHOLE_BYTES = 64 * 2**20
"""A value that differs from the expected one and is larger than this is wrong without a look."""
_MAY_BE_NAN = re.compile(rb"(?:g.{6}|y.{6}|y.{14})[\xf0-\xff][\x7f\xff]", re.DOTALL)
"""A float or complex number in an encoding whose exponent is that of NaN (and of infinity)."""


class Suite:
    """One list of calls of a problem, with what the reference gives for them."""

    def __init__(self, rule: Rule, reference: str, calls: list[tuple[Any, ...]], digest: str):
        self._rule = rule
        self._reference = reference
        self._inputs = Inputs(tuple(calls), digest)
        self._expected: tuple[Returned, ...] | None = None
        self._certain: tuple[bool, ...] = ()
        self._whole: dict[int, Returned] = {}
        self._values: dict[int, Value] = {}
        self._tolerant: int | None = None  # the first call from which floats are near enough
        self._limits = Limits()
        self._failure = "the reference solution has not run"

    def prepare(self) -> Steps[None]:
        """Run the reference; if that fails, every program is a ``sandbox_error`` from then on."""
        if self._expected is not None:
            return
        if not self._inputs.calls:
            self._expected = ()
            return
        execution = yield self._job(self._reference, Limits(cpu=REFERENCE_SECONDS))
        returned = execution.returned
        bad = [r for r in returned if r.kind in ("raised", "out_of_memory")]
        if execution.end != "finished" or bad or len(returned) < len(self._inputs.calls):
            why = execution.reason or (bad[0].data.decode("utf-8", "replace") if bad else "")
            self._failure = f"the reference solution failed: {execution.end} {why}".strip()
            return
        self._expected = returned
        self._certain = tuple(map(_certain, returned))
        seconds = [
            max(CALL_SECONDS, TIMES_REFERENCE * spent)
            for spent in execution.call_seconds or [0.0] * len(returned)
        ]
        total = min(TASK_SECONDS, sum(seconds)) + GRACE_SECONDS
        same = len(set(seconds)) == 1
        self._limits = Limits(cpu=total, per_call=tuple(seconds[:1] if same else seconds))

    def check(self, code: str) -> Steps[Outcome]:
        """Return what the calls say about a program."""
        if self._expected is None:
            return Outcome("sandbox_error", None, self._failure)
        if not self._inputs.calls:
            return Outcome("passed")
        execution = yield self._job(code, self._limits)
        right: dict[int, bool] = {}
        at_once = 1
        while open_ := self._judge(execution.returned, right, at_once):
            again = yield from self._compare_whole(code, execution.returned, open_, right)
            if again is not None and again.end == "sandbox_error":
                return Outcome("sandbox_error", None, again.reason)
            at_once = len(self._inputs.calls)
        return outcome(
            execution,
            len(self._inputs.calls),
            right.__getitem__,
            lambda i: preview(execution.returned[i]),
        )

    def _job(self, code: str, limits: Limits, raw: Iterable[int] = ()) -> Calls:
        trusted = code is self._reference
        return Calls(
            code,
            self._rule.entry,
            self._inputs,
            limits,
            stop_on_error=not trusted,
            raw=tuple(raw),
            as_set=self._rule.sets,
        )

    def _judge(
        self, returned: tuple[Returned, ...], right: dict[int, bool], at_once: int
    ) -> list[int]:
        """Decide calls in order up to the first that is wrong; return the first `at_once` that
        take whole values."""
        open_: list[int] = []
        for i, own in enumerate(returned[: len(self._inputs.calls)]):
            if i not in right and own.kind not in ("raised", "out_of_memory"):
                decided = self._quick(i, own)
                if decided is None:
                    open_.append(i)
                    if len(open_) == at_once:
                        break
                    continue
                right[i] = decided
            if not right.get(i):
                break
        return open_

    def _quick(self, i: int, own: Returned) -> bool | None:
        """Decide one call from what is at hand; None if it takes whole values."""
        assert self._expected is not None
        theirs = self._expected[i]
        if own.kind == theirs.kind and own.data == theirs.data and self._certain[i]:
            return True
        if self._rule.by_value:
            larger, smaller = max(own.size, theirs.size), min(own.size, theirs.size)
            wrong = larger > GATE_FACTOR * smaller + GATE_BYTES
            if wrong and (own.size == larger or not self._rule.sets):
                return False
        elif own.kind == "large":
            # Nothing but a value's being there counts; a root of a polynomial is small.
            return self._rule.mbpp and (not self._rule.not_none or bool(self._value(i).object))
        if max(own.size, theirs.size) > WHOLE_BYTES:
            return False
        if own.kind == "large" or theirs.kind == "large":
            return None
        return self._compare(i, own)

    def _compare(self, i: int, own: Returned) -> bool:
        """Compare by the rule; both values are whole."""
        try:
            return self._rule.right(
                value_of(own), self._value(i), self._inputs.calls[i], self._tolerance(i)
            )
        except Undecodable:
            return False

    def _value(self, i: int) -> Value:
        """Return the expected value."""
        assert self._expected is not None
        if i not in self._values:
            value = value_of(self._whole.get(i, self._expected[i]))
            if self._rule.not_none:
                value = Value(value.object is not None, "builtins.bool")
            self._values[i] = value
        return self._values[i]

    def _tolerance(self, i: int) -> float:
        """Return the tolerance of call `i`: once an expected value is a float, all later calls of
        a task without a tolerance of its own get one."""
        assert self._expected is not None
        if self._rule.tolerance:
            return self._rule.tolerance
        if self._tolerant is None:
            small = (j for j, r in enumerate(self._expected) if r.kind != "large")
            floats = (j for j in small if is_floats(self._value(j).object))
            self._tolerant = next(floats, len(self._expected))
        return FLOAT_TOLERANCE if i >= self._tolerant or is_floats(self._value(i).object) else 0.0

    def _compare_whole(
        self, code: str, known: tuple[Returned, ...], calls: list[int], right: dict[int, bool]
    ) -> Steps[Execution | None]:
        """Decide calls by running program and reference again for their whole values.

        Returns the execution that failed, if the sandbox did. A program that does not give the
        same again is wrong.
        """
        assert self._expected is not None
        expected = self._expected
        need = [i for i in calls if expected[i].kind == "large" and i not in self._whole]
        if need:
            execution = yield self._job(self._reference, Limits(cpu=REFERENCE_SECONDS), need)
            if len(execution.returned) < len(expected):
                return Execution("sandbox_error", reason="the reference solution failed this time")
            self._whole |= {i: execution.returned[i] for i in need}
        execution = yield self._job(code, self._limits, calls)
        if execution.end == "sandbox_error":
            return execution
        for i in calls:
            again = execution.returned[i] if i < len(execution.returned) else None
            whole = again is not None and again.kind in ("value", "tagged")
            whole = whole and again is not None and again.size == known[i].size
            right[i] = whole and again is not None and self._compare(i, again)
        self._forget()
        return None

    def _forget(self) -> None:
        """Keep no more than a few large values in memory."""
        while sum(value.size for value in self._whole.values()) > WHOLE_BYTES:
            oldest = next(iter(self._whole))
            del self._whole[oldest]
            self._values.pop(oldest, None)


def _certain(theirs: Returned) -> bool:
    """Whether the same bytes as these expected ones mean an equal value."""
    if theirs.kind == "large":
        return True
    return theirs.kind == "value" and not _MAY_BE_NAN.search(theirs.data)
