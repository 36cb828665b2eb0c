r"""The worker process: reads pairs of answers, one JSON line each, and says whether they are equal.

This file runs as a script in a process of its own, never imported by the harness: it is the only
place where math-verify and sympy see an answer, and it is made to be killed. It imports nothing
of the harness. `harness.grading.workers` is the other end of the pipes. The limits that it sets on
itself are those of `lm_eval_worker.py` too.

Protocol: at the start it writes ``{"ready": true}``, or ``{"error": "..."}`` if math-verify cannot
be imported. Then, for each line ``{"gold": "...", "answer": "..."}``, one line
``{"equal": true | false | null, "reason": ""}``; null goes with the reason ``timeout`` or
``too large``.

Limits that it sets on itself, so that they hold even when the parent is gone:

* CPU seconds per pair (first argument): a timer ends Python code; a second, the kernel's limit on
  the process, ends what is stuck in one long operation on huge integers. CPU time and not the
  clock, so that a busy machine changes no verdict.
* Memory (second argument, bytes): ``10^{10^{10}}`` must not take the machine down.
* Life: it ends when its input ends or its parent changes, whichever it sees first.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import select
import sys
import time
from collections.abc import Callable
from typing import Any

SPARE_SECONDS = 1
"""CPU seconds between the timer, which Python code can hear, and the kernel's limit."""
PARENT_CHECK_SECONDS = 5.0
"""How often an idle worker looks whether its parent is still there."""


class OutOfTimeError(BaseException):
    """The timer rang. A BaseException: libraries that catch every Exception must not catch it."""


def main(cpu_seconds: float, memory_bytes: int) -> None:
    """Serve pairs from standard input until it ends."""
    out = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints must not end up among the replies
    parent = os.getppid()
    limit_memory(memory_bytes)
    try:
        equal = _comparer()
    except ImportError as error:
        print(json.dumps({"error": str(error)}), file=out, flush=True)
        return
    print(json.dumps({"ready": True}), file=out, flush=True)
    while line := next_line(parent):
        job = json.loads(line)
        value, reason = timed(equal, job["gold"], job["answer"], cpu_seconds)
        print(json.dumps({"equal": value, "reason": reason}), file=out, flush=True)


def next_line(parent: int) -> str:
    """Return the next line of input; empty when it has ended or the parent is gone.

    A process that the parent forked may hold the pipe open after the parent's death: hence the
    look at the parent's id.
    """
    while not select.select([sys.stdin], [], [], PARENT_CHECK_SECONDS)[0]:
        if os.getppid() != parent:
            return ""
    return sys.stdin.readline()


def _comparer() -> Callable[[str, str], bool]:
    """Import math-verify and return its comparison of two prepared answers."""
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)

    @functools.lru_cache(maxsize=4096)
    def parsed(answer: str) -> Any:
        return parse(f"${answer}$", parsing_timeout=None)

    def equal(gold: str, answer: str) -> bool:
        return bool(verify(parsed(gold), parsed(answer), timeout_seconds=None))

    equal("1", r"\frac{2}{2}")  # the first call builds tables; it is not the first pair's fault
    return equal


def timed(
    equal: Callable[[str, str], bool], gold: str, answer: str, cpu_seconds: float
) -> tuple[bool | None, str]:
    """Compare one pair within the limits."""
    import signal

    signal.signal(signal.SIGVTALRM, _ring)
    limit_cpu(cpu_seconds)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, cpu_seconds)
        try:
            return equal(gold, answer), ""
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except OutOfTimeError:
        return None, "timeout"
    except (MemoryError, OverflowError):
        return None, "too large"
    except Exception:
        # A pair that math-verify cannot compare is not shown to be equal; its own rule.
        return False, ""


def _ring(*_: object) -> None:
    """Handle the timer's signal."""
    raise OutOfTimeError


def limit_memory(size: int) -> None:
    """Let allocations beyond `size` bytes fail; a system without such a limit goes without."""
    import resource

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def limit_cpu(seconds: float) -> None:
    """Let the kernel end this process that many CPU seconds, and some spare, from now."""
    import resource

    limit = math.ceil(time.process_time() + seconds) + SPARE_SECONDS
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
