"""What a worker says of its own telemetry: accounts, now and then."""

from __future__ import annotations

from harness.telemetry.account import Account
from harness.telemetry.meter import AtWork, Counts, Role
from harness.telemetry.telemetry import Telemetry
from harness.telemetry.trace import Kept

PERIOD = 0.5
"""Seconds between the accounts of a unit; what is written down has one in any case."""


class Accounts:
    """Gives account of a worker's telemetry."""

    def __init__(self, telemetry: Telemetry, traced: bool) -> None:
        """Args: the worker's; whether the run writes a trace."""
        self._telemetry = telemetry
        self._kept = Kept() if traced else None
        telemetry.trace = self._kept
        self._last = telemetry.now()
        self._given: dict[Role, Counts] = {}
        self._flops = 0.0

    def starting(self, what: str) -> Account:
        """Return what says that the worker's next unit waits for something to start."""
        return Account(0.0, {}, 0.0, AtWork(starting=what))

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
            self._kept.take(telemetry.zero) if self._kept is not None else (),
        )
        self._given, self._last, self._flops = counts, now, telemetry.flops
        return account
