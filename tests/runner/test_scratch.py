"""Folders of clusters of our own go with their drivers, or with the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.runner.spread.scratch import Scratch

KILLED = """
import os, signal
from harness.runner.spread.scratch import Scratch
scratch = Scratch()
(scratch.path / "log").write_text("x")
os.kill(os.getpid(), signal.SIGKILL)
"""


SOCKET = "session_2026-11-28_08-26-13_870694_4194304/sockets/plasma_store"
"""The longest that Ray makes in it."""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made, here and in programs that are started."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as short:
        monkeypatch.setenv("TMPDIR", short)
        monkeypatch.setattr("tempfile.tempdir", None)
        yield Path(short)


def test_the_folder_of_a_killed_driver_is_removed_by_the_next(place: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED])
    assert killed.returncode == -signal.SIGKILL
    (left,) = place.iterdir()
    scratch = Scratch()
    assert list(place.iterdir()) == [scratch.path] != [left]
    scratch.remove()
    assert not list(place.iterdir())


def test_folders_of_the_living_and_of_others_stay(place: Path) -> None:
    (place / "ray-other").mkdir()
    (place / "elsewhere").mkdir()
    (place / "prm-ray-link").symlink_to(place / "elsewhere")
    first, second = Scratch(), Scratch()
    assert first.path.is_dir() and second.path.is_dir()
    second.remove()
    assert first.path.is_dir() and not second.path.exists()
    first.remove()
    assert {path.name for path in place.iterdir()} == {"ray-other", "elsewhere", "prm-ray-link"}


@pytest.mark.parametrize("length", [6, 16, 60])
def test_paths_of_sockets_are_short_enough_wherever_temporary_files_go(
    length: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = place / ("x" * length)
    own.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(own))
    scratch = Scratch()
    try:
        assert len(str(scratch.path / SOCKET)) <= 107
        assert scratch.path.parent == (own if len(str(own)) <= 20 else Path("/tmp"))
    finally:
        scratch.remove()
