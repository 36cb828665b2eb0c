"""One worker as the trusted side sees it: a process, a packet socket and three shared files.

The files (result, output, long jobs) live in memory and are handed over when the worker starts.
A child writes into the first two; they are read here only after it is dead, and emptied.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import time
from dataclasses import dataclass

from harness.errors import InfrastructureError
from harness.sandbox import cgroups, plan
from harness.sandbox.inside import channel
from harness.sandbox.job import MEMORY, Job
from harness.sandbox.messages import RESULT, Held, message
from harness.sandbox.outcome import Done

START_SECONDS = 60.0
"""Clock time for a worker to come up: 0.1 s on an idle machine."""
GRACE_SECONDS = 5.0
"""Clock time beyond a job's own after which a silent worker is given up."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker that has come up."""

    layers: tuple[str, ...]
    python: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A worker that has ended or does not start."""

    why: str


Event = Ready | Done | Gone | None
"""What a worker said; None for what only the worker object needs to know."""


class Worker:
    """A zygote behind a packet socket, isolated or (`isolate` False) merely limited."""

    def __init__(self, preload: plan.Preload, isolate: bool) -> None:
        self.preload = preload
        self.deadline = time.monotonic() + START_SECONDS
        self.runs = 0
        self._isolate = isolate
        self._held = Held()
        self._pid: int | None = None
        self._launcher: subprocess.Popen[bytes] | None = None
        self._layers: tuple[str, ...] = ()
        self._threads = isolate
        self._group = cgroups.create(MEMORY) if isolate else None
        self._joined = False
        self._killed = 0
        self._files: list[int] = []
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._files = [channel.memory_file() for _ in range(3)]
            self._mode = stat.S_IMODE(os.fstat(self._files[0]).st_mode)
            self._start(theirs)
        except BaseException:
            self.close()
            raise
        finally:
            theirs.close()

    def _start(self, theirs: socket.socket) -> None:
        """Start the launcher and send the setup message, which waits in the socket."""
        folders = [str(folder) for folder in self._group.folders] if self._group else []
        files = (theirs.fileno(), *self._files)
        orders = json.dumps(plan.launch(self.preload, self._isolate, files, folders))
        script = str(plan.INSIDE / "launch.py")
        try:
            self._launcher = subprocess.Popen(
                [plan.interpreter(), "-s", "-P", "-S", script, orders],
                pass_fds=files,
                env=dict(plan.ENVIRONMENT),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
        except OSError as error:
            raise InfrastructureError(f"cannot start a sandbox worker: {error}") from error
        self._send(plan.marshalled_setup(self.preload, self._isolate, filtered=self._isolate))

    @property
    def pid(self) -> int | None:
        """The zygote's process id as this machine counts, once it is known."""
        return self._pid

    def fileno(self) -> int:
        """The descriptor that becomes readable when the worker says something or ends."""
        return self._control.fileno()

    def give(self, seq: int, job: Job) -> None:
        """Hand a job to the idle worker."""
        if self._group:
            self._group.allow(job.limits.memory)
        self.deadline = time.monotonic() + job.limits.clock + GRACE_SECONDS
        self._send(message(seq, job, self._held, self._threads))

    def _send(self, text: bytes) -> None:
        """Send a message; a worker that is gone is noticed when it is heard."""
        if len(text) < channel.INLINE:
            packet = b"I" + text
        else:
            os.ftruncate(self._files[2], 0)
            view, offset = memoryview(text), 0
            while offset < len(text):
                offset += os.pwrite(self._files[2], view[offset:], offset)
            packet = b"F" + struct.pack("<Q", len(text))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(packet)

    def hear(self) -> Event:
        """Read what the worker said."""
        try:
            packet = self._control.recv(65536)
        except ConnectionResetError:
            packet = b""
        if not packet:
            return Gone("the worker ended")
        if self.deadline_is_start:
            return self._hear_start(packet)
        if len(packet) != channel.DONE.size:
            return Gone("the worker spoke out of turn")
        return self._done(packet)

    deadline_is_start = True
    """Whether the worker is still coming up."""

    def _hear_start(self, packet: bytes) -> Event:
        """Read one of the messages of a start: process id, error, ready."""
        try:
            said = json.loads(packet)
        except ValueError:
            return Gone("the worker spoke out of turn")
        if "error" in said:
            return Gone(str(said["error"]))
        if "python" in said:
            self.deadline_is_start, self.deadline = False, float("inf")
            self._threads = "uid" in self._layers or (self._isolate and plan.threads_counted())
            return Ready(self._layers, str(said["python"]))
        self._joined = bool(said.get("joined"))
        self._pid, self._layers = int(said["pid"]), self._all_layers(said.get("layers", ()))
        if self._isolate and self._launcher:
            self._launcher.wait()
        return None

    def _all_layers(self, namespaces: tuple[str, ...]) -> tuple[str, ...]:
        more = ("seccomp", "no-new-privs", "read-only-root") if self._isolate else ()
        groups = ("cgroups",) if self._group and self._joined else ()
        return (*namespaces, *more, *groups, "rlimits")

    def _done(self, packet: bytes) -> Done:
        """Return the record of an execution, with the bytes that it left."""
        seq, ended, status, wall, cpu, memory, flags, size, _ = channel.DONE.unpack(packet)
        self.runs, self.deadline = self.runs + 1, float("inf")
        killed = self._killed
        if self._group and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            killed = self._group.killed()
        before, self._killed = self._killed, killed
        return Done(
            seq=seq,
            ended=ended,
            status=status,
            wall=wall / 1e9,
            cpu=cpu / 1e9,
            memory=memory * 1024,
            dirty=bool(flags & channel.DIRTY),
            result=self._take(self._files[0], RESULT),
            output=self._take(self._files[1], None),
            result_size=size,
            killed_for_memory=killed > before,
            filtered=self._isolate,
        )

    def _take(self, file: int, limit: int | None) -> bytes:
        """Read a file that a child has left, and empty it."""
        found = os.fstat(file)
        size = found.st_size
        if stat.S_IMODE(found.st_mode) != self._mode:  # a child may have changed it
            os.fchmod(file, self._mode)
        if size == 0 and found.st_blocks == 0:
            return b""
        parts, offset = [], 0
        while limit is None or size <= limit:
            part = os.pread(file, 2**24, offset)
            if not part:
                break
            parts.append(part)
            offset += len(part)
        os.ftruncate(file, 0)
        return b"".join(parts)

    def close(self) -> None:
        """End the worker and all that runs in it, reap it, and give back what it held."""
        if self._launcher:
            if self._isolate:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._launcher.wait(START_SECONDS)
                self._read_pid()
            self._launcher.kill()
            self._launcher.wait()
        self._control.close()
        for file in self._files:
            os.close(file)
        self._files = []
        if self._pid is not None and self._isolate:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            self._pid = None
        if self._group:
            self._group.remove()

    def _read_pid(self) -> None:
        """Learn the process id of a worker that is ended before its first message was heard."""
        self._control.setblocking(False)
        while self._pid is None:
            try:
                packet = self._control.recv(65536)
            except OSError:
                return
            if not packet or self._hear_start(packet) is not None:
                return
