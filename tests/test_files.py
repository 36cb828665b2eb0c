"""Files are there whole or not at all, and one process writes a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import DataError, UserError
from harness.files import exclusive, write_bytes, write_json


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, {"a": float("nan")})
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["x.json"]


def test_killed_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_bytes(path, b"old")
    code = (
        "import os, pathlib, harness.files as a\n"
        "os.fsync = lambda _: os.kill(os.getpid(), 9)\n"
        f"a.write_bytes(pathlib.Path({str(path)!r}), b'new')\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert path.read_bytes() == b"old"


def test_no_permission_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        write_bytes(tmp_path / "file" / "x", b"")


def test_a_second_writer_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys\n"
        "from harness.files import exclusive\n"
        f"with exclusive(pathlib.Path({str(tmp_path)!r})):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match="another run is writing here"), exclusive(tmp_path):
            pass
        other.kill()
    with exclusive(tmp_path):
        pass
