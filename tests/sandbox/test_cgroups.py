"""Control groups are looked for in their own mounts, bite where they can be made, and are optional.

Whether they are of version 1 or 2 is the machine's choice; the tests hold for both.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.sandbox import cgroups
from harness.sandbox.job import MEMORY, Program
from harness.sandbox.namespaces import open_pool, probe

works = pytest.mark.skipif(not probe().works, reason=probe().why)
grouped = pytest.mark.skipif(
    "cgroups" not in probe().layers, reason="no control groups can be made here"
)


def test_mounts_of_other_kinds_and_closed_folders_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {
        "/proc/self/cgroup": "4:memory:/a\n0::/b\n",
        "/proc/self/mounts": (
            "/dev/vda /var/lib/containers/storage/overlay ext4 rw 0 0\n"
            "cgroup /closed/memory cgroup rw,memory 0 0\n"
            "cgroup2 /closed/two cgroup2 rw 0 0\n"
        ),
    }
    monkeypatch.setattr(Path, "read_text", lambda self: files[str(self)])

    def stat(path: object, **_: object) -> None:
        assert str(path).startswith("/closed"), path
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.stat", stat)
    assert cgroups._hierarchies() == [
        (Path("/closed/memory"), ("memory.limit_in_bytes",)),
        (Path("/closed/two"), ("memory.max", "pids.max")),
    ]


@grouped
def test_the_cap_on_memory_ends_a_child_and_not_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """128 MiB for the group, far below an execution's own address space."""
    monkeypatch.setattr(cgroups, "EXTRA", 2**27 - MEMORY)
    large, small = "print(len(bytearray(b'x') * 2**28))", "print(len(bytearray(b'x') * 2**20))"
    with open_pool(1) as pool:
        found = list(pool.run([Program(code, b"") for code in (small, large, small, large)]))
        assert groups() != []
    ends = ["finished", "memory_limit"] * 2
    assert [one.end for one in found] == ends, found
    assert groups() == []


BOMB = """
import os, sys
for folder in sys.argv[1:]:
    with open(folder + "/cgroup.procs", "w") as file:
        file.write("0")
read, write = os.pipe()
count = 0
try:
    while count < 400:
        if os.fork() == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        count += 1
except OSError as error:
    print(count, error.errno)
"""


@grouped
def test_a_fork_bomb_in_a_group_is_contained() -> None:
    """By a process of our own: the filter of system calls keeps executions from forking at all."""
    group = cgroups.create(MEMORY)
    assert group is not None
    try:
        folders = [str(folder) for folder in group.folders]
        done = subprocess.run(
            [sys.executable, "-S", "-c", BOMB, *folders], capture_output=True, text=True
        )
        assert done.stdout.split() == [str(cgroups.TASKS - 1), "11"], done
    finally:
        group.remove()
    assert groups() == []


def groups() -> list[Path]:
    """Return the groups of workers that there are."""
    own = f"{cgroups.PREFIX}-{os.getpid()}-*"
    return [path for parent, _ in cgroups._hierarchies() for path in parent.glob(own)]


@works
def test_where_groups_cannot_be_entered_code_runs_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = cgroups.Group((tmp_path / "closed",))
    monkeypatch.setattr(cgroups, "create", lambda memory: closed)
    with open_pool(1) as pool:
        (found,) = pool.run([Program("print(1)", b"")])
        assert found.stdout == b"1\n"
        layers = pool.describe()["layers"]
        assert isinstance(layers, list) and "cgroups" not in layers
