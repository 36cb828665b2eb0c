"""The one object that the driver and the runner tell what they do.

Without a recorder and a trace it only counts, in well under a microsecond or two per call
(``python -m benchmarks.telemetry``). Calls come from the thread that works; readings may be taken
from any.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from harness.errors import ConfigError, LimitReached, UserError
from harness.telemetry.account import Account
from harness.telemetry.limits import Limits
from harness.telemetry.meter import AtWork, Counts, Meter, Rates, Reading, Role
from harness.telemetry.recorder import Recorder
from harness.telemetry.trace import Kept, Trace
from harness.types import Gauges, Tokens


@runtime_checkable
class Gauged(Protocol):
    """A policy's stream that can say what its engine is doing; optional."""

    def gauges(self) -> Gauges:
        """Return figures of this moment.

        Called from another thread while the stream works: it must neither wait nor raise.
        """
        ...


class Telemetry:
    """What happens in one launch."""

    def __init__(
        self,
        limits: Limits | None = None,
        trace: Trace | Kept | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Args: what may be spent, where spans go, seconds for tests."""
        self.limits = limits or Limits()
        self.trace = trace
        self.flops = 0.0
        """Of policies and PRMs, since the launch."""
        self._clock, self._began = clock, clock()
        self.zero = time.time()
        """Unix seconds of the launch."""
        self.kept = False
        """Whether anything is finished, in this launch or before."""
        self._worked = False
        self._stream: Gauged | None = None
        self._recorder: Recorder | None = None
        self._staged = False
        self._meter = Meter("", "", 0, 0, 0.0)

    def now(self) -> float:
        """Seconds since the launch."""
        return self._clock() - self._began

    # --- stages ---

    def start(self, stage: str, total: int, done: int, unit: str) -> None:
        """Begin a stage."""
        self._meter = Meter(stage, unit, done, total, self.now())
        self.kept |= done > 0
        self._staged = True

    def advance(self, things: int) -> None:
        """Note that so many more are finished."""
        self._meter.done += things
        self._worked = self.kept = True

    def finish(self) -> None:
        """End the stage."""
        owed = self._meter.total > self._meter.begun
        if self._recorder is not None and self._staged and owed:
            self._recorder.write(self.read(Rates()), end=True)  # rates over the whole stage
        self._staged = False

    # --- what is done ---

    def opened(self, stream: object) -> None:
        """Ask this stream of a policy for its gauges from now on, if it has any."""
        self._meter.base = self._meter.work["policy"].decoded
        self._stream = stream if isinstance(stream, Gauged) else None

    def closed(self) -> None:
        """Ask it no more."""
        self._stream = None
        self.dropped()

    def dropped(self) -> None:
        """Note that the policy gives back nothing of what it was handed."""
        self._meter.in_flight = 0

    def submitted(self, drafts: int) -> float:
        """Note that drafts go to the policy; return when."""
        self._meter.in_flight += drafts
        return self.now()

    def wrote(self, who: str, what: str, drafts: int, since: float, tokens: Tokens) -> None:
        """Note a policy's reply to a request that was submitted at `since`."""
        self._meter.in_flight = max(0, self._meter.in_flight - drafts)
        self._meter.count("policy", tokens)
        if self.trace is not None:
            facts = {"drafts": drafts, "tokens": tokens.decode}
            self.trace.request(f"policy {who}", what, since, self.now(), **facts)

    def judged(self, tokens: Tokens) -> None:
        """Note a PRM's reply."""
        self._meter.count("PRM", tokens)

    def spent(self, flops: float) -> None:
        """Note operations of a policy or a PRM; NaN: nobody knows."""
        self.flops += flops

    @contextmanager
    def starting(self, what: str) -> Iterator[None]:
        """Note that a model, an engine or a cluster is being started, and all else waits."""
        meter, began = self._meter, self.now()
        meter.starting = what
        try:
            yield
        finally:
            meter.starting = ""
            meter.started += self.now() - began
            if self.trace is not None:
                self.trace.span("starting", what, began, self.now())

    # --- workers elsewhere ---

    def counts(self) -> dict[Role, Counts]:
        """Return what was counted in this stage, by role."""
        now = self.now()
        return {role: work.counts(now) for role, work in self._meter.work.items()}

    def at_work(self) -> AtWork:
        """Return what the policy has at work here."""
        return self._meter.at_work(self._gauges())

    def add(self, worker: int, account: Account) -> None:
        """Note what a worker elsewhere did."""
        meter = self._meter
        for role, counts in account.counts.items():
            meter.work[role].add(counts)
        meter.lent += account.seconds
        meter.elsewhere[worker] = account.at_work
        self.flops += account.flops
        if isinstance(self.trace, Trace):
            for event in account.events:
                self.trace.place(f"worker {worker} ", event, self.zero)

    def hired(self, worker: int) -> None:
        """Note that a worker elsewhere is being started."""
        self._meter.elsewhere[worker] = AtWork(starting="workers")

    def joined(self, worker: int) -> None:
        """Note that a worker elsewhere is there."""
        self._meter.elsewhere[worker] = AtWork()

    def lost(self, worker: int) -> None:
        """Note that a worker elsewhere is gone, with what it had at work."""
        self._meter.elsewhere.pop(worker, None)

    # --- calls ---

    def span(self, role: Role, who: str, what: str) -> Span:
        """Return a context for a call, or several, of a role: it is busy meanwhile."""
        return Span(self, role, who, what)

    def check(self) -> None:
        """Stop if a limit is used up. Nothing is in the middle of anything where this is called.

        A launch does something before it stops, so that launches, however short, come to an end.

        Raises:
            LimitReached: says which.
        """
        if not self._worked:
            return
        why = self.limits.reached(self.now(), self.flops)
        if why is not None:
            raise LimitReached(why)

    # --- who looks ---

    def read(self, rates: Rates) -> Reading:
        """Return the figures of this moment; `rates` belongs to whoever asks."""
        return self._meter.read(self.now(), rates, self._gauges(), self.flops)

    def _gauges(self) -> Gauges | None:
        stream = self._stream
        return stream.gauges() if stream is not None else None

    def look(self, rates: Rates) -> Reading | None:
        """Return the figures; None between stages."""
        return self.read(rates) if self._staged else None

    @contextmanager
    def recording(self, path: Path) -> Iterator[None]:
        """Write readings to `path` meanwhile; a mistake that comes up is told what is kept."""
        rates = Rates()
        self._recorder = Recorder(path, lambda: self.look(rates))
        try:
            yield
        except UserError as error:  # a server that refuses the ten thousandth request, say
            error.kept = self.kept and not isinstance(error, ConfigError)
            raise
        finally:
            self._recorder.close()
            if self._staged:  # it was interrupted
                self.finish()
            self._recorder = None

    def close(self) -> None:
        """Finish the trace."""
        if self.trace is not None:
            self.trace.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def ran(self, worker: int, what: str, since: float) -> None:
        """Note what a sandbox's worker did since `since`; see `harness.sandbox.job.Observer`."""
        if self.trace is not None:
            self.trace.span(f"sandbox worker {worker + 1}", what, since, self.now())


class Span:
    """A call under way."""

    __slots__ = ("_role", "_since", "_telemetry", "_what", "_who", "_work")

    def __init__(self, telemetry: Telemetry, role: Role, who: str, what: str) -> None:
        self._telemetry, self._role, self._who, self._what = telemetry, role, who, what
        self._work = telemetry._meter.work[role]
        self._since = 0.0

    def __enter__(self) -> None:
        self._since = self._telemetry.now()
        self._work.enter(self._since)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        telemetry, now = self._telemetry, self._telemetry.now()
        self._work.leave(now)
        telemetry._worked = True
        if telemetry.trace is not None:
            telemetry.trace.span(f"{self._role} {self._who}", self._what, self._since, now)
