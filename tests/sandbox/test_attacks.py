"""Hostile code on the default backend: contained, rightly named, and the next execution right."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sandbox import values
from harness.sandbox.job import Calls, Execution, Inputs, Limits, Program
from harness.sandbox.namespaces import open_pool, probe
from harness.sandbox.pool import Pool
from tests.sandbox.attacks import ATTACKS, HONEST, QUICK, Attack

pytestmark = pytest.mark.skipif(
    not probe().works or platform.machine() != "x86_64", reason=probe().why
)
INPUTS = Inputs(((1,), (2,), (3,)), "tens")
RIGHT = [values.encode(10), values.encode(20), values.encode(30)]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    os.environ["CANARY"] = "secret"
    with open_pool(1) as pool:
        yield pool
    del os.environ["CANARY"]


def right(execution: Execution) -> bool:
    return execution.end == "finished" and [r.data for r in execution.returned] == RIGHT


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: a.property.replace(" ", "_"))
def test_contained(pool: Pool, attack: Attack) -> None:
    before = processes()
    job = Calls(attack.code, "f", INPUTS, attack.limits)
    found, after = pool.run([job, Calls(HONEST, "f", INPUTS)])

    assert found.end in attack.ends, found
    assert right(after), after
    assert attack.may_answer or not right(found)
    if attack.property.endswith("is refused"):
        assert {r.kind for r in found.returned} == {"raised"}, found
    assert processes() <= before + 1  # at most one worker more, if the last was replaced
    for returned in found.returned:
        assert len(values.preview(returned)) <= 200


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
    assert found.end == end or (end == "output_limit" and len(found.stdout) == 10**7), found
    assert right(after)
    assert len(found.stdout) <= 10**7


def test_nothing_stays_for_the_next_execution(pool: Pool) -> None:
    """Files, modules and builtins of one execution are unknown to the next, also in one worker."""
    write = "import builtins, os\nbuiltins.left = 1\nopen('/tmp/left', 'w').write('x')\nprint(1)"
    look = "import builtins, os\nprint(hasattr(builtins, 'left'), os.listdir('/tmp'))"
    executions = list(pool.run([Program(write, b""), Program(look, b"")] * 2))
    assert [e.stdout for e in executions] == [b"1\n", b"False []\n"] * 2


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
