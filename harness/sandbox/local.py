"""No isolation: the same workers with resource limits only, for those who insist.

Code that runs here can read every file that you can, use the network and leave processes behind.
"""

from __future__ import annotations

from harness.errors import ConfigError
from harness.sandbox.job import Availability
from harness.sandbox.pool import Pool
from harness.sandbox.worker import Worker

NAME = "unsafe-local"


def open_pool(workers: int | None = None, unsafe_local: bool = False) -> Pool:
    """Return workers without isolation.

    Raises:
        ConfigError: not asked for in so many words.
    """
    if not unsafe_local:
        raise ConfigError(
            "unsafe-local runs model-written code with all your rights: files, network, processes; "
            "if this machine is worth nothing, say --unsafe-local-code"
        )
    return Pool(
        NAME,
        lambda preload: Worker(preload, isolate=False),
        workers,
        test=None,
        facts={"isolation": "none"},
    )


def probe() -> Availability:
    """Say what it is; it works wherever Linux does."""
    return Availability(NAME, True, "no isolation; needs --unsafe-local-code", ("rlimits",))
