"""Makes a version 2 group that is this process's own able to limit groups below it.

A group that has processes cannot hand memory and tasks on to groups below ("no internal
processes"), and a process that was given a group starts in it: `systemd-run --scope -p
Delegate=yes`, or a container that may write its own. So the process moves itself into a group
below, once; the limits of its own group hold on. Where others' processes are, nothing is moved.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

LEAF = "prm-harness"
CONTROLLERS = ("memory", "pids")


def below(own: Path) -> Path:
    """Return the group that workers' groups go below, for a process in `own`."""
    return own.parent if own.name == LEAF else own


def make_room(group: Path) -> None:
    """Have `group` hand its controllers on, if it has them and all processes in it are ours.

    Leaves everything as it was where that is not so or not allowed.
    """
    try:
        able = (group / "cgroup.controllers").read_text().split()
        handed = (group / "cgroup.subtree_control").read_text().split()
        processes = [int(line) for line in (group / "cgroup.procs").read_text().split()]
    except (OSError, ValueError):  # not there, or not for us to read
        return
    missing = [name for name in CONTROLLERS if name not in handed]
    if not missing or not set(missing) <= set(able):
        return
    if os.getpid() not in processes or not all(map(_ours, processes)):
        return
    leaf = group / LEAF
    try:
        leaf.mkdir(exist_ok=True)
        _move(processes, leaf)
        (group / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in missing))
    except OSError:  # the folder is ours but not its files, or somebody has come into it
        with contextlib.suppress(OSError):
            _move(processes, group)
        with contextlib.suppress(OSError):
            leaf.rmdir()


def _move(processes: list[int], group: Path) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            (group / "cgroup.procs").write_text(str(pid))


def _ours(pid: int) -> bool:
    """Whether a process is this one or comes from it."""
    while pid > 0:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # it has ended, and with it what it could hinder
            return False
    return False
