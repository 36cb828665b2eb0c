"""What reference solutions gave, kept on disk from one run to the next.

Running the references of MBPP+ takes as long as grading a model's solutions, and gives the same
every time. A file holds what one reference gave for its calls: a line of JSON with kinds, sizes and
CPU seconds, then the bytes of the values; the first line of all is the SHA-256 of what follows. A
file that is not whole is as good as none. Seconds are the machine's own, so machine, interpreter,
sandbox and version of the harness are in a file's name, as is every byte that the reference read.

The folder is HARNESS_CACHE, or the user's cache folder; it can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness import __version__
from harness.digest import digest
from harness.sandbox.job import Calls, Execution, Job, Returned, Sandbox

VARIABLE = "HARNESS_CACHE"
FORMAT = 1
"""Goes up with every change of what the sandbox gives back for the same calls."""


def cache_folder() -> Path:
    """Return where results of references are kept."""
    from platformdirs import user_cache_path

    own = os.environ.get(VARIABLE)
    return (Path(own) if own else user_cache_path("prm-harness")) / "references"


class References:
    """Runs reference solutions in a sandbox, unless what they give is known."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self._sandbox = sandbox
        self._folder = folder
        python = [platform.python_implementation(), platform.python_version()]
        self._where = [FORMAT, __version__, sandbox.name, *python, platform.node(), _processor()]

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        """Yield one execution per job, in order."""
        asked: deque[tuple[Path, Execution | None]] = deque()

        def unknown() -> Iterator[Job]:
            for job in jobs:
                path = self._path(job)
                asked.append((path, _read(path)))
                if asked[-1][1] is None:
                    yield job

        for execution in self._sandbox.run(unknown()):
            while (known := asked.popleft())[1] is not None:
                yield known[1]
            if execution.end == "finished":
                _write(known[0], execution)
            yield execution
        for _, rest in asked:
            assert rest is not None
            yield rest

    def _path(self, job: Job) -> Path:
        assert isinstance(job, Calls)
        limits = [job.limits.cpu, job.limits.memory]
        parts = [job.code, job.entry, job.inputs.digest, job.style, job.as_set, [*job.raw], limits]
        name = digest([*self._where, *parts])
        return self._folder / name[:2] / name


def _processor() -> str:
    """Return the processor's name; times on another are others."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _write(path: Path, execution: Execution) -> None:
    """Keep an execution; a folder that cannot be written to keeps nothing."""
    head = {
        "kinds": [returned.kind for returned in execution.returned],
        "lengths": [len(returned.data) for returned in execution.returned],
        "sizes": [returned.size for returned in execution.returned],
        "call_seconds": execution.call_seconds,
        "cpu_seconds": execution.cpu_seconds,
    }
    data = b"".join(returned.data for returned in execution.returned)
    body = zlib.compress(json.dumps(head).encode() + b"\n" + data, 1)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        temporary.replace(path)


def _read(path: Path) -> Execution | None:
    """Return what was kept, None if nothing was or not all of it is there."""
    try:
        check, _, body = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(body).hexdigest().encode() != check:
        return None
    first, _, data = zlib.decompress(body).partition(b"\n")
    head = json.loads(first)
    returned, offset = [], 0
    for kind, length, size in zip(head["kinds"], head["lengths"], head["sizes"], strict=True):
        returned.append(Returned(kind, data[offset : offset + length], size))
        offset += length
    return Execution(
        "finished",
        tuple(returned),
        cpu_seconds=head["cpu_seconds"],
        call_seconds=tuple(head["call_seconds"]),
    )
