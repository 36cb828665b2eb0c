"""What goes into a sandbox and what comes out of it: read this file first.

A *job* holds code and inputs, never an expected output; an *execution* says what happened and
carries what came back, as bytes that `harness.sandbox.values` reads. Whether that is right is for
graders to say: nothing in here, and nothing in the process that runs the code, knows a verdict of
``passed`` or ``wrong_answer``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias, get_args

from harness.types import Json

MEMORY = 4 * 2**30
OUTPUT = 64 * 2**20

End = Literal[
    "finished",
    "compile_error",
    "runtime_error",
    "timeout",
    "memory_limit",
    "output_limit",
    "sandbox_violation",
    "sandbox_error",
]
"""How an execution ended: every call returned or raised (a program: exit status 0) · the code does
not compile · it raised at import, lacks the entry point, exited early or was killed by a signal (a
program: exit status not 0) · CPU or clock time · memory · output · it did what only an attack
does · the sandbox itself failed, which says nothing about the code."""

ENDS: tuple[End, ...] = get_args(End)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one execution may use. Time is CPU time, so that a busy machine changes no verdict; the
    clock is a backstop at three times the CPU time and ten seconds more."""

    cpu: float = 10.0
    """Seconds for the whole execution: import and all calls."""
    per_call: tuple[float, ...] = ()
    """Seconds for each call; one number serves for all, none means only `cpu` counts."""
    memory: int = MEMORY
    """Bytes of address space."""
    output: int = OUTPUT
    """Bytes on standard output."""
    wall: float | None = None
    """Seconds by the clock; None is the backstop above."""

    @property
    def clock(self) -> float:
        """Seconds by the clock after which an execution is ended, whatever it does."""
        return 3 * self.cpu + 10 if self.wall is None else self.wall


@dataclass(frozen=True, slots=True)
class Inputs:
    """Argument lists of the calls of one problem, sent to a worker once and shared by its jobs."""

    calls: tuple[tuple[object, ...], ...]
    """One tuple of positional arguments per call, of plain exact builtins: None, bool, int, float,
    complex, str, bytes, list, tuple, set, frozenset, dict."""
    digest: str
    """Identity; equal digests mean equal calls."""


@dataclass(frozen=True, slots=True)
class Calls:
    """Execute `code` once, then call `entry` with each input, in order, in the same process.

    A call that raises is recorded and the next one is made, unless `stop_on_error`.
    """

    code: str
    entry: str
    """A global name, or ``Solution.method``: the method of a fresh ``Solution()``. Not read in
    style ``livecodebench program``."""
    inputs: Inputs
    limits: Limits = Limits()
    style: Literal["evalplus", "livecodebench", "livecodebench program"] = "evalplus"
    """How the code is executed: in an empty namespace whose ``__name__`` is ``builtins`` and with
    the recursion depth that EvalPlus leaves; or as a module with LiveCodeBench's imports before it
    and its recursion limit of 50,000; or, bug for bug, in LiveCodeBench's emulation of a program: a
    call's one argument is the text of its standard input, its value is what it printed."""
    stop_on_error: bool = False
    raw: tuple[int, ...] = ()
    """Calls whose value comes back whole, however large (up to the result limit)."""
    as_set: bool = False
    """Return ``set(value)`` of every value that is iterable and no exact builtin (iterators)."""


@dataclass(frozen=True, slots=True)
class Program:
    """Run `code` as a program, ``__name__ == "__main__"``, with `stdin` on descriptor 0; its
    threads are waited for."""

    code: str
    stdin: bytes
    limits: Limits = Limits()


Job: TypeAlias = Calls | Program


@dataclass(frozen=True, slots=True)
class Returned:
    """What one call gave."""

    kind: Literal["value", "tagged", "large", "raised", "out_of_memory"]
    """Exact builtins · a tree that names other types (`harness.sandbox.values`) · only the digest,
    because the encoding is long · an exception · MemoryError."""
    data: bytes
    """The encoded value; for ``large`` BLAKE2b of the encoding, 32 bytes; for ``raised`` the
    exception's type and message as UTF-8 text of at most 2,000 bytes."""
    size: int = 0
    """Bytes of the whole encoding."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What happened to one job."""

    end: End
    returned: tuple[Returned, ...] = ()
    """One per call that ended, in order; fewer than the calls unless `end` is ``finished``."""
    stdout: bytes = b""
    """Of a program."""
    reason: str = ""
    """In a few words; from the code's own exceptions at most 2,000 characters."""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    call_seconds: tuple[float, ...] = ()
    """CPU seconds of each call that ended, for reference times."""
    memory: int = 0
    """Peak resident bytes."""


class Sandbox(Protocol):
    """Runs jobs in isolation; a context manager that owns its workers. Not for several threads."""

    name: str
    """Of the backend."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def run(self, jobs: Iterable[Job]) -> Iterator[Execution]:
        """Run jobs on all workers and yield one execution per job, in their order.

        Jobs are drawn as workers become free, a little ahead of what was yielded; a lazy iterable
        is never held whole. An execution that the sandbox lost is tried three times in all before
        it is a ``sandbox_error``.

        Raises:
            InfrastructureError: workers do not start at all.
        """
        ...

    def describe(self) -> dict[str, Json]:
        """Backend, layers of isolation, workers, and once one runs its Python: for provenance."""
        ...

    def close(self) -> None:
        """End all workers; they start again with the next job."""
        ...


class Observer(Protocol):
    """Hears when the workers of a sandbox were busy."""

    def now(self) -> float:
        """Return seconds, by its own clock."""
        ...

    def ran(self, worker: int, what: str, since: float) -> None:
        """Hear that worker `worker`, from 0, has done `what`, begun at `since`."""
        ...


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a backend works on this machine."""

    backend: str
    works: bool
    why: str
    """What was tried and what it said; if it does not work, what to do about it."""
    layers: tuple[str, ...] = field(default=())
