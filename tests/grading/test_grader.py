from __future__ import annotations

import math
import subprocess
import sys

import pytest

from harness.errors import ConfigError
from harness.grading import CodeGrader, MathGrader, grader_for
from harness.types import KINDS, Kind, Problem

GRADED: list[Kind] = [kind for kind in KINDS if kind != "steps"]


def a_problem(kind: Kind) -> Problem:
    return Problem("p", "t", "1", kind, "?", "7")


@pytest.mark.parametrize("kind", GRADED)
def test_every_grader_keeps_the_contract(kind: Kind) -> None:
    with grader_for(kind, workers=1) as grader:
        assert grader.grade([]) == []
        assert grader.grade_pool([]) == []
        problem = a_problem(kind)
        texts = ["The answer is 7.", "", "The answer is 8."]
        grades = grader.grade([(problem, text) for text in texts])
        (pooled,) = grader.grade_pool([(problem, texts)])
        assert 3 == len(grades) == len(pooled)
        assert [g.verdict for g in grades] == [g.verdict for g in pooled]
        for grade in pooled:
            assert (grade.answer is None) == (grade.answer_class == -1)
            assert math.isnan(grade.value) == (grade.verdict == "ungraded")
        grader.close()


def test_kinds_and_graders() -> None:
    assert isinstance(grader_for("math"), MathGrader)
    assert isinstance(grader_for("code_function"), CodeGrader)
    assert isinstance(grader_for("code_stdin"), CodeGrader)
    with pytest.raises(ConfigError, match="no grader"):
        grader_for("steps")


def test_code_is_not_executed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    trap = tmp_path / "trap"
    code = f"```python\nopen({str(trap)!r}, 'w')\n```"
    with grader_for("code_function") as grader:
        (grade,) = grader.grade([(a_problem("code_function"), code)])
    assert grade.verdict == "ungraded"
    assert "sandbox" in grade.reason
    assert not trap.exists()


def test_import_loads_no_computer_algebra() -> None:
    code = (
        "import harness.grading, sys; print({'sympy', 'math_verify', 'torch'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
