"""Which executor does the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.config import RayConfig
from harness.runner.spread.local import Local
from harness.runner.spread.work import Executor, Say, unsaid
from harness.telemetry.telemetry import Telemetry


@contextmanager
def executor_of(
    engine: str, ray: RayConfig, telemetry: Telemetry, say: Say = unsaid
) -> Iterator[Executor]:
    """Give the executor of an engine, and end it; `harness.runner.spread.need.check_room` comes
    first, before anything is written.

    Args:
        engine: of the sweep.
        ray: how a cluster is used.
        telemetry: hears of all that is done.
        say: tells the user of lost workers.
    """
    if engine != "ray":
        yield Local(telemetry)
        return
    from harness.runner.spread.ray import RayExecutor

    executor = RayExecutor(ray, telemetry, say)
    try:
        yield executor
    finally:
        executor.close()
