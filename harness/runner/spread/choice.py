"""Which executor does the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from harness.config import RayConfig
from harness.errors import MissingDependency
from harness.runner.spread.local import Local
from harness.runner.spread.work import Executor
from harness.telemetry.telemetry import Telemetry


@contextmanager
def executor_of(engine: str, ray: RayConfig, telemetry: Telemetry) -> Iterator[Executor]:
    """Give the executor of an engine, which `telemetry` hears of, and end it.

    Raises:
        MissingDependency: Ray is asked for and not installed.
    """
    if engine != "ray":
        yield Local(telemetry)
        return
    if find_spec("ray") is None:
        raise MissingDependency("--engine ray", "ray")
    from harness.runner.spread.ray import RayExecutor

    executor = RayExecutor(ray, telemetry)
    try:
        yield executor
    finally:
        executor.close()
