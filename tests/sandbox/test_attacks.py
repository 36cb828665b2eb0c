"""Hostile code on the default backend: contained, rightly named, and the next execution right."""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sandbox.job import Calls, Limits, Program
from harness.sandbox.namespaces import open_pool, probe
from harness.sandbox.pool import Pool
from tests.sandbox.attacks import ATTACKS, HONEST, LOOK_AROUND, QUICK, Attack
from tests.sandbox.judging import INPUTS, faults, right

pytestmark = pytest.mark.skipif(
    not probe().works or platform.machine() != "x86_64", reason=probe().why
)


@pytest.fixture(scope="module")
def alone() -> int:
    """Descendants before there is a pool."""
    return processes()


@pytest.fixture(scope="module")
def pool(alone: int) -> Iterator[Pool]:
    os.environ["CANARY"] = "secret"
    with open_pool(1) as pool:
        yield pool
    del os.environ["CANARY"]
    assert processes() == alone


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.property.replace(" ", "_"))
def test_contained(pool: Pool, alone: int, fresh: bytes, attack: Attack) -> None:
    assert faults(pool, fresh, attack) == []
    assert processes() <= alone + 1  # the worker


@pytest.mark.parametrize("style", ["livecodebench", "livecodebench program"])
def test_contained_however_code_is_executed(
    pool: Pool, alone: int, fresh: bytes, style: str
) -> None:
    """All but those that only wait for their time to pass."""
    quick = [a for a in ATTACKS if "timeout" not in a.ends and a.limits is QUICK]
    assert len(quick) > 100
    bad = {a.property: said for a in quick if (said := faults(pool, fresh, a, style))}
    assert bad == {}
    assert processes() <= alone + 1


@pytest.fixture(scope="module")
def fresh() -> bytes:
    """What a program sees of a worker that has done nothing yet."""
    with open_pool(1) as pool:
        (found,) = pool.run([LOOK_AROUND])
    assert found.stdout.startswith(b"/tmp [] ")
    return found.stdout


def processes() -> int:
    """How many descendants this process has."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int(
                    (entry / "stat").read_text().rsplit(")")[1].split()[1]
                )
    count, front = 0, {os.getpid()}
    while front := {pid for pid, parent in parents.items() if parent in front}:
        count += len(front)
    return count


PROGRAMS = {
    "a gigabyte of output": ("while True: print('x' * 10**6)", "output_limit"),
    "os.write to the output": (
        "import os\nwhile True: os.write(1, b'x' * 10**6)",
        "output_limit",
    ),
    "a bomb of output by threads": (
        "import threading\ndef g():\n    while True: print('x' * 10**5)\n"
        "for _ in range(4): threading.Thread(target=g).start()",
        "output_limit",
    ),
    "killed by itself": ("import os\nos.abort()", "runtime_error"),
    "an endless read": ("import os\nos.read(os.pipe()[0], 1)", "timeout"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_contained(pool: Pool, name: str) -> None:
    code, end = PROGRAMS[name]
    job = Program(code, b"", Limits(cpu=2.0, output=10**7, wall=4.0 if end != "timeout" else 1.0))
    found, after = pool.run([job, Calls(HONEST, "f", INPUTS)])
    assert found.end == end, found
    assert right(after)
    assert len(found.stdout) <= 10**7


def test_nothing_stays_for_the_next_execution(pool: Pool) -> None:
    """Files, modules and builtins of one execution are unknown to the next, also in one worker."""
    write = "import builtins, os\nbuiltins.left = 1\nopen('/tmp/left', 'w').write('x')\nprint(1)"
    look = "import builtins, os\nprint(hasattr(builtins, 'left'), os.listdir('/tmp'))"
    executions = list(pool.run([Program(write, b""), Program(look, b"")] * 2))
    assert [e.stdout for e in executions] == [b"1\n", b"False []\n"] * 2


KEEP = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
size = ctypes.c_long(2**23)
print([libc.fallocate(i, 1, ctypes.c_long(0), size) for i in (1, 3)], flush=True)
os.ftruncate(1, 0)
os._exit(0)
"""


def test_room_beyond_the_end_of_a_file_does_not_last(pool: Pool, fresh: bytes) -> None:
    """`fallocate` can hold memory in a file that stays empty."""
    _, around = pool.run([Program(KEEP, b""), LOOK_AROUND])
    assert around.stdout == fresh


SCAN = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.sbrk.restype = ctypes.c_void_p
file = os.open("/tmp/page", os.O_RDWR | os.O_CREAT)
def hits(first, last):
    found = 0
    for at in range(first & ~4095, last, 4096):
        # write says EFAULT where reading would crash
        if libc.pwrite(file, ctypes.c_void_p(at), ctypes.c_size_t(4096), ctypes.c_long(0)) > 0:
            # in two parts, so that nothing of what it looks for is its own
            parts = os.pread(file, 4096, 0).split(b"NEEDLENE")[1:]
            found += any(part.startswith(b"EDLE") for part in parts)
    return found
heap, arena = libc.sbrk(ctypes.c_long(0)), id(object())
print(hits(heap - 2**25, heap) + hits(arena - 2**25, arena + 2**25))
"""


def test_nothing_of_an_earlier_job_is_in_memory(pool: Pool) -> None:
    """Reference solutions run in the same workers: their text must not be there to be found."""
    limits = Limits(cpu=8.0, wall=20.0)
    for size in (1, 100, 1_000, 20_000):  # short and long ways to the worker
        secret = f"# {'NEEDLE' * 2 * size}\n"
        jobs = [
            Calls(secret + HONEST, "f", INPUTS),
            Program(secret, b"", limits),
            Program("pass", secret.encode(), limits),
        ]
        assert [one.end for one in pool.run(jobs)] == ["finished"] * 3
        (found,) = pool.run([Program(SCAN, b"", limits)])
        assert found.stdout == b"0\n", (size, found)
    (found,) = pool.run([Program(f"{SCAN}# {'NEEDLE' * 2}", b"", limits)])
    assert int(found.stdout) > 0  # the scan does see the code that runs


def test_no_file_of_the_host_is_there(pool: Pool, tmp_path: Path) -> None:
    """A data set's file, say, or a key in the home folder; by its path and by any way up."""
    canary = tmp_path / "expected.json"
    canary.write_text("[10, 20, 30]")
    up = "../" * 40 + str(canary)
    for path in (str(canary), up, f"/proc/1/root{canary}", f"/proc/self/cwd/{up}", __file__):
        code = f"import _io\ndef f(x): return _io.open({path!r}).read()"
        (found,) = pool.run([Calls(code, "f", INPUTS)])
        errors = {r.data.split(b":")[0] for r in found.returned}
        assert errors == {b"FileNotFoundError"}, (path, found)


def test_no_network(pool: Pool) -> None:
    """Neither a server of this machine nor an abstract socket hears anything."""
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(("127.0.0.1", 0))
        abstract.bind("\0prm-harness-attack-" + str(os.getpid()))
        for each in (server, abstract):
            each.listen()
            each.settimeout(0.2)
        name = abstract.getsockname()
        for family, address in ((2, server.getsockname()), (1, name)):
            code = f"import _socket\ndef f(x): _socket.socket({family}, 1).connect({address!r})"
            (found,) = pool.run([Calls(code, "f", INPUTS)])
            assert [r.data.split(b":")[0] for r in found.returned] == [b"PermissionError"] * 3
        for each in (server, abstract):
            with pytest.raises(TimeoutError):
                each.accept()


def test_a_value_that_would_run_a_command_is_only_named(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "ran"
    code = f"import os\nclass E:\n    def __reduce__(self): return os.system, ('touch {path}',)\n"
    (found,) = pool.run([Calls(code + "def f(x): return E()", "f", INPUTS)])
    assert [r.kind for r in found.returned] == ["tagged"] * 3
    assert not path.exists()


WRITE = """
import fcntl, os, sys
frame = sys._getframe()
while "report" not in frame.f_locals:
    frame = frame.f_back
page = frame.f_locals["report"]._page
page[100:104] = b"left"
for i in (0, 1, 2, 3):
    fcntl.fcntl(i, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
print(1)
"""
LOOK = """
import fcntl, os, sys
frame = sys._getframe()
while "report" not in frame.f_locals:
    frame = frame.f_back
page = frame.f_locals["report"]._page
odd = os.O_APPEND | os.O_NONBLOCK
print(any(page[16:]), [i for i in (0, 1, 2, 3) if fcntl.fcntl(i, fcntl.F_GETFL) & odd])
"""


def test_no_shared_object_carries_a_message(pool: Pool) -> None:
    """Neither the page shared with the zygote nor flags of open files, which outlast a process."""
    executions = list(pool.run([Program(WRITE, b""), Program(LOOK, b"")]))
    assert [e.stdout for e in executions] == [b"1\n", b"False []\n"]


def test_there_are_many_attacks() -> None:
    assert len(ATTACKS) + len(PROGRAMS) >= 105
    assert len({a.property for a in ATTACKS}) == len(ATTACKS)
    assert QUICK.cpu <= 1
