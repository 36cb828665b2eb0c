"""The step checkers on hand-made solutions, and the interpreter they rest on."""

from itertools import islice

import pytest

from harness.embedded.checkers import (
    CHECKERS,
    LOCAL,
    first_wrong_arithmetic,
    first_wrong_programs,
    local_arithmetic,
)
from harness.embedded.corpus import examples
from harness.embedded.interpreter import run

CHAIN = "a=47+38;b=20+a*3;c=b-a;c?"
PROGRAM = "f(x): add 47+38; unless x>9 sub 5; for 2 to 6 add i"
GOLD_PROGRAM = [
    "def f(x):",
    "    x = x + 85",
    "    if x <= 9:",
    "        x = x - 5",
    "    for i in range(2, 7):",
    "        x = x + i",
    "    return x",
]


@pytest.mark.parametrize(
    ("label", "steps"),
    [
        (-1, ["a=47+38=85", "85*3=255", "b=20+255=275", "c=275-85=190", r"\boxed{190}"]),
        (-1, ["a=38+47=85", "3*85=255", "b = 255 + 20 = 275"]),
        (-1, []),
        (0, ["a=47+38=75", "75*3=225", "b=20+225=245", "c=245-75=170", r"\boxed{170}"]),
        (0, ["47+38=85"]),
        (0, ["nonsense"]),
        (0, [""]),
        (1, ["a=47+38=85", "20+85=105", "b=105*3=315"]),
        (3, ["a=47+38=85", "85*3=255", "b=20+255=275", "c=85-275=-190"]),
        (3, ["a=47+38=85", "85*3=255", "b=20+255=275", "c=275-275=0"]),
        (4, ["a=47+38=85", "85*3=255", "b=20+255=275", "c=275-85=190", r"\boxed{191}"]),
        (4, ["a=47+38=85", "85*3=255", "b=20+255=275", "c=275-85=190", "190"]),
        (
            5,
            ["a=47+38=85", "85*3=255", "b=20+255=275", "c=275-85=190", r"\boxed{190}", "more"],
        ),
    ],
)
def test_arithmetic(label, steps):
    assert label == first_wrong_arithmetic(CHAIN, steps)
    assert label == first_wrong_arithmetic(CHAIN, [f"{step}\n" for step in steps])


@pytest.mark.parametrize(
    ("label", "changes"),
    [
        (-1, {}),
        (-1, {1: "    x = x+85"}),
        (-1, {1: "    x = x - -85"}),
        (1, {1: "    x = x + 75"}),
        (1, {1: "  x = x + 85"}),
        (2, {2: "    if x > 9:"}),
        (4, {4: "    for i in range(2, 6):", 5: "        x = x - i"}),
        (6, {6: "    return y"}),
        (0, {0: ""}),
    ],
)
def test_programs(label, changes):
    steps = [changes.get(index, line) for index, line in enumerate(GOLD_PROGRAM)]
    assert label == first_wrong_programs(PROGRAM, steps)


@pytest.mark.parametrize("argument", [-90, -80, -76, 0, 5])
def test_interpreter_agrees_with_python(argument):
    space: dict[str, object] = {}
    exec("\n".join(GOLD_PROGRAM), space)
    assert space["f"](argument) == run(GOLD_PROGRAM, argument)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["x = 1"],
        ["def f(x):", "    import os"],
        ["def f(x):", "    x = x +", "    return x"],
        ["def f(x):", "    x = z", "    return x"],
        ["def f(x):", "    for i in range(9):", "    return x"],
        ["def f(x):", "        x = 1", "    return x"],
        ["def f(x):", "    for i in range(999999):", "        x = x + i", "    return x"],
        ["def f(x):", "    x = (x + 1", "    return x"],
        ["def f(x):", "    x = x * 99999999", "    x = x * x", "    return x"],
    ],
)
def test_what_is_no_program_has_no_result(lines):
    assert run(lines, 77) is None


def test_local_labels_follow_the_values_that_were_written():
    steps = ["a=47+38=75", "75*3=225", "b=20+225=245", "c=245-75=160", r"\boxed{160}"]
    due = ["a=47+38=85", "75*3=225", "b=20+225=245", "c=245-75=170", r"\boxed{160}"]
    assert due == local_arithmetic(CHAIN, steps)
    precedence = ["a=47+38=85", "20+85=105", "b=105*3=315", "c=315-85=230"]
    due = ["a=47+38=85", "85*3=255", None, "c=315-85=230"]
    assert due == local_arithmetic(CHAIN, precedence)
    assert local_arithmetic(CHAIN, ["what?", "85*3=255", "b=1"]) == ["a=47+38=85", None, None]


def test_local_and_global_labels_agree_up_to_the_first_wrong_step():
    for item in islice(examples("local", 0.4), 1500):
        steps = item.solution.steps
        due = LOCAL[item.domain](item.problem, steps)
        assert len(steps) == len(due)
        wrong = [
            at for at, (was, is_due) in enumerate(zip(steps, due, strict=True)) if was != is_due
        ]
        assert CHECKERS[item.domain](item.problem, steps) == (wrong[0] if wrong else -1)
