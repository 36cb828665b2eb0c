from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.errors import DataError
from harness.grading import MathGrader, gold_answer
from harness.types import Grade, Json, Problem

MakeProblem = Callable[..., Problem]

SEMANTICS = [
    # what math-verify 0.9.0 means by equal, where it may surprise
    ("5%", "0.05", "correct"),
    ("5", "5\\%", "correct"),
    ("(1,2)", "\\{1,2\\}", "correct"),
    ("\\frac13", "0.333333", "correct"),
    ("\\pi", "3.14", "wrong"),
    ("90^\\circ", "90", "correct"),
    ("5.4 \\text{ cents}", "5.4", "correct"),
    ("52_8", "52", "correct"),
    ("x=5", "5", "correct"),
    ("1,-2", "-2,1", "correct"),
    ("1,-2", "1", "wrong"),
    ("\\$32,\\!348", "32348", "correct"),
    ("10", "10.0", "correct"),
    ("2\\sqrt{3}", "\\sqrt{12}", "correct"),
    ("(x+1)^2", "x^2+2x+1", "correct"),
    ("(-\\infty,2]", "(-\\infty,2)", "wrong"),
]


@pytest.mark.parametrize(("gold", "answer", "verdict"), SEMANTICS)
def test_verdicts(
    problem: MakeProblem, grader: MathGrader, gold: str, answer: str, verdict: str
) -> None:
    assert verdict == grader.grade_one(problem(gold), rf"Thus \boxed{{{answer}}}.").verdict


def test_two_boxes_do_not_become_a_set(problem: MakeProblem, grader: MathGrader) -> None:
    text = r"First $\boxed{1}$. No: we forgot a term, it is $\boxed{2}$."
    assert Grade("correct", "2") == grader.grade_one(problem("2"), text)
    assert Grade("wrong", "2") == grader.grade_one(problem("1"), text)


@pytest.mark.parametrize(
    ("text", "grade"),
    [
        ("I do not know.", Grade("wrong", None, "no answer")),
        ("", Grade("wrong", None, "no answer")),
        (r"\boxed{" + "7" * 2000 + "}", Grade("wrong", "7" * 2000, "too long")),
        (r"\boxed{" + "(" * 50 + "}", Grade("wrong", "(" * 50, "too deep")),
        (r"\boxed{9^{9^9}}", Grade("ungraded", "9^{9^9}", "exponent too large")),
        (r"\boxed{10000000!}", Grade("ungraded", "10000000!", "timeout")),
    ],
)
def test_reasons(problem: MakeProblem, text: str, grade: Grade) -> None:
    with MathGrader(workers=1, cpu_seconds=1) as grader:
        assert grade == grader.grade_one(problem("7"), text)


@pytest.mark.parametrize(
    ("reference", "gold"),
    [
        ("42", "42"),
        (" 42 ", "42"),
        ({"answer": "42", "solution": "long"}, "42"),
        ({"answer": ["1", "2"]}, "1,2"),
        (["$1$", "$2$"], "$1$,$2$"),
        ("He has 3+4=7.\n#### 7", "7"),
        (r"Adding gives \boxed{\frac12}.", r"\frac12"),
    ],
)
def test_gold_answer(problem: MakeProblem, reference: Json, gold: str) -> None:
    assert gold == gold_answer(problem(reference))


@pytest.mark.parametrize(
    "reference", [None, "", "  ", 42, [], [1, 2], {"solution": "x"}, {"answer": None}]
)
def test_a_reference_without_an_answer_is_a_data_error(
    problem: MakeProblem, reference: Json
) -> None:
    with pytest.raises(DataError, match=r"'a_task'.*'p7'.*'answer'"):
        gold_answer(problem(reference, id="p7"))


def test_a_pool_gets_answer_classes(problem: MakeProblem, grader: MathGrader) -> None:
    pool = [
        (problem("1/2", "a"), [r"\boxed{0.5}", "dunno", r"\boxed{3}", r"\boxed{\frac{2}{4}}"]),
        (problem("9", "b"), []),
        (problem("9", "c"), ["The answer is 9."]),
    ]
    grades = grader.grade_pool(pool)
    assert [len(found) for found in grades] == [4, 0, 1]
    assert [g.verdict for g in grades[0]] == ["correct", "wrong", "wrong", "correct"]
    assert [g.answer_class for g in grades[0]] == [0, -1, 1, 0]
    assert Grade("correct", "9", "", 0) == grades[2][0]


def test_equal_pairs_are_compared_once(
    problem: MakeProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MathGrader(workers=1) as grader:
        sent = []
        compare = grader._workers.compare

        def spy(pairs):  # type: ignore[no-untyped-def]
            sent.extend(pairs)
            return compare(pairs)

        monkeypatch.setattr(grader._workers, "compare", spy)
        items = [(problem(r"\sqrt{12}"), r"\boxed{2\sqrt{3}}")] * 50
        first = grader.grade(items)
        assert first == grader.grade(items)
        assert [Grade("correct", r"2\sqrt{3}")] * 50 == first
        assert len(sent) == 1


def test_plain_numbers_start_no_worker(problem: MakeProblem) -> None:
    with MathGrader() as grader:
        grader.grade([(problem("7"), f"The answer is {i}.") for i in range(1000)])
        assert grader._workers.pids == ()
