"""A service that runs programs, spoken to as SandboxFusion is: ``POST /run_code``.

A real program is sent as it is. Calls are sent as a program that makes them and prints what came
back, still without any expected output. How well the service isolates is its own affair, and the
results say only its address. An answer ``SandboxError``, or none, is never the code's fault.
"""

from __future__ import annotations

import base64
import binascii
import json
import marshal
import os
import secrets
import struct
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from harness.errors import ConfigError
from harness.sandbox import stream
from harness.sandbox.inside import alone, channel
from harness.sandbox.job import Availability, Calls, Execution, Job
from harness.sandbox.messages import RESULT, Held, message
from harness.sandbox.outcome import Done, execution

NAME = "remote"
TRIES = 3
VARIABLE = "HARNESS_SANDBOX_URL"
_AHEAD = 4


def address(url: str | None) -> str:
    """Return the service's address, from the argument or the environment.

    Raises:
        ConfigError: there is none, or it is none.
    """
    url = url or os.environ.get(VARIABLE, "")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(
            f"the remote sandbox needs an address such as http://localhost:8080, not {url!r} "
            f"(--sandbox-url, or {VARIABLE})"
        )
    return url.rstrip("/")


def probe() -> Availability:
    """Say whether an address is set; nothing is sent."""
    if url := os.environ.get(VARIABLE):
        return Availability(NAME, True, f"{VARIABLE} is {url}; not tried", ("remote",))
    return Availability(NAME, False, f"no address; set {VARIABLE} to a SandboxFusion service")


class RemoteSandbox:
    """Runs jobs on a service, a few at a time; see `harness.sandbox.job.Sandbox`."""

    name = NAME

    def __init__(self, url: str, workers: int | None = None) -> None:
        self._url = url
        self._count = workers or 4
        self._threads: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is being asked; nothing else is held."""
        if self._threads:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None

    def describe(self) -> dict[str, Any]:
        """Backend and where it is; what isolates there is not known here."""
        parts = urlsplit(self._url)
        place = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        return {"backend": NAME, "url": place, "layers": ["remote"], "workers": self._count}

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        """Run jobs and yield their executions in order."""
        self._threads = self._threads or ThreadPoolExecutor(self._count)
        asked: deque[Future[Execution]] = deque()
        try:
            for job in jobs:
                asked.append(self._threads.submit(self._run, job))
                if len(asked) >= _AHEAD * self._count:
                    yield asked.popleft().result()
            while asked:
                yield asked.popleft().result()
        finally:
            for future in asked:
                future.cancel()

    def _run(self, job: Job) -> Execution:
        """Ask for one execution, three times if need be."""
        why = ""
        for attempt in range(TRIES):
            try:
                found = self._once(job)
            except (OSError, ValueError, KeyError, TypeError) as error:
                why = f"{type(error).__name__}: {error}"[:200]
                time.sleep(0.2 * attempt)
                continue
            if found is not None:
                return found
            why = why or "the service says SandboxError"
        return Execution("sandbox_error", reason=f"{why}, {TRIES} times")

    def _once(self, job: Job) -> Execution | None:
        """Ask once; None if the service failed."""
        word = secrets.token_hex(16)
        body = {
            "code": _wrapped(job, word) if isinstance(job, Calls) else job.code,
            "language": "python",
            "stdin": "" if isinstance(job, Calls) else job.stdin.decode("utf-8", "replace"),
            "run_timeout": job.limits.clock,
            "memory_limit_MB": job.limits.memory // 2**20,
        }
        start = time.monotonic()
        request = urllib.request.Request(
            f"{self._url}/run_code",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=job.limits.clock + 60) as reply:
            said = json.loads(reply.read(2 * RESULT))
        if said["status"] == "SandboxError" or not isinstance(said.get("run_result"), dict):
            return None
        return _read(job, said["run_result"], word, time.monotonic() - start)


def _wrapped(job: Calls, word: str) -> str:
    """Return a program that runs the job and prints what came out."""
    data = base64.b64encode(message(0, job, Held(), threads=False)).decode()
    sources = base64.b64encode(marshal.dumps(stream.sources(), 2)).decode()
    boot = stream.BOOT.partition("def take")[0] + "import base64\n"
    boot += f"sources = marshal.loads(base64.b64decode({sources!r}))\n"
    boot += stream.BOOT[stream.BOOT.index("class Inside") : stream.BOOT.index("from inside")]
    return (
        boot + f"from inside import alone\nsys.meta_path.pop(0)\nalone.main({data!r}, {word!r})\n"
    )


def _read(job: Job, said: dict[str, Any], word: str, wall: float) -> Execution | None:
    """Return the execution that an answer tells of."""
    output = str(said.get("stdout") or "").encode("utf-8", "surrogatepass")
    code, status = said.get("return_code"), said["status"]
    ended = channel.CLOCK if status == "TimeLimitExceeded" else channel.EXITED
    code = code if type(code) is int else 0 if status == "Finished" else 1
    # As wait(2) would say it: negative codes are signals.
    waited = -code & 0x7F if code < 0 else (code & 0xFF) << 8
    seconds = float(said.get("execution_time") or wall)
    result, cpu = b"", seconds
    if isinstance(job, Calls):
        found = _line(output, word)
        output = b""
        if found is not None:
            waited, (cpu, result) = 0, found
    # No filter there: a SIGKILL may be the code's own, or the service's limit.
    done = Done(
        0, ended, waited, seconds, cpu, 0, False, result, output, len(result), filtered=False
    )
    return execution(job, done)


def _line(output: bytes, word: str) -> tuple[float, bytes] | None:
    """Return what our line in the output says, None if there is no such line."""
    _, found, rest = output.rpartition(f"\n{word} ".encode())
    if not found:
        return None
    try:
        data = base64.b64decode(rest.split(b"\n")[0], validate=True)
        cpu, size = alone.HEAD.unpack_from(data)
    except (binascii.Error, ValueError, struct.error):
        return None
    start = alone.HEAD.size
    if start + size != len(data) or not 0 <= cpu < 1e9:
        return None
    return cpu, data[start:]
