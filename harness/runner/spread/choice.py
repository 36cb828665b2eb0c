"""Which executor does the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.config import RayConfig
from harness.runner.spread.local import Local
from harness.runner.spread.need import check_room
from harness.runner.spread.work import Executor
from harness.telemetry.telemetry import Telemetry


@contextmanager
def executor_of(engine: str, ray: RayConfig, telemetry: Telemetry) -> Iterator[Executor]:
    """Give the executor of an engine, which `telemetry` hears of, and end it.

    Raises:
        MissingDependency: Ray is asked for and not installed.
        ConfigError: workers are asked for that this machine has no room for.
    """
    check_room(engine, ray)
    if engine != "ray":
        yield Local(telemetry)
        return
    from harness.runner.spread.ray import RayExecutor

    executor = RayExecutor(ray, telemetry)
    try:
        yield executor
    finally:
        executor.close()
