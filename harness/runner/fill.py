"""Fill a log with the units of a work, whoever does them."""

from __future__ import annotations

import time
from collections import Counter

from harness.runner.progress import Progress
from harness.runner.spread.work import Done, Executor, Lost, Source, Tick, Unit, Work
from harness.store.log import LogWriter


def fill(
    log: LogWriter,
    work: Work[Unit],
    source: Source[Unit],
    executor: Executor,
    progress: Progress,
) -> None:
    """Do what is owed of a log; every unit is on the disk before the next one is heard of."""
    under_way: Counter[str] = Counter()
    tokens, start = 0, time.perf_counter()
    for name, said in executor.do(work, source, str(log.path)):
        if isinstance(said, Tick):
            under_way[name] += said.things
            tokens += said.tokens
            rate = tokens / max(time.perf_counter() - start, 1e-9)
            progress.advance(said.things, f"{rate:,.0f} tokens/s" if tokens else "")
        elif isinstance(said, Done):
            log.append(name, said.records, said.seconds, said.usage)
            del under_way[name]
        elif isinstance(said, Lost):
            progress.advance(-under_way.pop(name, 0))
