"""Inside the processes of an engine: end them when the process that started them is gone.

A killed run must leave nothing behind, and an engine notices only that its own parent is gone, not
its user. Importing this module in a worker begins to watch.
"""

from __future__ import annotations

import os
import select
import signal
import threading

WATCHED = "PRM_HARNESS_PID"
"""Environment: the process to which the engine belongs."""


def begin() -> None:
    """Watch that process from another thread, unless this is it."""
    owner = int(os.environ.get(WATCHED, 0))
    if owner and owner != os.getpid():
        parent = os.getppid()
        core = os.getpid() if parent == owner else parent
        threading.Thread(target=_watch, args=(owner, core), daemon=True).start()


def _watch(owner: int, core: int) -> None:
    """Wait until `owner` is gone, then kill the engine's own process: its workers follow."""
    try:
        handle = os.pidfd_open(owner)
        select.select([handle], [], [])
    except ProcessLookupError:  # gone already
        pass
    os.kill(core, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


begin()
