"""Which executor a sweep asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from harness.config import Sweep
from harness.errors import MissingDependency
from harness.runner.spread.local import Local
from harness.runner.spread.work import Executor


@contextmanager
def executor_of(sweep: Sweep) -> Iterator[Executor]:
    """Give the executor of a sweep, and end it.

    Raises:
        MissingDependency: Ray is asked for and not installed.
    """
    if sweep.engine != "ray":
        yield Local()
        return
    if find_spec("ray") is None:
        raise MissingDependency("--engine ray", "ray")
    from harness.runner.spread.ray import RayExecutor

    executor = RayExecutor(sweep.ray)
    try:
        yield executor
    finally:
        executor.close()
