"""A server that fails in the middle of a run: nothing is lost, nothing counts as wrong."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.policies.openai_server import Faulty, serving


def command(tasks: Path, server: Faulty, out: Path, patience: float) -> list[str]:
    policy = f"openai:{server.url},model=m,api=completions,batch=6,patience={patience}"
    return [
        "run", "--include-path", str(tasks), "--task", "sums", "--policy", policy,
        "--budget", "1,2,4", "--method", "majority", "--out", str(out),
    ]  # fmt: skip


def kept(out: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(out.rglob("candidates.jsonl")))


def results(out: Path) -> list[list[str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def expected(cli: Callable[..., Any], quick_tasks: Path, tmp_path: Path) -> tuple[Any, bytes]:
    """What a run without trouble ends with."""
    with serving() as server:
        server.context = 1000
        out = tmp_path / "whole"
        done = cli(*command(quick_tasks, server, out, 0.3))
        assert done.code == 0, done.err
    return [row[:-4] for row in results(out)], kept(out)


REFUSED = (401, {}, b'{"error": {"message": "the key is no longer valid"}}')


@pytest.mark.parametrize("how", [(503, {}, b""), (200, {}, b"<html></html>"), REFUSED, "cut"])
def test_a_server_gone_for_good_stops_the_run_and_the_same_command_goes_on(
    expected: tuple[Any, bytes],
    cli: Callable[..., Any],
    quick_tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: Any,
) -> None:
    monkeypatch.setattr("harness.adapters.server._backing_off", lambda state: 0.05)
    out = tmp_path / "out"
    with serving() as server:
        server.context = 1000

        def trouble(number: int, body: Any) -> Any:
            """Fail after the first unit of 24 drafts, and not before it is on the disk."""
            if number <= 30:
                return None
            end = time.monotonic() + 10
            while not kept(out) and time.monotonic() < end:
                time.sleep(0.01)
            return how

        server.trouble = trouble
        arguments = command(quick_tasks, server, out, 0.3)
        failed = cli(*arguments)
        said = {200: "which is no JSON", 401: "the key is no longer valid"}
        told = said.get(how[0] if isinstance(how, tuple) else 0)
        assert failed.code == (2 if told else 1), failed.err
        assert (told or "did not answer") in failed.err
        going_on = f"Go on with the same command:\n  run-benchmark {' '.join(arguments)}"
        assert going_on in failed.err
        assert 0 < len(kept(out)) < len(expected[1]) and not (out / "results.csv").exists()
        server.trouble = None
        done = cli(*arguments)
    assert done.code == 0, done.err
    assert kept(out) == expected[1]
    assert "Traceback" not in failed.err + done.err


def test_a_server_gone_for_a_while_is_waited_for(
    expected: tuple[Any, bytes],
    cli: Callable[..., Any],
    quick_tasks: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.adapters.server._backing_off", lambda state: 0.05)
    with serving() as server:
        server.context, port, down = 1000, server.server_port, threading.Event()
        server.trouble = lambda number, body: (down.set(), "cut")[1] if number > 30 else None
        arguments = command(quick_tasks, server, tmp_path / "out", 30)

        def away() -> None:
            down.wait(30)
            server.shutdown()
            server.server_close()

        leaving = threading.Thread(target=away)
        leaving.start()
        back = threading.Thread(target=_again, args=(port, leaving))
        back.start()
        done = cli(*arguments)
        STOP.set()
        back.join()
    assert done.code == 0, done.err
    assert kept(tmp_path / "out") == expected[1]


STOP = threading.Event()


def _again(port: int, leaving: threading.Thread) -> None:
    """Come back at the same address after a while, until the run is over."""
    leaving.join()
    time.sleep(0.5)
    with serving(port) as server:
        server.context = 1000
        STOP.wait(60)
