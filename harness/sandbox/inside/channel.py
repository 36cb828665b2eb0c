"""How the zygote talks with the trusted side: a packet socket and shared files, or a byte stream.

Towards the zygote go marshalled jobs of the trusted side. Back goes one fixed record per job; what
the code under test wrote stays in the files, which the trusted side reads for itself (`Packets`),
or follows the record as bytes (`Stream`).
"""

from __future__ import annotations

import fcntl
import os
import struct

DONE = struct.Struct("<QBiQQQIQQ")
"""seq, how it ended, wait status, clock ns, CPU ns, peak resident KiB, flags, size of the result,
size of the output."""
EXITED, CPU, CLOCK, LOST = range(4)
"""How the zygote saw a child end: by itself · over its CPU time · over the clock · not started."""
DIRTY = 1
"""Flag: something stayed behind; the worker is not to be used again."""
INLINE = 48 * 1024
"""Bytes of a message that go through the socket; longer ones lie in the job file."""
_LENGTH = struct.Struct("<Q")


class Channel:
    """What both ways have in common."""

    def __init__(self, result: int, out: int) -> None:
        self._result = result
        self._out = out

    def receive(self) -> memoryview | None:
        """Return the next message, None when the trusted side has gone.

        It lies in one buffer, of which there is no copy: see `Parcel`.
        """
        raise NotImplementedError

    def say(self, message: bytes) -> None:
        """Send one message."""
        raise NotImplementedError

    def rewind(self) -> None:
        """Prepare the files for the next execution; the trusted side has emptied its own."""
        for file in (self._result, self._out):
            os.lseek(file, 0, os.SEEK_SET)
            fcntl.fcntl(file, fcntl.F_SETFL, 0)  # a child may have set some

    def done(
        self, seq: int, ended: int, status: int, wall: int, cpu: int, memory: int, flags: int
    ) -> None:
        """Report the end of an execution."""
        sizes = os.fstat(self._result).st_size, os.fstat(self._out).st_size
        self.say(DONE.pack(seq, ended, status, wall, cpu, memory, flags, *sizes))

    def files(self, stdin: bytes | None) -> tuple[int, int, int]:
        """Return descriptors of standard input (-1: none), result and output, for a child."""
        if stdin is None:
            return -1, self._result, self._out
        file = memory_file()
        view = memoryview(stdin)
        while view:
            view = view[os.write(file, view) :]
        os.lseek(file, 0, os.SEEK_SET)
        return file, self._result, self._out


class Packets(Channel):
    """A SOCK_SEQPACKET socket; result, output and long jobs in files shared with the outside."""

    def __init__(self, control: int, result: int, out: int, job: int) -> None:
        super().__init__(result, out)
        self._control = control
        self._job = job
        self._short = memoryview(bytearray(INLINE + 64))

    def receive(self) -> memoryview | None:
        """Return the next message, None when the trusted side has gone."""
        size = os.readv(self._control, [self._short])
        if not size:
            return None
        if self._short[0] == ord("I"):
            return self._short[1:size]
        (size,) = _LENGTH.unpack_from(self._short, 1)
        message, offset = memoryview(bytearray(size)), 0
        while offset < size:
            done = os.preadv(self._job, [message[offset:]], offset)
            if not done:
                return None
            offset += done
        return message

    def say(self, message: bytes) -> None:
        """Send one message."""
        os.write(self._control, message)


class Stream(Channel):
    """Standard input and output of a container, each message after its length."""

    def __init__(self) -> None:
        super().__init__(memory_file(), memory_file())
        # The code under test must find neither: it gets /dev/null as 0 and 1.
        self._in, self._back = os.dup(0), os.dup(1)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        os.close(null)

    def receive(self) -> memoryview | None:
        """Return the next message, None when the trusted side has gone."""
        head = self._read(_LENGTH.size)
        return None if head is None else self._read(_LENGTH.unpack(head)[0])

    def _read(self, size: int) -> memoryview | None:
        data, offset = memoryview(bytearray(size)), 0
        while offset < size:
            done = os.readv(self._in, [data[offset : offset + 2**20]])
            if not done:
                return None
            offset += done
        return data

    def say(self, message: bytes) -> None:
        """Send one message."""
        self._write(_LENGTH.pack(len(message)) + message)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._back, view) :]

    def rewind(self) -> None:
        """Empty the files and go to their start."""
        for file in (self._result, self._out):
            os.ftruncate(file, 0)
            os.fchmod(file, 0o700)
        super().rewind()

    def done(
        self, seq: int, ended: int, status: int, wall: int, cpu: int, memory: int, flags: int
    ) -> None:
        """Report the end of an execution, and what it left."""
        super().done(seq, ended, status, wall, cpu, memory, flags)
        for file in (self._result, self._out):
            size = os.fstat(file).st_size
            self._write(_LENGTH.pack(size))
            offset = 0
            while offset < size:
                chunk = os.pread(file, min(2**20, size - offset), offset)
                self._write(chunk)
                offset += len(chunk)


def memory_file() -> int:
    """Return a new file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sandbox", os.MFD_CLOEXEC)
    import tempfile  # only where there are no memory files; it imports much

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
