"""What a worker elsewhere did and does, on its way to the one that it works for.

A worker has a telemetry of its own, and gives account of it now and then (`Accounts`); the run's
adds what it hears (`Telemetry.add`). Accounts are sums since the last one, so that nothing is
counted twice, and what the worker has at work at that moment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.telemetry.meter import AtWork, Counts, Role
from harness.telemetry.trace import Event, Kept

if TYPE_CHECKING:
    from harness.telemetry.telemetry import Telemetry

PERIOD = 0.5
"""Seconds between the accounts of a unit; its end has one in any case."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a worker did since its last account."""

    seconds: float
    """That it was at a unit."""
    counts: Mapping[Role, Counts]
    flops: float
    at_work: AtWork
    """At this moment."""
    events: Sequence[Event] = field(default=())
    """Of a trace, in Unix seconds."""


class Accounts:
    """Gives account of a worker's telemetry."""

    def __init__(self, telemetry: Telemetry, traced: bool) -> None:
        """Args: the worker's; whether the run writes a trace."""
        self._telemetry = telemetry
        self._kept = Kept() if traced else None
        telemetry.trace = self._kept
        self._zero = time.time() - telemetry.now()
        """Unix seconds of the telemetry's beginning."""
        self._last = telemetry.now()
        self._given: dict[Role, Counts] = {}
        self._flops = 0.0

    def begin(self) -> None:
        """Note that a unit begins: until now the worker had none."""
        self._last = self._telemetry.now()

    def due(self) -> Account | None:
        """Return an account if it is time for one."""
        return self.give() if self._telemetry.now() - self._last >= PERIOD else None

    def give(self) -> Account:
        """Return what was done since the last account."""
        telemetry, now = self._telemetry, self._telemetry.now()
        counts = telemetry.counts()
        account = Account(
            now - self._last,
            {role: sums - self._given.get(role, Counts()) for role, sums in counts.items()},
            telemetry.flops - self._flops,
            telemetry.at_work(),
            self._kept.take(self._zero) if self._kept is not None else (),
        )
        self._given, self._last, self._flops = counts, now, telemetry.flops
        return account
