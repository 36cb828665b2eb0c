"""This process does the work, one unit after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from harness.runner.spread.station import Station
from harness.runner.spread.work import Act, Said, Source, Unit, Work
from harness.telemetry.telemetry import Telemetry

logger = logging.getLogger(__name__)


class Local:
    """Works here; see `harness.runner.spread.work.Executor`."""

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        """Args: hears of all that is done."""
        self._station = Station(telemetry)

    def do(self, work: Work[Unit], source: Source[Unit], title: str) -> Iterator[tuple[str, Said]]:
        """Do every unit, in order; models are loaded where there is one."""
        act: Act[Unit] | None = None
        while (found := source.take(None)) is not None:
            name, unit = found
            act = act or work.at(self._station)
            logger.info("unit %s of %s", name, title)
            for said in act(unit):
                yield name, said

    def release(self) -> None:
        """Close what was opened."""
        self._station.close()
