"""Containers: the command, and the stream protocol with the real zygote behind a pipe.

No engine runs here. The zygote that would be in the container is started by itself, without
isolation, so only what the stream carries is tested.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.sandbox import containers, plan, stream, values
from harness.sandbox.containers import ENGINES, command, open_pool, probe
from harness.sandbox.inside.scratch import Scratch
from harness.sandbox.job import Calls, Inputs, Limits, Program
from harness.sandbox.pool import Pool
from harness.sandbox.stream import StreamWorker


def bare(preload: plan.Preload) -> StreamWorker:
    """A worker behind a pipe on this machine."""
    words = [plan.interpreter(), "-s", "-P", "-S", "-c", stream.BOOT]
    return StreamWorker(preload, words, (), [], isolated=False)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool("bare", bare, 2, test=None) as pool:
        yield pool


def test_a_folder_with_something_in_it_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("")
    with pytest.raises(ValueError, match="no empty file system of its own"):
        Scratch(str(tmp_path))
    assert (tmp_path / "kept").exists()


def test_jobs_go_through_the_stream(pool: Pool) -> None:
    inputs = Inputs(((1,), ("x" * 10**6,)), "stream")
    executions = list(
        pool.run(
            [
                Calls("def f(x): return [x, len(str(x))]", "f", inputs, raw=(1,)),
                Program("print(input() * 2)", b"ab\n"),
                Program("while True: pass", b"", Limits(cpu=0.5)),
                Program("import os\nos.write(1, b'x' * 10**6)", b"", Limits(output=10**5)),
                Program("import os, socket\nsocket.socket()", b""),
            ]
        )
    )
    ends = [e.end for e in executions]
    assert ends == ["finished", "finished", "timeout", "output_limit", "runtime_error"]
    assert values.decode(executions[0].returned[1])[1] == 10**6
    assert executions[1].stdout == b"abab\n"
    assert len(executions[3].stdout) == 10**5


def test_the_code_cannot_speak_for_the_worker(pool: Pool) -> None:
    code = (
        "import os\nfor i in range(64):\n"
        "    try: os.write(i, b'forged' * 99)\n    except OSError: pass"
    )
    inputs = Inputs(((1,),), "one")
    forged, after = pool.run([Calls(code, "f", inputs), Program("print(1)", b"")])
    assert forged.end == "sandbox_violation"
    assert after.stdout == b"1\n"


def test_a_stream_that_ends_is_tried_again(pool: Pool) -> None:
    list(pool.run([Program("print(1)", b"")] * 2))

    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    assert [e.stdout for e in pool.run([Program("print(2)", b"")] * 4)] == [b"2\n"] * 4


def test_code_sees_a_bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines add names of their own, of the image, and proxies with their passwords."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")
    look = (
        "import os\nprint(sorted(os.environ), b'secret' in open('/proc/self/environ', 'rb').read())"
    )
    with Pool("bare", bare, 1, test=None) as pool:
        (found,) = pool.run([Program(look, b"")])
    assert found.stdout.decode() == f"{sorted(plan.ENVIRONMENT)} False\n"


HINT = "Run 'docker run --help' for more information"


@pytest.mark.parametrize("after", ["", f"\n{HINT}", "\nSee 'docker run --help'."])
def test_an_engine_that_starts_nothing_is_quoted(after: str) -> None:
    def broken(preload: plan.Preload) -> StreamWorker:
        words = ["sh", "-c", 'echo "$1" >&2; exit 1', "", f"no such image\n{after}"]
        return StreamWorker(preload, words, (), [])

    with (
        Pool("broken", broken, 1) as pool,
        pytest.raises(InfrastructureError, match="the container ended: no such image"),
    ):
        list(pool.run([Program("print(1)", b"")]))


def test_a_machines_own_tmp_is_never_emptied() -> None:
    """Not by the test worker above, and not by one that believes itself isolated: it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "kept"
        kept.write_text("x")
        with pytest.raises(ValueError, match="will not be emptied"):
            Scratch(folder)
        mark = Path(tempfile.gettempdir()) / f"prm-sandbox-test-{os.getpid()}"
        write = Program(f"open({str(mark)!r}, 'w').close()", b"")
        with Pool("bare", bare, 1, test=None) as pool:
            list(pool.run([write, write]))
        mark.unlink()
        assert kept.exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_command_shuts_every_door(engine: str) -> None:
    words = command(engine, "name")
    for door in (
        "--network=none",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        "--ipc=none",
        "--rm",
        "--log-driver=none",  # or the engine keeps what code wrote, without limit
    ):
        assert door in words
    assert ("--runtime=runsc" in words) == (engine == "gvisor")
    assert ("--read-only-tmpfs=false" in words) == (engine == "podman")
    assert not any(word.startswith(("-v", "--volume", "--mount", "--privileged")) for word in words)


@pytest.mark.parametrize("engine", ENGINES)
def test_only_numpy_is_seen_of_the_machine(engine: str) -> None:
    lean, numpy = command(engine, "name"), command(engine, "name", preload="numpy")
    added = [word for word in numpy if word not in lean]
    assert added == [
        f"--mount=type=bind,source={path},target=/run/packages/{path.name},readonly"
        for path in plan.numpy_folders()
    ]


def test_numpy_that_cannot_be_loaded_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right code that imports it would fail: no verdict is better than a wrong one."""
    monkeypatch.setattr(plan, "numpy_folders", lambda: (Path("/nowhere/numpy"),))
    monkeypatch.setattr(plan, "marshalled_setup", plan.marshalled_setup.__wrapped__)
    with (
        Pool("bare", bare, 1, test=None) as pool,
        pytest.raises(InfrastructureError, match="numpy cannot be loaded: No module named"),
    ):
        list(pool.run([Program("import numpy", b"")]))


def test_an_engine_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = probe("podman")
    assert not found.works and "podman" in found.why


ENGINE = """#!/bin/sh
case "$*" in
  info*) echo 4.3.1 ;;
  image*) test "$IMAGE_IS_HERE" || { echo "no such image" >&2; exit 125; } ;;
  run*--network=none*" -c pass")
    test "$STARTS" || { echo "crun: no cgroups" >&2; echo >&2; echo "$HINT" >&2; exit 126; } ;;
  pull*python*) sleep 1; test "$PULLS" || { echo "no route to host" >&2; exit 1; }; >"$0.here" ;;
  run*) test -e "$0.here" || sleep 1; echo "only an example" >&2; exit 1 ;;
  *) echo "what is $*?" >&2; exit 2 ;;
esac
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Put an engine that does as it is told on the PATH."""
    program = folder / "podman"
    program.write_text(ENGINE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    for key, value in {"HINT": HINT, **settings}.items():
        monkeypatch.setenv(key, value)


@pytest.mark.parametrize(
    ("here", "starts", "works", "said"),
    [
        ("", "", True, "is pulled before the first job"),
        ("1", "", False, "no container starts: crun: no cgroups"),
        ("1", "1", True, "podman starts containers"),
    ],
)
def test_an_engine_works_if_it_starts_a_container(
    here: str, starts: str, works: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, IMAGE_IS_HERE=here, STARTS=starts)
    found = probe("podman")
    assert found.works is works and said in found.why


@pytest.mark.parametrize(
    ("pulls", "said"),
    [
        ("", "podman cannot pull .*python.*: no route to host"),
        ("1", "do not start: the container ended: only an example"),
    ],
)
def test_an_image_may_take_longer_to_pull_than_a_worker_to_start(
    pulls: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, IMAGE_IS_HERE="", PULLS=pulls)
    monkeypatch.setattr(containers, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(stream, "START_SECONDS", 0.5)
    with open_pool("podman", 1) as pool, pytest.raises(InfrastructureError, match=said):
        list(pool.run([Program("print(1)", b"")]))
