"""What people see of a run while it is at work: in a terminal, and in a file."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

STAGE = "score · qwen2.5-math-prm-7b · processbench_olympiadbench"

SCRIPT = f"""
from harness.cli.progress import TerminalProgress
with TerminalProgress() as progress:
    progress.start({STAGE!r}, 10_000, 0, "drafts")
    progress.advance(9_876)
    progress.finish()
"""

STARTING = """
import os, time
from harness.cli.progress import TerminalProgress
from harness.runner.progress import Observed
from harness.telemetry.telemetry import Telemetry
telemetry = Telemetry()
with TerminalProgress(telemetry) as progress:
    Observed(progress, telemetry).start("generate", 8, 0, "candidates")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # as the engine does that starts
    with telemetry.starting("embedded"):
        time.sleep(1)
"""


def shown(columns: int, script: str = SCRIPT) -> list[str]:
    """Return the lines of a terminal so wide, as they are drawn."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment["TERM"] = "xterm"
    with subprocess.Popen([sys.executable, "-c", script], stderr=its, env=environment) as process:
        os.close(its)
        found = b""
        while True:
            try:
                found += os.read(own, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
    os.close(own)
    assert process.returncode == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", found.decode()).replace("\r", "\n").split("\n")


@pytest.mark.parametrize("columns", [72, 80, 100, 160])
def test_numbers_and_times_are_whole_however_narrow_the_terminal(columns: int) -> None:
    lines = [line for line in shown(columns) if "score" in line]
    assert lines
    for line in lines:
        assert len(line) <= columns
        assert re.search(r"9876/10000 +0:00:0\d ", line), line
    assert all(line.startswith("score · qwen2.5") for line in lines)


def test_what_starts_is_shown_while_an_engine_keeps_the_streams_aside() -> None:
    lines = shown(80, STARTING)
    assert any("starting embedded …" in line for line in lines)


def test_in_a_file_a_stage_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True,
        env={**os.environ, "COLUMNS": "60"},
    )  # fmt: skip
    assert re.fullmatch(rf"{re.escape(STAGE)} · 10,000 drafts: \d+\.\d s\n", done.stderr)
