"""This process does the work, one unit after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from harness.runner.spread.station import Station
from harness.runner.spread.work import Said, Source, Unit, Work

logger = logging.getLogger(__name__)


class Local:
    """Works here; see `harness.runner.spread.work.Executor`."""

    def __init__(self) -> None:
        self._station = Station()

    def do(self, work: Work[Unit], source: Source[Unit], title: str) -> Iterator[tuple[str, Said]]:
        """Do every unit, in order."""
        act = work.at(self._station)
        while (found := source.take(None)) is not None:
            name, unit = found
            logger.info("unit %s of %s", name, title)
            for said in act(unit):
                yield name, said

    def release(self) -> None:
        """Close what was opened."""
        self._station.close()
