from __future__ import annotations

import math
import subprocess
import sys

import pytest

from harness.errors import ConfigError
from harness.grading import CodeGrader, MathGrader, grader_for
from harness.types import GIVEN_KINDS, KINDS, Json, Kind, Problem

GRADED: list[Kind] = [kind for kind in KINDS if kind not in GIVEN_KINDS]


PRINTS = {"public_tests": '[{"input": "7", "output": "7"}]', "private_tests": None}
RETURNS = {
    "entry_point": "f",
    "public_tests": [{"input": [7], "expected": 7}],
    "hidden_tests": [{"input": [8], "expected": 8}],
}
REFERENCES: dict[Kind, Json] = {"math": "7", "code_stdin": PRINTS, "code_function": RETURNS}
TEXTS = {
    "math": ["The answer is 7.", "", "The answer is 8."],
    "code_stdin": ["print(input())", "", "print(8)"],
    "code_function": ["def f(x): return x", "", "def f(x): return 9"],
}


def a_problem(kind: Kind) -> Problem:
    return Problem("p", "t", "1", kind, "?", REFERENCES[kind])


@pytest.mark.parametrize("kind", GRADED)
def test_every_grader_keeps_the_contract(kind: Kind) -> None:
    with grader_for(kind, workers=1) as grader:
        assert grader.grade([]) == []
        assert grader.grade_pool([]) == []
        problem, texts = a_problem(kind), TEXTS[kind]
        grades = grader.grade([(problem, text) for text in texts])
        (pooled,) = grader.grade_pool([(problem, texts)])
        assert [g.verdict for g in grades] == ["correct", "wrong", "wrong"]
        assert [g.verdict for g in grades] == [g.verdict for g in pooled]
        for grade in pooled:
            assert (grade.answer is None) == (grade.answer_class == -1)
            assert math.isnan(grade.value) == (grade.verdict == "ungraded")
        grader.close()


def test_kinds_and_graders() -> None:
    assert isinstance(grader_for("math"), MathGrader)
    assert isinstance(grader_for("code_function"), CodeGrader)
    assert isinstance(grader_for("code_stdin"), CodeGrader)
    for kind in GIVEN_KINDS:
        with pytest.raises(ConfigError, match=f"'{kind}' have no grader"):
            grader_for(kind)


def test_import_loads_no_computer_algebra() -> None:
    code = (
        "import harness.grading, sys; print({'sympy', 'math_verify', 'torch'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
