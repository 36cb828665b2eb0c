"""A version 2 group of this process's own is made to limit workers, and nobody else is moved.

The trees are made up of plain files: what is written to them is what the kernel would be told.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.sandbox import cgroups, delegation

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Make a group with processes, which this process is told is its own."""

    def make(
        processes: list[int], controllers: str = "cpu memory pids", leaf: bool = False
    ) -> Path:
        own = tmp_path / "own"
        own.mkdir()
        (own / "cgroup.controllers").write_text(controllers + "\n")
        (own / "cgroup.subtree_control").write_text("memory pids\n" if leaf else "\n")
        (own / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in processes))
        name = f"own/{delegation.LEAF}" if leaf else "own"
        (tmp_path / name).mkdir(exist_ok=True)
        read, mkdir = Path.read_text, Path.mkdir
        proc = {
            "/proc/self/cgroup": f"0::/{name}\n",
            "/proc/self/mounts": f"cgroup2 {tmp_path} cgroup2 rw 0 0\n",
        }

        def make_folder(self: Path, *a: int, **k: bool) -> None:
            """As the kernel does: controllers that are enabled above have their files below."""
            mkdir(self, *a, **k)
            if "memory" in read(self.parent / "cgroup.subtree_control"):
                for file in ("memory.max", "memory.swap.max", "pids.max"):
                    (self / file).write_text("max\n")

        monkeypatch.setattr(Path, "read_text", lambda self: proc.get(str(self)) or read(self))
        monkeypatch.setattr(Path, "mkdir", make_folder)
        return own

    return make


def test_the_process_moves_below_its_own_group_which_can_then_limit_others(tree: Tree) -> None:
    own = tree([os.getpid()])
    group = cgroups.create(2**30)
    assert (own / delegation.LEAF / "cgroup.procs").read_text() == str(os.getpid())
    assert (own / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert group is not None
    (folder,) = group.folders
    assert folder.parent == own
    assert (folder / "memory.max").read_text() == str(2**31)
    assert (folder / "pids.max").read_text() == "128"


def test_a_worker_may_not_swap_or_its_cap_would_not_hold(tree: Tree) -> None:
    tree([os.getpid()])
    group = cgroups.create(2**30)
    assert group is not None
    assert (group.folders[0] / "memory.swap.max").read_text() == "0"


def test_processes_that_this_one_started_move_with_it(tree: Tree) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        own = tree([os.getpid(), child.pid])
        assert cgroups.create(2**30) is not None
        assert (own / delegation.LEAF / "cgroup.procs").read_text() == str(child.pid)
        child.communicate(b"\n")


@pytest.mark.parametrize("other", [os.getppid(), 0])
def test_a_group_with_processes_of_others_is_left_alone(tree: Tree, other: int) -> None:
    """A shell's session, say; 0 is a process of another process namespace."""
    own = tree([os.getpid(), other])
    assert cgroups.create(2**30) is None
    assert sorted(os.listdir(own)) == [
        "cgroup.controllers",
        "cgroup.procs",
        "cgroup.subtree_control",
    ]
    assert (own / "cgroup.subtree_control").read_text() == "\n"


def test_a_group_without_the_controllers_is_left_alone(tree: Tree) -> None:
    own = tree([os.getpid()], controllers="cpu pids")
    assert cgroups.create(2**30) is None
    assert not (own / delegation.LEAF).exists()


def test_a_process_that_has_moved_makes_groups_beside_itself(tree: Tree) -> None:
    own = tree([], leaf=True)
    group = cgroups.create(2**30)
    assert group is not None
    assert group.folders[0].parent == own


def test_where_controllers_are_refused_the_process_moves_back(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tree([os.getpid()])
    write = Path.write_text

    def refuse(self: Path, text: str) -> int:
        if self.name == "cgroup.subtree_control":
            raise OSError(16, "Device or resource busy")
        return write(self, text)

    monkeypatch.setattr(Path, "write_text", refuse)
    assert cgroups.create(2**30) is None
    assert (own / "cgroup.procs").read_text() == str(os.getpid())
