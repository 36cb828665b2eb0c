"""The programs that a critic writes to check a step: run in the sandbox, never here.

What a chain's earlier programs defined is there for the next one, as in one interpreter: they are
run again before it, in silence, because every run is a fresh process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.errors import InfrastructureError
from harness.sandbox.job import Execution, Limits, Program, Sandbox

_BLOCK = re.compile(r"```python\s*(.*?)\s*```", re.DOTALL)
_LIMITS = Limits(cpu=5.0, memory=2**30, output=2**16)
_SHOWN = 2_000
"""Characters of output that the critic is shown."""

_NOTHING = "Code format error: No code found."


def last_program(text: str) -> str | None:
    """Return the last block of Python in a text."""
    blocks = _BLOCK.findall(text)
    return str(blocks[-1]) if blocks else None


class Programs:
    """A sandbox that is opened with the first program."""

    def __init__(self, open_sandbox: Callable[[], Sandbox]) -> None:
        self._open_sandbox = open_sandbox
        self._sandbox: Sandbox | None = None

    def run(self, sessions: Sequence[Sequence[str | None]]) -> list[str]:
        """Return what the last program of each session printed, or what went wrong with it.

        Raises:
            InfrastructureError: no sandbox, or one that failed: nothing is known of the program.
        """
        jobs = [
            Program(_joined([code for code in session[:-1] if code], session[-1]), b"", _LIMITS)
            for session in sessions
            if session[-1]
        ]
        if jobs and self._sandbox is None:
            self._sandbox = self._open_sandbox()
        done = self._sandbox.run(jobs) if jobs and self._sandbox else iter(())
        return [_said(next(done)) if session[-1] else _NOTHING for session in sessions]

    def close(self) -> None:
        """End the sandbox's workers."""
        if self._sandbox is not None:
            self._sandbox.close()
        self._sandbox = None


def _joined(earlier: Sequence[str], code: str) -> str:
    """Return a program that runs some in silence, whatever becomes of them, and then the last."""
    if not earlier:
        return code
    return (
        "import contextlib, io\n"
        f"space = {{'__name__': '__main__'}}\n"
        f"for code in {list(earlier)!r}:\n"
        "    with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):\n"
        "        exec(compile(code, '<earlier>', 'exec'), space)\n"
        f"exec(compile({code!r}, '<program>', 'exec'), space)\n"
    )


def _said(execution: Execution) -> str:
    """Return what the critic is told of an execution."""
    match execution.end:
        case "sandbox_error":
            raise InfrastructureError(f"a critic's program was lost: {execution.reason}")
        case "finished":
            text = execution.stdout.decode("utf-8", "replace").strip()
        case "timeout":
            text = f"Code execute time out: {_LIMITS.cpu:g} seconds"
        case "output_limit":
            text = execution.stdout.decode("utf-8", "replace")
        case _:
            text = f"Code execute Error: {execution.reason or execution.end}"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
