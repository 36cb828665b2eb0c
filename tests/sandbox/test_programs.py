"""Programs and calls: what each style runs as its peer would, and where they differ."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.sandbox import values
from harness.sandbox.job import Calls, Execution, Inputs, Limits, Program
from harness.sandbox.namespaces import open_pool, probe
from harness.sandbox.pool import Pool

pytestmark = pytest.mark.skipif(not probe().works, reason=probe().why)


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with open_pool(1) as pool:
        yield pool


def run(pool: Pool, code: str, stdin: str = "") -> Execution:
    (found,) = pool.run([Program(code, stdin.encode(), Limits(cpu=2.0, wall=5.0))])
    return found


def emulate(pool: Pool, code: str, *stdins: str) -> tuple[str, list[str | None]]:
    """How LiveCodeBench's emulation ends, and what each call printed."""
    inputs = Inputs(tuple((text,) for text in stdins), repr(stdins))
    limits, style = Limits(cpu=2.0, wall=5.0), "livecodebench program"
    (found,) = pool.run([Calls(code, "", inputs, limits, style)])
    return found.end, [values.decode(r) if r.kind == "value" else None for r in found.returned]


def call(pool: Pool, code: str, *arguments: object, **options: object) -> Execution:
    inputs = Inputs((arguments,), repr(arguments))
    (found,) = pool.run([Calls(code, "f", inputs, **options)])
    return found


# What the emulation of LiveCodeBench fails and a real program does not; all were seen there.
DIFFERENT = {
    "iteration over stdin": (
        "import sys\nfor l in sys.stdin: print(l.strip())",
        "a\nb\n",
        "a\nb\n",
    ),
    "the second line of the buffer": (
        "import sys\nr = sys.stdin.buffer.readline\nr()\nprint(r().decode().strip())",
        "a\nb\n",
        "b\n",
    ),
    "descriptor 0 as a file": ("print(open(0).read().strip())", "a\n", "a\n"),
    "reading descriptor 0": ("import os\nprint(os.read(0, 9))", "a", "b'a'\n"),
    "writing to the buffer": ("import sys\nsys.stdout.buffer.write(b'a')", "", "a"),
    "writing to descriptor 1": ("import os\nos.write(1, b'a')", "", "a"),
    "a global": ("x = 1\ndef g():\n    global x\n    x += 1\ng()\nprint(x)", "", "2\n"),
    "a thread not joined": (
        "import threading, time\n"
        "threading.Thread(target=lambda: (time.sleep(.5), print('a'))).start()",
        "",
        "a\n",
    ),
    "quit": ("print('a')\nquit()", "", "a\n"),
    "the main guard turned round": ("if '__main__' == __name__: print('a')", "", "a\n"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_real_program_does_what_the_emulation_fails(pool: Pool, name: str) -> None:
    code, stdin, expected = DIFFERENT[name]
    real = run(pool, code, stdin)
    assert (real.end, real.stdout.decode()) == ("finished", expected)
    assert emulate(pool, code, stdin) != ("finished", [expected])


SAME = {
    "input": ("a, b = map(int, input().split())\nprint(a + b)", "1 2\n", "3\n"),
    "read": ("import sys\nprint(sys.stdin.read().split())", "1 2\n3", "['1', '2', '3']\n"),
    "readline": ("import sys\nprint(sys.stdin.readline().strip())", "1\n", "1\n"),
    "readlines": ("import sys\nprint(len(sys.stdin.readlines()))", "1\n2", "2\n"),
    "buffer.read": ("import sys\nprint(sys.stdin.buffer.read())", "1", "b'1'\n"),
    "main guard": ("def g(): print('a')\nif __name__ == '__main__':\n    g()", "", "a\n"),
    "sys.exit": ("import sys\nprint('a')\nsys.exit()", "", "a\n"),
    "exit": ("print('a')\nexit(0)", "", "a\n"),
    "recursion": (
        "import sys\nsys.setrecursionlimit(10**6)\n"
        "def g(n): return n and g(n - 1) + 1\nprint(g(40000))",
        "",
        "40000\n",
    ),
    "text beyond ASCII": ("print(input())", "žluť\n", "žluť\n"),
}


@pytest.mark.parametrize("name", SAME)
def test_both_styles_run_ordinary_programs(pool: Pool, name: str) -> None:
    code, stdin, expected = SAME[name]
    found = run(pool, code, stdin)
    assert (found.end, found.stdout.decode()) == ("finished", expected), found
    assert emulate(pool, code, stdin) == ("finished", [expected])


ENDS = {
    "exit status 1": ("import sys\nsys.exit(1)", "runtime_error"),
    "exit status text": ("import sys\nsys.exit('no')", "runtime_error"),
    "exit status 256": ("import sys\nsys.exit(256)", "finished"),
    "os._exit(0)": ("import os\nos._exit(0)", "finished"),
    "an exception": ("1 / 0", "runtime_error"),
    "no program": ("def", "compile_error"),
    "no memory": ("x = bytearray(2**40)", "memory_limit"),
    "an endless loop": ("while True: pass", "timeout"),
    "a closed output": ("import os, sys\nprint(1)\nos.close(1)", "runtime_error"),
    "input beyond the end": ("input()", "runtime_error"),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_program_ends_by_its_exit_status(pool: Pool, name: str) -> None:
    code, end = ENDS[name]
    assert run(pool, code).end == end


def test_the_reason_names_the_exception(pool: Pool) -> None:
    assert run(pool, "1 / 0").reason == "ZeroDivisionError: division by zero"
    assert run(pool, "def").reason.startswith("SyntaxError")


def test_emulated_system_exit_is_no_error(pool: Pool) -> None:
    code = "print('a')\nraise SystemExit(1)"
    assert emulate(pool, code, "") == ("finished", ["a\n"])


def test_a_name_imported_from_sys_reads_lines_without_ends(pool: Pool) -> None:
    """Their patches hit the object that `from sys import stdin` bound before."""
    code = "from sys import stdin\nprint(repr(stdin.readline()))"
    assert emulate(pool, code, "a\nb\n") == ("finished", ["'a'\n"])


def test_the_emulation_runs_all_tests_in_one_process(pool: Pool) -> None:
    code = "import math\nmath.seen = getattr(math, 'seen', 0) + 1\nprint(math.seen, input())"
    assert emulate(pool, code, "a", "b") == ("finished", ["1 a\n", "2 b\n"])
    failing = "x = input()\nassert x\nprint(x)"
    assert emulate(pool, failing, "a", "", "b") == ("finished", ["a\n", None, "b\n"])


def test_evalplus_leaves_972_levels_of_recursion(pool: Pool) -> None:
    code = "def f(n):\n    return n if n <= 1 else 1 + f(n - 1)"
    assert call(pool, code, 972).returned[0].kind == "value"
    assert call(pool, code, 973).returned[0].kind == "raised"


def test_evalplus_runs_in_builtins(pool: Pool) -> None:
    found = call(pool, "y = __name__\ndef f(): return y, open, exit, quit")
    assert values.decode(found.returned[0]) == ("builtins", None, None, None)


def test_livecodebench_calls_a_method_after_its_imports(pool: Pool) -> None:
    code = "class Solution:\n    def g(self, n): return gcd(n, 12), Counter([n])[n]"
    job = Calls(code, "Solution.g", Inputs(((8,),), "8"), style="livecodebench")
    (found,) = pool.run([job])
    assert values.decode(found.returned[0]) == (4, 1)


def test_calls_share_a_process_and_errors_do_not_stop_them(pool: Pool) -> None:
    code = (
        "n = []\ndef f(x):\n    n.append(x)\n    if x == 2: raise ValueError('two')\n    return n"
    )
    inputs = Inputs(((1,), (2,), (3,)), "123")
    (found, stopped) = pool.run(
        [Calls(code, "f", inputs), Calls(code, "f", inputs, stop_on_error=True)]
    )
    assert [r.kind for r in found.returned] == ["value", "raised", "value"]
    assert found.returned[1].data == b"ValueError: two"
    assert values.decode(found.returned[2]) == [1, 2, 3]
    assert stopped.end == "runtime_error" and len(stopped.returned) == 2
    assert stopped.reason == "ValueError: two"


def test_each_call_has_its_own_time(pool: Pool) -> None:
    code = "def f(n):\n    for _ in range(n): pass\n    return n"
    inputs = Inputs(((10,), (10**9,), (10,)), "loops")
    limits = Limits(cpu=20.0, per_call=(5.0, 0.2, 5.0))
    (found,) = pool.run([Calls(code, "f", inputs, limits)])
    assert found.end == "timeout" and len(found.returned) == 1
    assert found.cpu_seconds < 2


def test_long_values_come_back_as_digests_unless_asked_for(pool: Pool) -> None:
    code = "def f(n): return list(range(n))"
    inputs = Inputs(((10**5,), (10**5,)), "ranges")
    (found,) = pool.run([Calls(code, "f", inputs, raw=(1,))])
    large, whole = found.returned
    encoded = values.encode(list(range(10**5)))
    assert (large.kind, large.size, len(large.data)) == ("large", len(encoded), 32)
    assert values.same(encoded, large) and values.same(encoded, whole)
    assert whole.data == encoded


def test_iterators_can_come_back_as_sets(pool: Pool) -> None:
    code = "def f(n): return (i % 3 for i in range(n))"
    assert call(pool, code, 9).returned[0].kind == "tagged"
    assert values.decode(call(pool, code, 9, as_set=True).returned[0]) == {0, 1, 2}


def test_memory_errors_are_recorded_per_call(pool: Pool) -> None:
    found = call(pool, "def f(n): return bytearray(n)", 2**45)
    assert found.end == "finished" and found.returned[0].kind == "out_of_memory"


def test_numpy_is_there_for_code_that_names_it(pool: Pool) -> None:
    pytest.importorskip("numpy")
    found = call(pool, "import numpy as np\ndef f(n): return np.arange(n) / 2", 3)
    assert values.decode(found.returned[0]) == values.Numpy("<f8", (3,), (0.0, 0.5, 1.0))


def test_a_large_input_goes_in_and_out(pool: Pool) -> None:
    text = "x" * 3_000_000
    assert run(pool, "print(len(input()))", text).stdout == b"3000000\n"
    found = call(pool, "def f(s): return len(s)", text)
    assert values.decode(found.returned[0]) == 3_000_000
