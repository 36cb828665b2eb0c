"""A sandbox without walls, for code that the tests wrote themselves: it runs it right here."""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch

from harness.sandbox.inside.encoding import encode
from harness.sandbox.job import Calls, Execution, Inputs, Job, Program, Returned
from harness.types import Json

INLINE = 16384
EXACT = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict)


class Here:
    """Runs jobs in this process, in order, a few drawn ahead; keeps what it was asked."""

    name = "here"

    def __init__(self, ahead: int = 3) -> None:
        self.jobs: list[Job] = []
        self.broken = 0
        """So many of the next executions are lost."""
        self.closed = 0
        self._ahead = ahead

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        waiting: deque[Job] = deque()
        source = iter(jobs)
        while True:
            while len(waiting) < self._ahead and (job := next(source, None)) is not None:
                waiting.append(job)
            if not waiting:
                return
            job = waiting.popleft()
            self.jobs.append(job)
            if self.broken:
                self.broken -= 1
                yield Execution("sandbox_error", reason="the worker is gone")
            else:
                yield _calls(job) if isinstance(job, Calls) else _program(job)

    def describe(self) -> dict[str, Json]:
        return {"backend": self.name}

    def close(self) -> None:
        self.closed += 1


def _copied(inputs: Inputs) -> list[tuple[Any, ...]]:
    import copy

    return copy.deepcopy(list(inputs.calls))


def _calls(job: Calls) -> Execution:
    space: dict[str, Any] = {}
    if job.style == "livecodebench":
        exec("from typing import *\nimport math, collections", space)
    try:
        compiled = compile(job.code, "<solution>", "exec")
    except SyntaxError as error:
        return Execution("compile_error", reason=str(error))
    try:
        exec(compiled, space)
        owner, _, method = job.entry.rpartition(".")
        entry = getattr(space[owner](), method) if owner else space[method]
    except BaseException as error:
        return Execution("runtime_error", reason=repr(error))
    found: list[Returned] = []
    seconds = []
    for i, arguments in enumerate(_copied(job.inputs)):
        start = time.process_time()
        try:
            value = entry(*arguments)
            if job.as_set and type(value) not in EXACT and hasattr(type(value), "__iter__"):
                value = set(value)
            data = encode(value)
        except BaseException as error:
            found.append(Returned("raised", f"{type(error).__name__}: {error}".encode()))
            if job.stop_on_error:
                break
        else:
            if len(data) > INLINE and i not in job.raw:
                found.append(
                    Returned("large", hashlib.blake2b(data, digest_size=32).digest(), len(data))
                )
            else:
                kind: Any = "tagged" if data[:1] == b"#" else "value"
                found.append(Returned(kind, data, len(data)))
        finally:
            seconds.append(time.process_time() - start)
    return Execution("finished", tuple(found), call_seconds=tuple(seconds))


def _program(job: Program) -> Execution:
    out = io.StringIO()
    try:
        compiled = compile(job.code, "<program>", "exec")
    except SyntaxError as error:
        return Execution("compile_error", reason=str(error))
    try:
        with contextlib.redirect_stdout(out), patch("sys.stdin", io.StringIO(job.stdin.decode())):
            exec(compiled, {"__name__": "__main__"})
    except SystemExit as error:
        if error.code:
            return Execution("runtime_error", stdout=out.getvalue().encode())
    except BaseException as error:
        return Execution("runtime_error", stdout=out.getvalue().encode(), reason=repr(error))
    return Execution("finished", stdout=out.getvalue().encode())
