"""What a program does on inputs that a solver may see: the classes that votes count.

Two programs of a problem behave alike if they give the same values on all public inputs: the same
numbers (``1`` and ``1.0``; floats to nine digits), texts and containers, exceptions of the same
type, the same end. Hidden tests are never used: a vote must not know more than a solver does. A
program that gives no value on any input has no behaviour, and no vote. Where nothing is public,
programs behave alike if their syntax trees are equal.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Sequence
from typing import Literal

from harness.grading.plain import Undecodable, key, value_of
from harness.grading.tokens import lines
from harness.grading.verdicts import Behaviour, Steps, cut
from harness.sandbox.job import Calls, Execution, Inputs, Limits, Program, Returned
from harness.sandbox.values import preview

SECONDS, CALL_SECONDS = 6.0, 1.0
SHOWN = 3
"""Outputs that are shown to people."""
_DECODED = 64 * 1024


def of_calls(
    code: str, entry: str, inputs: Inputs, style: Literal["evalplus", "livecodebench"]
) -> Steps[Behaviour | None]:
    """Return the behaviour of a function; None if no call gives a value."""
    limits = Limits(cpu=SECONDS, per_call=(CALL_SECONDS,))
    execution = yield Calls(code, entry, inputs, limits, style)
    if not any(returned.kind in ("value", "tagged", "large") for returned in execution.returned):
        return None
    parts = [_part(returned) for returned in execution.returned]
    parts.append(execution.end.encode())
    return Behaviour(_digest(parts), _shown([preview(r) for r in execution.returned[:SHOWN]]))


def of_programs(code: str, stdins: Sequence[bytes], limits: Limits) -> Steps[Behaviour | None]:
    """Return the behaviour of a whole program; None if it ends well on no input."""
    executions: list[Execution] = []
    for stdin in stdins:
        execution = yield Program(code, stdin, limits)
        executions.append(execution)
        if execution.end == "compile_error":
            return None
    return of_outputs(
        [
            execution.stdout.decode("utf-8", "replace") if execution.end == "finished" else None
            for execution in executions
        ],
        [execution.end for execution in executions],
    )


def of_outputs(outputs: Sequence[str | None], ends: Sequence[str]) -> Behaviour | None:
    """Return the behaviour of what printed these texts; where it printed none (None), its end
    counts. None if there is no text."""
    if all(text is None for text in outputs):
        return None
    parts = [
        end.encode() if text is None else "\n".join(lines(text)).encode("utf-8", "surrogatepass")
        for text, end in zip(outputs, ends, strict=True)
    ]
    return Behaviour(_digest(parts), _shown([(text or "").strip() for text in outputs[:SHOWN]]))


def of_text(code: str) -> Behaviour | None:
    """Return what stands for the behaviour of a program that cannot be run on anything."""
    try:
        tree = ast.dump(ast.parse(code))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    return Behaviour(_digest([tree.encode("utf-8", "surrogatepass")]), cut(code.strip(), 80))


def _part(returned: Returned) -> bytes:
    if returned.kind == "raised":
        return b"raised " + returned.data.partition(b":")[0]
    if returned.kind in ("value", "tagged") and returned.size <= _DECODED:
        try:
            return b"value " + key(value_of(returned).object, digits=9)
        except Undecodable:
            pass
    return returned.kind.encode() + b" " + returned.data


def _digest(parts: Sequence[bytes]) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.hexdigest()


def _shown(parts: Sequence[str]) -> str:
    return "; ".join(cut(part, 40) for part in parts)
