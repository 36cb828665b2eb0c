"""The warm Python of a worker: it forks one child per execution, watches its clock and reaps it.

It is process 1 of its namespaces. It loads what most solutions import once, reads jobs from the
trusted side, and never reads what a child wrote. A job costs one fork instead of one interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import marshal
import mmap
import os
import signal
import sys
import threading
import time
from typing import Any

from . import calls, confine, programs
from .channel import CLOCK, CPU, DIRTY, EXITED, LOST, Channel, Stream
from .parcel import Parcel
from .report import IDLE, LOST_MEMORY, PROGRESS, Report
from .scratch import Scratch

PRELOAD = [
    "ast",
    "atexit",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    "io",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "random",
    "re",
    "statistics",
    "string",
    "struct",
    "threading",
    "time",
    "types",
    "typing",
    "_sitebuiltins",
]
_BLANK = PROGRESS.pack(IDLE, 0.0).ljust(mmap.PAGESIZE, b"\0")


class Zygote:
    """The loop of a worker."""

    def __init__(self, channel: Channel, setup: dict[str, Any]) -> None:
        self._channel = channel
        self._isolated = os.getpid() == 1
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self._inputs: dict[str, Any] = {}
        self._scratch = Scratch(setup["scratch"])
        self._filter = None
        if setup["filters"]:  # a machine without one has no business here: KeyError
            self._filter = confine.Filter(*setup["filters"][os.uname().machine])

    def serve(self) -> None:
        """Do jobs until the trusted side hangs up."""
        while (message := self._channel.receive()) is not None:
            parcel = Parcel(message)
            job = parcel.job
            for digest in job["evict"]:
                self._inputs.pop(digest, None)
            if job.get("load") is not None:
                self._inputs[job["inputs"]] = marshal.loads(job["load"])
            self._run(parcel)

    def _run(self, parcel: Parcel) -> None:
        """Fork, watch, reap, tidy up and report one execution."""
        job = parcel.job
        self._page[:] = _BLANK  # whatever a child wrote there, the next one must not find
        self._channel.rewind()
        gc.freeze()
        start = time.monotonic()
        try:
            pid = os.fork()
        except OSError:
            parcel.wipe()
            self._channel.done(job["seq"], LOST, 0, 0, 0, 0, 0)
            return
        if pid == 0:
            try:
                self._child(parcel.open())
            except MemoryError:
                os._exit(LOST_MEMORY)
            finally:
                os._exit(1)
        parcel.wipe()  # what it needs of it, the child has in its own memory
        ended, status, usage = self._watch(pid, job, start)
        wall = time.monotonic() - start
        left = self._leftovers(pid) | (not self._scratch.clean())
        cpu = usage.ru_utime + usage.ru_stime
        self._channel.done(
            job["seq"], ended, status, int(wall * 1e9), int(cpu * 1e9), usage.ru_maxrss, left
        )

    def _watch(self, pid: int, job: dict[str, Any], start: float) -> tuple[int, int, Any]:
        """Wait for a child; kill it when its time is up."""
        clock, wake = (~pid << 3) | 2, [signal.SIGCHLD]
        cpu_limit, wall_limit, per_call = job["cpu"], job["wall"], job["per_call"]
        pause = min(cpu_limit / 2, wall_limit, 0.25, *(per_call or (1.0,)))
        while True:
            signal.sigtimedwait(wake, max(pause, 0.004))
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                return EXITED, status, usage
            wall_left = wall_limit - (time.monotonic() - start)
            try:
                cpu = time.clock_gettime(clock)
            except OSError:  # a kernel that shows no other process's clock: RLIMIT_CPU is left
                cpu = 0.0
            cpu_left = min(cpu_limit - cpu, self._call_left(per_call, cpu))
            if cpu_left < 0 or wall_left < 0:
                os.kill(pid, signal.SIGKILL)
                _, status, usage = os.wait4(pid, 0)
                return CPU if cpu_left < 0 else CLOCK, status, usage
            pause = min(cpu_left / 2, wall_left, 0.25)

    def _call_left(self, per_call: tuple[float, ...], cpu: float) -> float:
        """Return the CPU seconds left to the call that runs."""
        if not per_call:
            return 1.0
        call, begun = PROGRESS.unpack_from(self._page, 0)
        if call == IDLE:
            return 1.0
        limit = per_call[call] if call < len(per_call) else max(per_call)
        return float(limit - (cpu - begun))

    def _leftovers(self, pid: int) -> int:
        """End whatever a child left running; return whether there was something."""
        if not self._isolated:
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
        for _ in range(1000):
            try:
                found, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 0
            if found == 0 and self._isolated:
                os.kill(-1, signal.SIGKILL)
                while True:
                    try:
                        os.waitpid(-1, 0)
                    except ChildProcessError:
                        return DIRTY
        return DIRTY

    def _child(self, job: dict[str, Any]) -> None:
        """Confine this process and run the job; does not return."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        calls_only = job["mode"] == "calls"
        files = self._channel.files(None if calls_only else job["stdin"])
        _descriptors(files)
        if not self._isolated:
            os.setsid()
            with contextlib.suppress(OSError):
                confine.die_with_parent()
        confine.limit(job, job["file_size"])
        if self._filter is not None:
            self._filter.install(os.getpid())
        report = Report(3, self._page)
        if calls_only:
            calls.run(job, self._inputs[job["inputs"]], report)
            os._exit(0)
        os._exit(programs.run(job, report))


def _descriptors(files: tuple[int, int, int]) -> None:
    """Leave 0, 1, 2 and the result file as 3.

    Without an input, output is /dev/null too. Standard streams are opened anew, as flags of an
    open file outlast who set them.
    """
    stdin, result, stdout = files
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    if stdin >= 0:
        os.dup2(stdin, 0)
    # Duplicates above all numbers in use first, so that no dup2 closes one still needed.
    result, stdout = os.dup(result), os.dup(stdout)
    os.dup2(result, 3, inheritable=False)
    if stdin >= 0:
        os.dup2(stdout, 1)
    os.closerange(4, 256)


def preload(names: tuple[str, ...]) -> str:
    """Import what solutions often need, warm the compiler up, and return why a name failed."""
    missing = ""
    for name in PRELOAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing = f"{name} cannot be loaded: {error}".strip().splitlines()[0]
    compile("def f(x):\n    return [y for y in x if y]\n", "<warm>", "exec")
    with contextlib.suppress(ValueError, RuntimeError):
        # RLIMIT_STACK would be the default for threads, and twenty of those would fill the limit.
        threading.stack_size(8 * 2**20)
    return missing


def main(channel: Channel) -> None:
    """Take the setup message, get ready, say so, and serve."""
    first = channel.receive()
    if first is None:
        return
    setup = marshal.loads(first)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    with contextlib.suppress(OSError, AttributeError):
        confine.die_with_parent()
    sys.path[:] = [p for p in sys.path if p and not p.startswith("/run/")] + setup["packages"]
    missing = preload(tuple(setup["preload"]))
    zygote = Zygote(channel, setup)
    gc.collect()
    gc.freeze()
    ready = {
        "protocol": 1,
        "python": sys.version.split()[0],
        "pid": os.getpid(),
        "uid": os.getuid(),
        "missing": missing,
    }
    channel.say(json.dumps(ready).encode())
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        zygote.serve()


def main_stream() -> None:
    """Serve over standard input and output, for containers."""
    main(Stream())
