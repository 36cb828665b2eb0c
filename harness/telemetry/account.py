"""What a worker elsewhere did and does, on its way to the one that it works for.

A worker has a telemetry of its own, and gives account of it now and then
(`harness.runner.spread.accounts`); the run's adds what it hears (`Telemetry.add`). Accounts are
sums since the last one, so that nothing is counted twice, and what the worker has at work then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.telemetry.meter import AtWork, Counts, Role
from harness.telemetry.trace import Event


@dataclass(frozen=True, slots=True)
class Account:
    """What a worker did since its last account."""

    seconds: float
    """That it was at a unit."""
    counts: Mapping[Role, Counts]
    flops: float
    at_work: AtWork
    """At this moment."""
    events: Sequence[Event] = ()
    """Of a trace, in Unix seconds."""
