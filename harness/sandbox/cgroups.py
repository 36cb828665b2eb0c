"""Control groups, where this process may make them: a cap on memory and tasks of a whole worker.

Never required, as address space and threads are limited per process in any case; a group also
counts memory files and tells us when the machine's memory killer struck inside.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox import delegation

PREFIX = "prm-sandbox"
TASKS = 128
EXTRA = 2**30
"""Bytes beyond an execution's address space: the zygote, result files and /tmp."""
_FIXED = (("pids.max", str(TASKS)), ("memory.swap.max", "0"), ("memory.swappiness", "0"))
"""Without swap, as the cap on memory counts none: code would slow the machine, not end.
`memory.oom.group` stays 0: the zygote outlives its child, and says that memory was the cause."""
_numbers = itertools.count()


@dataclass(slots=True)
class Group:
    """The groups of one worker: one folder per hierarchy."""

    folders: tuple[Path, ...]
    memory: int = 0

    def allow(self, memory: int) -> None:
        """Raise the cap on memory, if an execution may use more than any before."""
        if memory <= self.memory:
            return
        for folder in self.folders:
            for name in ("memory.max", "memory.limit_in_bytes"):
                if (folder / name).exists():
                    (folder / name).write_text(str(memory + EXTRA))
        self.memory = memory

    def killed(self) -> int:
        """Return how many processes were killed for memory in here."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError):
                    for line in (folder / name).read_text().splitlines():
                        key, _, count = line.partition(" ")
                        if key == "oom_kill":
                            return int(count)
        return 0

    def remove(self) -> None:
        """Remove the folders, once all processes in them have gone."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:  # the last process is not quite gone
                    time.sleep(0.002)
                else:
                    break


def create(memory: int) -> Group | None:
    """Make groups for a worker; None where that cannot be done."""
    name = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
    folders = []
    for parent, files in _hierarchies():
        delegation.make_room(parent)
        folder = parent / name
        try:
            folder.mkdir()
        except OSError:
            continue
        if not all((folder / file).exists() for file in files):
            folder.rmdir()
            continue
        folders.append(folder)
    if not folders:
        return None
    group = Group(tuple(folders))
    try:
        group.allow(memory)
        for folder in folders:
            for file, value in _FIXED:
                if (folder / file).exists():
                    (folder / file).write_text(value)
    except OSError:
        group.remove()
        return None
    return group


def sweep() -> None:
    """Remove groups that processes left which were killed before they could tidy up."""
    for parent, _ in _hierarchies():
        for folder in parent.glob(f"{PREFIX}-*"):
            owner = folder.name.split("-")[2]
            if not (owner.isdigit() and Path(f"/proc/{owner}").exists()):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _hierarchies() -> list[tuple[Path, tuple[str, ...]]]:
    """Return this process's own folders, with the files that a group below must have."""
    try:
        own = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return []
    found: list[tuple[Path, tuple[str, ...]]] = []
    for mount in mounts:
        point, kind, options = Path(mount[1]), mount[2], mount[3].split(",")
        if kind not in ("cgroup", "cgroup2"):
            continue
        for _, controllers, path in own:
            below = point / path.lstrip("/")
            place = below if os.path.isdir(below) else point  # False, too, where we may not look
            if kind == "cgroup2" and not controllers:
                found.append((delegation.below(place), ("memory.max", "pids.max")))
            elif kind == "cgroup" and controllers == "memory" and "memory" in options:
                found.append((place, ("memory.limit_in_bytes",)))
            elif kind == "cgroup" and controllers == "pids" and "pids" in options:
                found.append((place, ("pids.max",)))
    return found
