"""Makes an `Execution` of what the zygote saw and what the child wrote; knows no verdict.

What the zygote and the kernel say comes first, then what the child says: its own word can only
make its case worse.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

from harness.sandbox import frames
from harness.sandbox.frames import Frames
from harness.sandbox.inside import channel, report
from harness.sandbox.job import Calls, End, Execution, Job
from harness.sandbox.messages import RESULT, per_call


@dataclass(frozen=True, slots=True)
class Done:
    """The zygote's record of one execution, and the bytes that the child left."""

    seq: int
    ended: int
    status: int
    wall: float
    cpu: float
    memory: int
    dirty: bool
    result: bytes
    output: bytes
    result_size: int
    """As the zygote saw it; more than a limit may be true of it and not of `result`."""
    killed_for_memory: bool = False
    filtered: bool = True
    """Whether a filter kept the code from sending itself SIGKILL."""


def execution(job: Job, done: Done) -> Execution | None:
    """Return what happened to a job; None if the sandbox lost it."""
    if done.ended == channel.LOST:
        return None
    calls = len(job.inputs.calls) if isinstance(job, Calls) else 0
    forged = ""
    found = Frames()
    if done.result_size <= RESULT:
        try:
            found = frames.read(done.result, calls)
        except frames.Forged as error:
            forged = str(error)
    cut = _over_time(job, found)
    verdict = _end(job, done, found, forged, cut)
    if verdict is None:
        return None
    end, reason = verdict
    kept = min(len(found.returned), calls if cut is None else cut)
    return Execution(
        end=end,
        returned=found.returned[:kept],
        stdout=b"" if isinstance(job, Calls) else done.output[: job.limits.output],
        reason=reason[: report.MESSAGE],
        cpu_seconds=done.cpu,
        wall_seconds=done.wall,
        call_seconds=found.seconds[:kept],
        memory=done.memory,
    )


def _over_time(job: Job, found: Frames) -> int | None:
    """Return the first call that took longer than it may, by the child's own word."""
    if not isinstance(job, Calls):
        return None
    limits = per_call(job.limits, len(job.inputs.calls))
    for i, (spent, limit) in enumerate(zip(found.seconds, limits, strict=False)):
        if spent > limit:
            return i
    return None


def _end(
    job: Job, done: Done, found: Frames, forged: str, cut: int | None
) -> tuple[End, str] | None:
    """Return how it ended and why; None if it was killed from outside."""
    killer = os.WTERMSIG(done.status) if os.WIFSIGNALED(done.status) else 0
    code = os.WEXITSTATUS(done.status) if os.WIFEXITED(done.status) else -1
    if killer == signal.SIGSYS:
        return "sandbox_violation", "a system call that only attacks use"
    if forged:
        return "sandbox_violation", f"forged results: {forged}"
    if done.ended in (channel.CPU, channel.CLOCK) or killer == signal.SIGXCPU:
        return "timeout", "clock" if done.ended == channel.CLOCK else "CPU time"
    if cut is not None:
        return "timeout", f"CPU time of call {cut}"
    if done.killed_for_memory or code == report.LOST_MEMORY:
        return "memory_limit", "out of memory"
    if killer == signal.SIGKILL and done.filtered:
        return None  # not by itself (the filter forbids it) and not by us
    if code == report.FULL or done.result_size >= RESULT:
        return "output_limit", f"more than {RESULT:,} bytes of results"
    if not isinstance(job, Calls) and len(done.output) > job.limits.output:
        return "output_limit", f"more than {job.limits.output:,} bytes"
    if found.closing == report.NOT_COMPILED:
        return "compile_error", found.text
    if found.closing in (report.NOT_IMPORTED, report.RAISED):
        memory = found.text.split(":")[0] == "MemoryError"
        return ("memory_limit" if memory else "runtime_error"), found.text
    if killer:
        return "runtime_error", f"killed by {_signal(killer)}"
    if isinstance(job, Calls):
        return _calls_end(job, found, code)
    return ("finished", "") if code == 0 else ("runtime_error", f"exit status {code}")


def _calls_end(job: Calls, found: Frames, code: int) -> tuple[End, str]:
    """Return the end of calls that nothing cut short."""
    total = len(job.inputs.calls)
    if found.closing == report.END and len(found.returned) == total and code == 0:
        return "finished", ""
    last = found.returned[-1] if found.returned else None
    if job.stop_on_error and found.closing == report.END and last is not None:
        if last.kind == "out_of_memory":
            return "memory_limit", "out of memory"
        return "runtime_error", last.data.decode("utf-8", "replace")
    return "runtime_error", f"exit status {code} after {len(found.returned)} of {total} calls"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
