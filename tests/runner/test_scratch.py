"""Folders of clusters of our own go with their drivers, or with the next one."""

from __future__ import annotations

import signal
import subprocess
import sys
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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made, here and in programs that are started."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


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
