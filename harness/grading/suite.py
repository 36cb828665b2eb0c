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
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.grading.oracles import FLOAT_TOLERANCE, Rule, is_floats
from harness.grading.plain import Stranger, Undecodable, Value, value_of
from harness.grading.verdicts import Outcome, Steps, outcome
from harness.sandbox.job import Calls, Execution, Inputs, Limits, Returned
from harness.sandbox.values import preview

CALL_SECONDS, TIMES_REFERENCE = 4.0, 4.0
TASK_SECONDS, GRACE_SECONDS = 60.0, 2.0
REFERENCE_SECONDS = 600.0
GATE_FACTOR, GATE_BYTES, SET_BYTES = 8, 4096, 2**20
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
        self._seconds = 0.0  # of the reference
        self._failure = "the reference solution has not run"

    def prepare(self) -> Steps[float]:
        """Run the reference and return its CPU seconds; if that fails, every program is a
        ``sandbox_error`` from then on."""
        if self._expected is not None:
            return self._seconds
        if not self._inputs.calls:
            self._expected = ()
            return 0.0
        execution = yield self._of_reference()
        returned = execution.returned
        bad = [r for r in returned if r.kind in ("raised", "out_of_memory")]
        if execution.end != "finished" or bad or len(returned) < len(self._inputs.calls):
            why = execution.reason or (bad[0].data.decode("utf-8", "replace") if bad else "")
            self._failure = f"the reference solution failed: {execution.end} {why}".strip()
            return 0.0
        self._expected = returned
        self._certain = tuple(map(_certain, returned))
        self._seconds = sum(execution.call_seconds)
        seconds = [
            max(CALL_SECONDS, TIMES_REFERENCE * spent)
            for spent in execution.call_seconds or [0.0] * len(returned)
        ]
        total = min(TASK_SECONDS, sum(seconds)) + GRACE_SECONDS
        same = len(set(seconds)) == 1
        self._limits = Limits(cpu=total, per_call=tuple(seconds[:1] if same else seconds))
        return self._seconds

    def check(self, code: str) -> Steps[Outcome]:
        """Return what the calls say about a program."""
        if self._expected is None:
            return Outcome("sandbox_error", None, self._failure)
        if not self._inputs.calls:
            return Outcome("passed")
        execution = yield self._job(code)
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

    def _job(self, code: str, raw: Sequence[int] = ()) -> Calls:
        sets = self._rule.sets
        return Calls(
            code,
            self._rule.entry,
            self._inputs,
            self._limits,
            stop_on_error=True,
            raw=tuple(raw),
            as_set=sets,
        )

    def _of_reference(self, raw: Sequence[int] = ()) -> Calls:
        job = self._job(self._reference, raw)
        return replace(job, limits=Limits(cpu=REFERENCE_SECONDS), stop_on_error=False)

    def _judge(
        self, returned: tuple[Returned, ...], right: dict[int, bool], at_once: int
    ) -> list[int]:
        """Decide calls in order up to the first that is wrong; return the first `at_once` that
        take whole values."""
        open_: list[int] = []
        size = 0
        for i, own in enumerate(returned[: len(self._inputs.calls)]):
            if i not in right and own.kind not in ("raised", "out_of_memory"):
                decided = self._quick(i, own)
                if decided is None:
                    open_.append(i)
                    size += own.size
                    if len(open_) == at_once or size > WHOLE_BYTES:
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
        if not self._rule.by_value:
            # All that counts is that there is a value; or it is a root, which is small.
            if own.kind != "large":
                return self._compare(i, own, self._value(i))
            return self._rule.mbpp and (not self._rule.not_none or bool(self._value(i).object))
        if own.kind == theirs.kind and own.data == theirs.data and self._certain[i]:
            return True
        if self._too_far(own.size, theirs.size):
            return False
        if own.kind == "large" or theirs.kind == "large":
            return None
        return self._compare(i, own, self._value(i))

    def _too_far(self, own: int, theirs: int) -> bool:
        """Whether encodings of these sizes hold values that we need not look at to tell apart."""
        if max(own, theirs) > WHOLE_BYTES:
            return True
        if self._rule.sets:  # items can repeat, on both sides
            return own > max(SET_BYTES, GATE_FACTOR * theirs)
        return max(own, theirs) > GATE_FACTOR * min(own, theirs) + GATE_BYTES

    def _compare(self, i: int, own: Returned, expected: Value) -> bool:
        """Compare by the rule; `own` is whole."""
        try:
            value = value_of(own)
        except Undecodable:
            return False
        return self._rule.right(
            value, expected, self._inputs.calls[i], self._tolerance(i, expected)
        )

    def _value(self, i: int) -> Value:
        """Return an expected value that came back at once."""
        assert self._expected is not None
        if i not in self._values:
            known = self._expected[i]
            value = _expected_value(known)
            if self._rule.not_none:
                value = Value.of(known.kind == "large" or value.object is not None)
            self._values[i] = value
        return self._values[i]

    def _tolerance(self, i: int, expected: Value) -> float:
        """Return the tolerance of call `i`: once an expected value is a float, all later calls of
        a task without a tolerance of its own get one."""
        assert self._expected is not None
        if self._rule.tolerance:
            return self._rule.tolerance
        if self._tolerant is None:
            small = (j for j, r in enumerate(self._expected) if r.kind != "large")
            floats = (j for j in small if is_floats(self._value(j).object))
            self._tolerant = next(floats, len(self._expected))
        return FLOAT_TOLERANCE if i >= self._tolerant or is_floats(expected.object) else 0.0

    def _compare_whole(
        self, code: str, known: tuple[Returned, ...], calls: list[int], right: dict[int, bool]
    ) -> Steps[Execution | None]:
        """Decide calls by running program and reference again for their whole values.

        Returns the execution that failed, if the sandbox did. A program that does not give the
        same again is wrong.
        """
        assert self._expected is not None
        expected = {i: self._whole.get(i, self._expected[i]) for i in calls}
        need = [i for i in calls if expected[i].kind == "large"]
        if need:
            execution = yield self._of_reference(need)
            if len(execution.returned) < len(self._expected):
                return Execution("sandbox_error", reason="the reference solution failed this time")
            expected |= {i: execution.returned[i] for i in need}
            self._keep({i: expected[i] for i in need})
        execution = yield self._job(code, calls)
        if execution.end == "sandbox_error":
            return execution
        for i in calls:
            again = execution.returned[i] if i < len(execution.returned) else None
            right[i] = (
                again is not None
                and again.kind in ("value", "tagged")
                and again.size == known[i].size
                and self._compare(i, again, _expected_value(expected[i]))
            )
        return None

    def _keep(self, found: dict[int, Returned]) -> None:
        """Remember whole expected values, as many as memory is meant for."""
        self._whole |= found
        while sum(returned.size for returned in self._whole.values()) > WHOLE_BYTES:
            del self._whole[next(iter(self._whole))]


def _expected_value(returned: Returned) -> Value:
    """Return an expected value; one that cannot be read equals nothing but its own bytes."""
    try:
        return value_of(returned)
    except Undecodable:
        return Value.of(Stranger("unreadable"))


def _certain(theirs: Returned) -> bool:
    """Whether the same bytes as these expected ones mean an equal value."""
    if theirs.kind == "large":
        return True
    return theirs.kind == "value" and not _MAY_BE_NAN.search(theirs.data)
