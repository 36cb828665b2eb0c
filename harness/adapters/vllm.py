"""The vLLM engine, which works in processes of its own: its start, its work, its end.

Token ids go in and come out, and no tokenizer is opened over there. What the engine's processes
print goes to a file, of which the line that matters is shown if they fail. They end with
`Engine.close`; should this process die first, they notice (`harness.adapters.watch`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any

from harness.adapters import complaints, vllm_settings
from harness.adapters.checkpoint import Checkpoint
from harness.adapters.vllm_settings import Settings, environment, threads
from harness.errors import (
    ConfigError,
    HarnessError,
    InfrastructureError,
)


class Engine:
    """A running engine.

    Raises:
        ConfigError: a model or quantization that vLLM does not run.
        InfrastructureError: it did not start: memory, mostly.
    """

    def __init__(
        self,
        found: Checkpoint,
        config: Any,
        how: Settings,
        length: int,
        arguments: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Args: a model's files and config; the longest sequence; what gives more of vLLM's
        `EngineArgs`, asked where it may import vLLM."""
        self._name = found.name
        if found.foreign is not None:
            raise ConfigError(
                f"{found.name}: vLLM gets no code of a checkpoint to run: use engine=transformers"
            )
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - the engine's processes write to it
        self._sockets = tempfile.TemporaryDirectory(prefix="vllm-")
        """Where processes meet; vLLM leaves its sockets behind."""
        self._engine: Any = None
        self._told: list[str] = []
        """How its process ended, if it did by itself."""
        self._next = 0
        self._open: set[str] = set()
        """Requests under way."""
        self._others: list[Any] = []
        """Outputs that came while somebody waited for others."""
        try:
            own = {**threads(how), "VLLM_RPC_BASE_PATH": self._sockets.name}
            with self._aside(), environment(own), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from vllm import EngineArgs, LLMEngine

                logging.getLogger("vllm").setLevel(logging.ERROR)  # its part of this process
                given = EngineArgs(
                    model=str(found.folder),
                    skip_tokenizer_init=True,
                    trust_remote_code=False,
                    disable_log_stats=True,
                    max_model_len=length,
                    **vllm_settings.arguments(how, config, length),
                    **arguments(),
                )
                self._engine = LLMEngine.from_engine_args(given)
                logging.getLogger("vllm").setLevel(logging.ERROR)  # which it has set meanwhile
                _announce(self._engine, self._told)
        except HarnessError:
            raise
        except Exception as error:
            raise self._failure(error) from error

    @property
    def alive(self) -> bool:
        """Whether it was neither closed nor failed."""
        return self._engine is not None

    def run(
        self, prompts: Sequence[Sequence[int]], params: Sequence[Any], adapter: Any = None
    ) -> list[Any]:
        """Return vLLM's output of each prompt, in order; see `submit`.

        Raises:
            InfrastructureError: the engine died.
        """
        pairs = zip(prompts, params, strict=True)
        numbers = {self.submit(ids, own, adapter): i for i, (ids, own) in enumerate(pairs)}
        found, others = [None] * len(prompts), list[Any]()
        owed = set(numbers)
        while owed:
            for output in self.step():
                if output.request_id not in numbers:
                    others.append(output)
                elif output.finished:
                    found[numbers[output.request_id]] = output
                    owed.discard(output.request_id)
        self._others += others
        return found

    def submit(self, ids: Sequence[int], params: Any, adapter: Any = None) -> str:
        """Hand in a prompt; return its name.

        Args:
            ids: Tokens.
            params: vLLM's parameters of sampling or pooling.
            adapter: vLLM's request for an adapter.
        """
        name = str(self._next)
        self._next += 1
        prompt = {"type": "token", "prompt_token_ids": list(ids)}
        try:
            self._engine.add_request(name, prompt, params, lora_request=adapter)
        except Exception as error:
            raise self._failure(error) from error
        self._open.add(name)
        return name

    def step(self) -> list[Any]:
        """Wait for vLLM's next outputs; there has to be something to wait for.

        Raises:
            InfrastructureError: the engine died.
        """
        found, self._others = self._others, []
        try:
            while not found:
                found = self._engine.step()
        except Exception as error:
            raise self._failure(error) from error
        except BaseException:  # interrupted: what is under way belongs to nobody
            self.close()
            raise
        self._open.difference_update(output.request_id for output in found if output.finished)
        return found

    def drop(self, names: Iterable[str] | None = None) -> None:
        """Give up requests; None: all of them."""
        given_up = [name for name in (self._open if names is None else names) if name in self._open]
        if given_up:
            self._engine.abort_request(given_up)
            self._open.difference_update(given_up)
        if names is None:
            self._others = []

    def call(self, method: str, *arguments: Any) -> None:
        """Call a method of the workers' extension."""
        try:
            self._engine.collective_rpc(method, args=arguments)
        except Exception as error:
            raise self._failure(error) from error

    def forget(self) -> None:
        """Drop the keys and values of everything read."""
        self._engine.reset_prefix_cache()

    def close(self) -> None:
        """End the engine's processes; calling it twice is allowed."""
        engine, self._engine = self._engine, None
        if engine is not None:
            with self._aside():
                _end(engine)
        self._log.close()
        self._sockets.cleanup()

    def _failure(self, error: Exception) -> HarnessError:
        """Return what failed in one line, from the error or from what the processes printed."""
        size = os.fstat(self._log.fileno()).st_size
        said = f"{os.pread(self._log.fileno(), size, 0).decode(errors='replace')}\n{error}"
        said = "\n".join([said, *self._told])
        engine, self._engine = self._engine, None
        if engine is not None:
            with self._aside(), contextlib.suppress(Exception):
                _end(engine)
        self._log.close()
        self._sockets.cleanup()
        if known := complaints.known(said, self._name):
            return known
        why = complaints.last(said) or type(error).__name__
        handle, path = tempfile.mkstemp(prefix="prm-harness-vllm-", suffix=".log")
        with open(handle, "w") as file:
            file.write(said)
        return InfrastructureError(f"{self._name}: vLLM failed ({why}); what it said is in {path}")

    @contextlib.contextmanager
    def _aside(self) -> Iterator[None]:
        """Send what this process and those that it starts print to the log."""
        sys.stdout.flush()
        sys.stderr.flush()
        kept = [(stream, os.dup(stream)) for stream in (1, 2)]
        try:
            for stream, _ in kept:
                os.dup2(self._log.fileno(), stream)
            # What shows bars puts a stream of its own in the place of these.
            with (
                contextlib.redirect_stdout(sys.__stdout__),
                contextlib.redirect_stderr(sys.__stderr__),
            ):
                yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for stream, own in kept:
                os.dup2(own, stream)
                os.close(own)


def _announce(engine: Any, told: list[str]) -> None:
    """Let whoever waits for an engine's outputs know that its process is gone.

    vLLM notices too, but tells only who asks next: a wait that has begun would never end.
    """
    core = engine.engine_core
    processes = tuple(getattr(core.resources.engine_manager, "processes", ()))
    queue = core.outputs_queue

    def watch() -> None:
        connection.wait([process.sentinel for process in processes])
        end, codes = time.monotonic() + _LAST, list[int]()
        while not codes and time.monotonic() < end:  # vLLM may be the one who fetches the code
            codes = [process.exitcode for process in processes if process.exitcode is not None]
            time.sleep(0.01)
        told.append(f"EngineGone: the engine's process ended with code {codes[:1]}")
        queue.put(EngineGone())

    if processes:
        threading.Thread(target=watch, daemon=True).start()


class EngineGone(Exception):
    """The engine's process ended by itself or was killed."""


_LAST = 10.0
"""Seconds for which the end of a killed process is waited for."""


def _end(engine: Any) -> None:
    """End an engine's processes, and their workers: they are gone when this returns."""
    manager = getattr(engine.engine_core.resources, "engine_manager", None)
    processes = tuple(getattr(manager, "processes", ()))
    workers = [handle for process in processes for handle in _children(process.pid)]
    engine.engine_core.shutdown()
    for process in processes:
        process.join(_LAST)
    for handle in workers:
        if not select.select([handle], [], [], _LAST)[0]:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            select.select([handle], [], [], _LAST)  # a process that is killed is not gone at once
        os.close(handle)


def _children(pid: int) -> Iterator[int]:
    """Yield handles of a process's children, which are ready to read when they end."""
    for told in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            for child in told.read_text().split():
                yield os.pidfd_open(int(child))
