"""Runs the calls of one job in an interpreter of its own, for services that only run programs.

No zygote, no filter: isolation is the service's. What came out is written to standard output in one
line after a word that only the asking side knows beforehand; the code under test could read that
word, and gains nothing, because a forged line says no more than forged answers would.
"""

from __future__ import annotations

import base64
import contextlib
import marshal
import os
import resource
import struct
import time

from . import calls
from .parcel import Parcel
from .report import Report

HEAD = struct.Struct("<dQ")
"""CPU seconds, bytes of results."""


class Collected(Report):
    """Frames kept in memory."""

    def __init__(self) -> None:
        super().__init__(-1, bytearray(16))
        self.data = bytearray()

    def _put(self, data: bytes) -> None:
        self.data += data


def main(job_text: str, word: str) -> None:
    """Run a job and write what came out."""
    job = Parcel(memoryview(bytearray(base64.b64decode(job_text)))).open()
    back = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(job["cpu"]) + 1, int(job["cpu"]) + 2))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (job["memory"], job["memory"]))
    report = Collected()
    write, leave, clock = os.write, os._exit, time.process_time
    calls.run(job, marshal.loads(job["load"]), report)
    head = HEAD.pack(clock(), len(report.data))
    line = f"\n{word} ".encode() + base64.b64encode(head + report.data) + b"\n"
    view = memoryview(line)
    while view:
        view = view[write(back, view) :]
    leave(0)
