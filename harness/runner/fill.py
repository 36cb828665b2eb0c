"""Fill a log with the units of a work, whoever does them."""

from __future__ import annotations

from collections import Counter

from harness.runner.launch import Launch
from harness.runner.spread.work import Done, Limited, Lost, Source, Tick, Unit, Work
from harness.store.log import LogWriter


def fill(log: LogWriter, work: Work[Unit], source: Source[Unit], launch: Launch) -> None:
    """Do what is owed of a log; every unit is on the disk before the next one is heard of.

    Raises:
        LimitReached: between units.
    """
    under_way: Counter[str] = Counter()
    limited = Limited(source, launch.telemetry)
    for name, said in launch.executor.do(work, limited, str(log.path)):
        if isinstance(said, Tick):
            under_way[name] += said.things
            launch.progress.advance(said.things)
        elif isinstance(said, Done):
            log.append(name, said.records, said.seconds, said.usage)
            del under_way[name]
        elif isinstance(said, Lost):
            launch.progress.advance(-under_way.pop(name, 0))
    limited.check()
