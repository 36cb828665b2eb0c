"""The grader of code on hand-made problems, in a sandbox without walls."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, InfrastructureError
from harness.grading.code import CodeGrader
from harness.grading.samples import grade_samples
from harness.sandbox.job import Calls, Inputs, Program
from harness.types import Problem

_SPEC = importlib.util.spec_from_file_location("here", Path(__file__).with_name("here.py"))
assert _SPEC and _SPEC.loader
here = sys.modules["here"] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(here)


@pytest.fixture
def sandbox() -> Any:
    return here.Here()


@pytest.fixture
def grader(sandbox: Any) -> Iterator[CodeGrader]:
    with CodeGrader(lambda: sandbox) as grader:
        yield grader
    assert sandbox.closed <= 1


@pytest.fixture(scope="module")
def isolated() -> Iterator[CodeGrader]:
    """A grader with the real sandbox."""
    from harness.sandbox.backends import open_sandbox

    try:
        sandbox = open_sandbox(workers=1)
    except InfrastructureError as error:
        pytest.skip(f"no sandbox: {error}")
    with CodeGrader(lambda: sandbox) as grader:
        yield grader


def plus_problem(
    solution: str, base: Any, plus: Any, id: str = "HumanEval/900", **more: Any
) -> Problem:
    reference = {
        "entry_point": "f",
        "prompt": 'def f(x: int):\n    """Add one.\n    >>> f(1)\n    2\n    """\n',
        "solution": solution,
        "contract": "",
        "base_input": json.dumps(base),
        "plus_input": json.dumps(plus),
        "atol": 0.0,
    }
    return Problem(id, "humaneval_plus", "1.0", "code_function", "?", reference | more)


ADD = plus_problem("def f(x):\n    return x + 1\n", [[1], [2]], [[10], [-5]])
FIRST = Problem(
    "prog-0",
    "chain_programs",
    "1.0",
    "code_function",
    "f(x): add 3",
    {
        "entry_point": "f",
        "public_tests": [{"input": [1], "expected": 4}, {"input": [40], "expected": 43}],
        "hidden_tests": [{"input": [-25], "expected": -22}, {"input": [0], "expected": 3}],
    },
)
METHOD = Problem(
    "1",
    "livecodebench_v5",
    "1.0",
    "code_function",
    "?",
    {
        "func_name": "pair",
        "starter_code": "class Solution:\n",
        "public_tests": json.dumps([{"input": "1\n2", "output": "[1, 2]"}]),
        "private_tests": json.dumps([{"input": "3\n4.0", "output": "[3, 4]"}]),
    },
)
ECHO = Problem(
    "2",
    "livecodebench_v5",
    "1.0",
    "code_stdin",
    "?",
    {
        "func_name": None,
        "starter_code": "",
        "public_tests": json.dumps([{"input": "1 2\n", "output": "3\n"}]),
        "private_tests": json.dumps([{"input": "5 6", "output": "11.0"}]),
    },
)


def said(grader: CodeGrader, problem: Problem, *codes: str) -> list[str]:
    grades = grader.grade([(problem, code) for code in codes])
    return [grade.reason or grade.verdict for grade in grades]


def test_a_function_is_right_if_base_and_plus_pass(grader: CodeGrader) -> None:
    assert said(
        grader,
        ADD,
        "def f(x): return x + 1",
        "def f(x): return x + 1.0",
        "def f(x): return abs(x) + 1",
        "def f(x): return [x + 1]",
        "def f(x): raise ValueError(x)",
        "def f(x) return x",
        "def g(x): return x + 1",
        "",
        "Sorry:\n```\n```",
    ) == [
        "correct",
        "correct",
        "wrong_answer",
        "wrong_answer",
        "runtime_error",
        "compile_error",
        "runtime_error",
        "no code",
        "no code",
    ]


def test_expected_values_never_enter_a_job(sandbox: Any) -> None:
    secret = 987654321
    problem = plus_problem(f"def f(x):\n    return x + {secret}\n", [[1]], [[2]])
    with CodeGrader(lambda: sandbox) as grader:
        grader.grade([(problem, "def f(x): return 0")])
    own = [job for job in sandbox.jobs if job.code == "def f(x): return 0"]
    assert own
    assert not any("98765" in repr(job) for job in own)


def test_inputs_that_a_solution_changes_are_whole_for_the_next(isolated: CodeGrader) -> None:
    """Both peers check HumanEval/32 on inputs that the code under test could have emptied."""
    total = plus_problem("def f(xs):\n    return sum(xs)\n", [[[1, 2]], [[3]]], [[[4, 5, 6]]])
    assert said(
        isolated,
        total,
        "def f(xs): xs.clear(); return 0",
        "def f(xs): return sum(xs)",
        "def f(xs): found = sum(xs); xs.clear(); return found",
        "def f(xs): xs.clear(); return sum(xs)",
        "def f(xs): return sum(xs)",
    ) == ["wrong_answer", "correct", "correct", "wrong_answer", "correct"]


def test_the_reference_runs_once_per_problem(sandbox: Any, grader: CodeGrader) -> None:
    codes = [f"def f(x): return x + {i}" for i in range(5)]
    said(grader, ADD, *codes)
    said(grader, ADD, *codes)
    solution = ADD.reference["solution"]  # type: ignore[index, call-overload]
    assert sum(job.code == solution for job in sandbox.jobs) == 2  # base and plus


def test_what_takes_long_begins_first(sandbox: Any, grader: CodeGrader) -> None:
    """Begun last, it would run when no other worker has anything left to do."""
    quick, slow = "return x + 1", "return sum(i % 7 for i in range(300_000)) and x + 1"
    items = [
        (plus_problem(f"def f(x): {body}", [[i]], [], f"HumanEval/{i}"), f"def f(x): {body}  # {i}")
        for i, body in enumerate([*[quick] * 20, slow, "return 0"])
    ]
    wrong = items[3][0], "def f(x): return 0"
    found = list(grader.results([*items, wrong]))
    assert sandbox.jobs[len(items)].code == items[20][1]
    assert [result.word for result in found] == ["passed"] * len(items) + ["wrong_answer"]


def test_plus_runs_only_after_base_but_for_samples(sandbox: Any, grader: CodeGrader) -> None:
    said(grader, ADD, "def f(x): return 0")
    assert len(sandbox.jobs) == 3
    (result,) = grader.results([(ADD, "def f(x): return -4")], both=True)
    assert (result.base.word, result.base.index) == ("wrong_answer", 0)
    assert result.plus is not None
    assert (result.plus.word, result.plus.index, result.plus.preview) == ("wrong_answer", 0, "-4")


def test_a_lost_execution_is_ungraded_not_wrong(sandbox: Any) -> None:
    with CodeGrader(lambda: sandbox) as grader:
        said(grader, ADD, "def f(x): return 0")
        sandbox.broken = 1
        assert said(grader, ADD, "def f(x): return x + 1") == ["sandbox_error"]
        (grade,) = grader.grade([(ADD, "def f(x): return x + 1")])
        assert (grade.verdict, grade.reason) == ("correct", "")
        sandbox.broken = 1
        (grade,) = grader.grade([(ADD, "def f(x): return x + 1")])
        assert grade.verdict == "ungraded"


def test_a_reference_that_fails_makes_no_candidate_wrong(grader: CodeGrader) -> None:
    broken = plus_problem("def f(x):\n    return 1 / 0\n", [[1]], [[2]])
    (grade,) = grader.grade([(broken, "def f(x): return 1")])
    assert (grade.verdict, grade.reason) == ("ungraded", "sandbox_error")
    (result,) = grader.results([(broken, "def f(x): return 1")])
    assert "ZeroDivisionError" in result.base.preview


def test_large_values_are_compared_by_digest_and_whole_only_if_need_be(
    sandbox: Any, grader: CodeGrader
) -> None:
    many = plus_problem("def f(x):\n    return [float(i) for i in range(x)]\n", [[5000]], [[6000]])
    assert said(grader, many, "def f(n): return [i * 1.0 for i in range(n)]") == ["correct"]
    assert not any(job.raw for job in sandbox.jobs)
    near = "def f(n): return [i + 1e-9 for i in range(n)]"
    ints = "def f(n): return list(range(n))"
    off = "def f(n): return [i + (i == 4321) for i in range(n)]"
    far = "def f(n): return [0.5] * (100 * n)"
    assert said(grader, many, near, ints, off, far) == ["correct"] * 2 + ["wrong_answer"] * 2
    assert not any(job.raw for job in sandbox.jobs if job.code == far)


HOSTILE = {
    "always equal": "class E:\n    def __eq__(s, o): return True\n    __hash__ = None",
    "equal int": "class E(int):\n    def __eq__(s, o): return True\n    __hash__ = int.__hash__",
    "equal list": "class E(list):\n    def __eq__(s, o): return True",
    "equal str": "class E(str):\n    def __eq__(s, o): return True\n    __hash__ = str.__hash__",
    "equal float": "class E(float):\n    def __eq__(s, o): return True\n    __hash__ = None",
    "equal tuple": "class E(tuple):\n    def __eq__(s, o): return True\n    __hash__ = None",
    "fake array": "class E:\n    dtype = shape = 1\n    def __array__(s, *a): return s",
    "fake counter": (
        "class E(dict):\n    def __eq__(s, o): return True\n"
        "E.__module__, E.__qualname__, E.__name__ = 'collections', 'Counter', 'Counter'"
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("problem", [ADD, FIRST, METHOD], ids=["plus", "examples", "lcb"])
def test_objects_that_say_they_are_equal_never_pass(
    name: str, problem: Problem, grader: CodeGrader, isolated: CodeGrader
) -> None:
    code = HOSTILE[name] + "\ndef f(*a): return E()\ndef pair(*a): return E()\n"
    assert said(grader, problem, code) == ["wrong_answer"]
    assert said(isolated, problem, code) == ["wrong_answer"]


HUNT = """
import gc, sys
mark = '-'.join('EXPECTED')
def texts():
    seen, frame = list(gc.get_objects()), sys._getframe()
    while frame:
        seen += [*frame.f_locals.values(), *frame.f_globals.values()]
        frame = frame.f_back
    for one in seen:
        if type(one) in (bytes, str): yield one
        if type(one) in (list, tuple, set, frozenset): yield from one
        if type(one) is dict: yield from [*one, *one.values()]
def f(x):
    for one in texts():
        text = one.decode('latin-1') if type(one) is bytes else one
        if type(text) is str and mark in text and f'{x:04}' in text: return f'{x:04}{mark}'
    return 'nothing'
"""


def test_an_answer_that_only_the_reference_gave_is_not_to_be_found(isolated: CodeGrader) -> None:
    """The reference has run in the same workers: what it returned is in no object and no frame."""
    right = "def f(x):\n    return f'{x:04}' + '-'.join('EXPECTED')\n"
    problem = plus_problem(right, [[n] for n in range(4)], [[n] for n in range(4, 8)])
    assert said(isolated, problem, right) == ["correct"]
    (result,) = isolated.results([(problem, HUNT)], both=True)
    assert (result.base.word, result.base.preview) == ("wrong_answer", "'nothing'")
    assert result.plus and (result.plus.word, result.plus.preview) == ("wrong_answer", "'nothing'")
    # It does find what is there.
    hidden = HUNT + "left = [f'{n:04}{mark}' for n in range(8)]\n"
    assert said(isolated, problem, hidden) == ["correct"]


def test_comparisons_that_a_solution_replaces_are_not_the_graders(isolated: CodeGrader) -> None:
    """EvalPlus compares floats with `numpy.allclose` in the process of the code under test."""
    near = plus_problem("def f(x):\n    return x + 0.5\n", [[1], [2]], [[3]], atol=1e-6)
    patch = """
import numpy, builtins, math
numpy.allclose = numpy.isclose = math.isclose = lambda *a, **k: True
builtins.isinstance = builtins.all = builtins.any = lambda *a: True
def f(x): return 0.0
"""
    assert said(isolated, near, patch, "def f(x): return x + .5") == ["wrong_answer", "correct"]


FLOOD = """
import marshal, struct, posix
members = [i * (2**61 - 1) for i in range(1, 100_000)]
data = b'<' + marshal.dumps(members, 2)[1:]
ended = struct.pack('<BId', 5, 8, 0.0)
for _ in range(2):
    text = ended + struct.pack('<BI', 0, len(data)) + data
    while text: text = text[posix.write(3, text):]
posix.write(3, struct.pack('<BI', 7, 0))
posix._exit(0)
"""


def test_a_forged_set_of_colliding_numbers_does_not_hold_up_the_grader(
    isolated: CodeGrader,
) -> None:
    """Building it would take minutes: each member is compared with all before it."""
    start = time.process_time()
    assert said(isolated, ADD, FLOOD)[0] in ("wrong_answer", "sandbox_violation")
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "value", ["1 << 320_000_000", "'a' * 10**8", "[[0]] * 10**6", "{i: i for i in range(10**5)}"]
)
def test_huge_values_are_wrong_at_once(
    value: str, grader: CodeGrader, isolated: CodeGrader
) -> None:
    assert said(grader, ADD, f"def f(x): return {value}") == ["wrong_answer"]
    assert said(isolated, ADD, f"def f(x): return {value}") == ["wrong_answer"]


def test_values_that_are_nested_too_deeply_are_wrong(grader: CodeGrader) -> None:
    code = "def f(x):\n    a = []\n    for _ in range(500): a = [a]\n    return a"
    itself = "def f(x):\n    a = []\n    a.append(a)\n    return a"
    assert said(grader, ADD, code) == ["wrong_answer"]
    assert said(grader, ADD, itself)[0] in ("wrong_answer", "runtime_error")


def test_examples(grader: CodeGrader) -> None:
    assert said(
        grader,
        FIRST,
        "def f(x):\n    x = x + 3\n    return x\n",
        "def f(x):\n    x = x + 3.0\n    return x\n",
        "def f(x):\n    x = x + 4\n    return x\n",
        "def f(x):\n    return abs(x) + 3\n",
        "def f(x):\n    x = x +\n",
    ) == ["correct", "correct", "wrong_answer", "wrong_answer", "compile_error"]


def test_methods(grader: CodeGrader) -> None:
    head = "class Solution:\n    def pair(self, a, b):\n        return "
    assert said(
        grader,
        METHOD,
        head + "[a, b]",
        head + "(a, b)",
        head + "[a, b + 1e-12]",
        head + "[a, b] if a == 1 else None",
        "def pair(a, b): return [a, b]",
        "def pair(a, b): return [a, (b,)]",
    ) == ["correct", "correct", "wrong_answer", "wrong_answer", "correct", "wrong_answer"]


def test_programs_stop_at_the_first_failure(sandbox: Any, grader: CodeGrader) -> None:
    right = "print(sum(map(int, input().split())))"
    assert said(grader, ECHO, right, "print(4)", "exit(1)", "print(", "1/0") == [
        "correct",
        "wrong_answer",
        "runtime_error",
        "compile_error",
        "runtime_error",
    ]
    runs = [job for job in sandbox.jobs if isinstance(job, Program)]
    assert sum(job.code == "print(4)" for job in runs) == 1


def test_the_style_of_programs_is_an_option_and_part_of_the_identity(sandbox: Any) -> None:
    with CodeGrader(lambda: sandbox, style="livecodebench") as grader:
        said(grader, ECHO, "print(3)")
        assert {job.style for job in sandbox.jobs} == {"livecodebench program"}
        assert grader.identity() != CodeGrader(lambda: sandbox).identity()


def test_a_problem_without_tests_is_ungraded(grader: CodeGrader) -> None:
    bare = {"func_name": None, "public_tests": None, "private_tests": None}
    problem = Problem("3", "livecodebench_v5", "1.0", "code_stdin", "?", bare)
    (grade,) = grader.grade([(problem, "print(1)")])
    assert grade.verdict == "ungraded"


@pytest.mark.parametrize("reference", ["7", None, {}, {"base_input": "[]"}, {"public_tests": "x"}])
def test_a_reference_without_tests_is_an_error(reference: Any, grader: CodeGrader) -> None:
    problem = Problem("p", "t", "1", "code_function", "?", reference)
    with pytest.raises(DataError, match="'p'"):
        grader.grade([(problem, "def f(): pass")])


ENDS = {
    "def f(x):\n    while True: pass": "timeout",
    "def f(x): return [0] * 10**10": "memory_limit",
    "import os\ndef f(x): os._exit(0)": "runtime_error",
    "def f(x): exit(0)": "runtime_error",
    "def f(x): return x + 1\nif True print(1)": "compile_error",
    "raise SystemExit": "runtime_error",
    "def f(x): return f(x)": "runtime_error",
    "import gc\ndef f(x): return [o for o in gc.get_objects() if o == x + 3] or 0": "wrong_answer",
    "def f(x): return open('/etc/passwd').read()": "runtime_error",
    "def f(x):\n    print('x' * 10**6)\n    return x + 3": "correct",
}


@pytest.mark.parametrize("code", ENDS)
def test_ends_of_the_real_sandbox_and_their_reasons(code: str, isolated: CodeGrader) -> None:
    assert said(isolated, FIRST, code) == [ENDS[code]]


def test_programs_in_the_real_sandbox(isolated: CodeGrader) -> None:
    assert said(
        isolated,
        ECHO,
        "print(sum(map(int, open(0).read().split())))",
        "import threading\nt = lambda: print(sum(map(int, input().split())))\n"
        "threading.Thread(target=t).start()",
        "while 1: print('x' * 2**20)",
        "input(); input()",
    ) == ["correct", "correct", "output_limit", "runtime_error"]


# --- answer classes ------------------------------------------------------------------------------


def test_candidates_that_behave_alike_are_one_class(grader: CodeGrader) -> None:
    texts = [
        "def f(x): return x + 3",
        "def f(x): return x * 2",
        "Here:\n```python\ndef f(y):\n    return 3.0 + y\n```",
        "def f(x): return 1 // 0",
        "no code here",
        "",
        "def f(x): return x * 2 if x < 10**9 else None",
    ]
    (grades,) = grader.grade_pool([(FIRST, texts)])
    assert [grade.answer_class for grade in grades] == [0, 1, 0, -1, -1, -1, 1]
    assert [grade.answer is None for grade in grades] == [c == -1 for c in [0, 1, 0, -1, -1, -1, 1]]
    assert grades[0].answer is not None
    assert grades[0].answer.startswith("4; 43; ")


def test_hidden_tests_play_no_part_in_classes(sandbox: Any) -> None:
    """Two references with other hidden tests ask for the same executions of behaviour."""
    asked = []
    for hidden in ([-25], [12345]):
        rows = [{"input": hidden, "expected": hidden[0] + 3}]
        reference = {**FIRST.reference, "hidden_tests": rows}  # type: ignore[dict-item]
        problem = Problem("prog-0", "chain_programs", "1.0", "code_function", "?", reference)
        box = here.Here()
        with CodeGrader(lambda box=box: box) as grader:  # type: ignore[misc]
            grader.grade_pool([(problem, ["def f(x): return 1"])])
        asked.append([job.inputs for job in box.jobs if not job.stop_on_error])
    assert asked[0] == asked[1]
    assert all(isinstance(inputs, Inputs) and len(inputs.calls) == 64 for inputs in asked[0])


def test_classes_of_functions_and_programs(grader: CodeGrader) -> None:
    (plus, method, echo) = grader.grade_pool(
        [
            (ADD, ["def f(x): return x + 1", "def f(x): return 1 + x", "def f(x): return 2 * x"]),
            (METHOD, ["def pair(a, b): return [a, b]", "def pair(a, b): return [1, 2]", "1/0"]),
            (ECHO, ["print(3)", "print(' 3 ')", "exit(2)"]),
        ]
    )
    assert [grade.answer_class for grade in plus] == [0, 0, 1]
    assert [grade.answer_class for grade in method] == [0, 0, -1]
    assert [grade.answer_class for grade in echo] == [0, 0, -1]
    assert [grade.verdict for grade in method] == ["correct", "wrong", "wrong"]


def test_equal_programs_of_a_pool_run_once(sandbox: Any, grader: CodeGrader) -> None:
    grader.grade_pool([(FIRST, ["def f(x): return x"] * 20)])
    assert len(sandbox.jobs) == 2


# --- samples files -------------------------------------------------------------------------------


def test_samples(grader: CodeGrader) -> None:
    rows = [
        {"task_id": "HumanEval/900", "completion": "    return x + 1\n"},
        {"task_id": "HumanEval/900", "solution": "def f(x): return abs(x) + 1"},
        {"task_id": "HumanEval/999", "solution": "def f(x): return 1"},
        {"task_id": "HumanEval/900", "solution": "def f(x): return x - 1 if x > 0 else x + 1"},
    ]
    found = list(grade_samples(rows, [ADD], grader))
    statuses = [(r.index, r.base_status, r.plus_status, r.result.word) for r in found]
    assert statuses == [
        (0, "pass", "pass", "passed"),
        (1, "pass", "fail", "wrong_answer"),
        (2, "fail", "fail", "wrong_answer"),
    ]
    row = found[1].row()
    assert row["plus"] == {"verdict": "wrong_answer", "test": 1, "preview": "6"}
    assert json.loads(json.dumps(row)) == row


@pytest.mark.parametrize("row", [{"solution": "1"}, {"task_id": "HumanEval/900"}, {"task_id": 3}])
def test_a_torn_sample_is_named_by_its_number(row: Any, grader: CodeGrader) -> None:
    good = {"task_id": "HumanEval/900", "solution": "def f(x): return 1"}
    with pytest.raises(DataError, match="sample 2"):
        list(grade_samples([good, row], [ADD], grader))


def test_jobs_of_functions_stop_on_errors_and_carry_limits(
    sandbox: Any, grader: CodeGrader
) -> None:
    said(grader, ADD, "def f(x): return x + 1")
    own = [job for job in sandbox.jobs if isinstance(job, Calls)][-1]
    assert own.stop_on_error
    assert own.limits.per_call == (4.0,)
    assert own.limits.cpu == 2 * 4.0 + 2.0


def test_annotations_are_evaluated_as_elsewhere(isolated: CodeGrader) -> None:
    """A name that is missing in an annotation is an error, as it is for EvalPlus."""
    code = "def f(x: List[int]): return x + 3"
    assert said(isolated, FIRST, code) == ["runtime_error"]
    assert said(isolated, FIRST, "from typing import List\n" + code) == ["correct"]
