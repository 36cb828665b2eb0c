"""A worker at the other end of a byte stream: a container's standard input and output.

The sources of the zygote go in first, so that nothing has to be mounted or installed there; then
the same messages as elsewhere, each after its length. Results come back behind the record of their
execution. The code under test has /dev/null as its 0 and 1 and cannot write to this stream.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import marshal
import os
import re
import struct
import subprocess
import tempfile
import time
from typing import Any

from harness.errors import InfrastructureError
from harness.sandbox import plan
from harness.sandbox.inside import channel
from harness.sandbox.job import Job
from harness.sandbox.messages import RESULT, Held, message
from harness.sandbox.outcome import Done
from harness.sandbox.worker import GRACE_SECONDS, START_SECONDS, Event, Gone, Ready

_LENGTH = struct.Struct("<Q")
_numbers = itertools.count()
COMPLAINT = 1000
"""Bytes of a command's standard error that are worth reading."""
_ADVICE = re.compile(r"(Run|See) '.* --help'")
"""What docker ends with, whatever the error."""
BOOT = f"""
import importlib.abc, importlib.util, marshal, os, sys
bare = {plan.ENVIRONMENT!r}
if os.environ.keys() - bare.keys() - {{"LC_CTYPE"}}:
    # Names of the engine, the image and the user's proxies; none is left in the new program.
    os.execve(sys.executable, sys.orig_argv, bare)
def take(size):
    data = b""
    while len(data) < size:
        chunk = os.read(0, size - len(data))
        if not chunk:
            os._exit(1)
        data += chunk
    return data
sources = marshal.loads(take(int.from_bytes(take(8), "little")))
class Inside(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name in sources:
            package = name == "inside"
            return importlib.util.spec_from_loader(name, self, is_package=package)
    def exec_module(self, module):
        exec(compile(sources[module.__name__], module.__name__, "exec"), module.__dict__)
sys.meta_path.insert(0, Inside())
from inside import zygote
sys.meta_path.pop(0)
zygote.main_stream()
"""


def sources() -> dict[str, str]:
    """Return the modules that run inside, by name."""
    found = {path.stem: path.read_text("utf-8") for path in plan.INSIDE.glob("*.py")}
    return {
        "inside" if name == "__init__" else f"inside.{name}": text for name, text in found.items()
    }


class StreamWorker:
    """A zygote behind the standard streams of a command; see `Worker`."""

    def __init__(
        self,
        preload: plan.Preload,
        command: list[str],
        layers: tuple[str, ...],
        kill: list[str],
        isolated: bool = True,
    ) -> None:
        self.preload = preload
        self.deadline = time.monotonic() + START_SECONDS
        self.runs = 0
        self._layers = layers
        self._kill = kill
        self._held = Held()
        self._ready = False
        self._received = bytearray()
        # What the engine complains of; the code under test has no way to write there.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the worker
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                process_group=0,  # Ctrl-C is for the parent, which then ends its workers
            )
        except OSError as error:
            self._errors.close()
            raise InfrastructureError(f"cannot start {command[0]}: {error}") from error
        self._send(marshal.dumps(sources(), 2))
        self._send(plan.marshalled_setup(preload, isolated, filtered=True))

    @property
    def pid(self) -> int | None:
        """The process id of the command; what runs in a container is not its child."""
        return self._process.pid

    def fileno(self) -> int:
        """The descriptor that becomes readable when the worker says something or ends."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def give(self, seq: int, job: Job) -> None:
        """Hand a job to the idle worker."""
        self.deadline = time.monotonic() + job.limits.clock + GRACE_SECONDS
        self._send(message(seq, job, self._held, threads=False))

    def _send(self, text: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(_LENGTH.pack(len(text)) + text)
        with contextlib.suppress(BrokenPipeError):
            while view:
                view = view[os.write(self._process.stdin.fileno(), view) :]

    def hear(self) -> Event:
        """Read some of what the worker said; an event once it is whole."""
        chunk = os.read(self.fileno(), 2**20)
        if not chunk:
            return Gone(f"the container ended{self._complaint()}")
        self._received += chunk
        if not self._ready:
            return self._hear_ready()
        parts = self._parts(3)
        if parts is None:
            return None
        if len(parts) < 3 or len(parts[0]) != channel.DONE.size:
            return Gone("the container spoke out of turn")
        self.deadline, self.runs = float("inf"), self.runs + 1
        seq, ended, status, wall, cpu, memory, flags, size, _ = channel.DONE.unpack(parts[0])
        dirty = bool(flags & channel.DIRTY)
        times = {"wall": wall / 1e9, "cpu": cpu / 1e9}
        return Done(
            seq, ended, status, **times, memory=memory * 1024, dirty=dirty, result=parts[1],
            output=parts[2], result_size=size,
        )  # fmt: skip

    def _hear_ready(self) -> Event:
        """Read the message that says that the zygote has come up."""
        parts = self._parts(1)
        if parts is None:
            return None
        try:
            said: Any = json.loads(parts[0])
            python, missing = str(said["python"]), str(said["missing"])
        except (ValueError, KeyError, TypeError, IndexError):
            return Gone("the container spoke out of turn")
        if missing:  # code would fail that is right elsewhere
            return Gone(f"in the container, {missing}")
        self._ready, self.deadline = True, float("inf")
        return Ready(self._layers, python)

    def _complaint(self) -> str:
        """Return what the command complains of on standard error, if it does."""
        size = os.fstat(self._errors.fileno()).st_size
        tail = os.pread(self._errors.fileno(), COMPLAINT, max(0, size - COMPLAINT))
        line = complaint(tail.decode("utf-8", "replace"))
        return f": {line}" if line else ""

    def _parts(self, count: int) -> list[bytes] | None:
        """Return so many messages once they are all there; too few if one is impossibly long."""
        ends = [0]
        for _ in range(count):
            start = ends[-1] + _LENGTH.size
            if start > len(self._received):
                return None
            (size,) = _LENGTH.unpack_from(self._received, ends[-1])
            if size > 2 * RESULT:
                return []
            ends.append(start + size)
        if ends[-1] > len(self._received):
            return None
        found = [bytes(self._received[a + _LENGTH.size : b]) for a, b in itertools.pairwise(ends)]
        del self._received[: ends[-1]]
        return found

    def close(self) -> None:
        """End the worker: hang up, which an idle one obeys at once, else by force."""
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            if self._kill:
                subprocess.run(self._kill, capture_output=True, timeout=30, check=False)
            self._process.kill()
            self._process.wait()
        self._errors.close()


def complaint(said: str) -> str:
    """Return the last line that says what is wrong, nothing if there is none."""
    lines = (line.strip() for line in reversed(said.splitlines()))
    return next((line for line in lines if line and not _ADVICE.match(line)), "")


def name() -> str:
    """Return a name for a container that no other process of ours uses."""
    return f"prm-sandbox-{os.getpid()}-{next(_numbers)}"
