from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.grading.compare import (
    MAX_CHARS,
    MAX_NESTING,
    normalise,
    prepared,
    quick,
    refusal,
)
from harness.grading.math import MathGrader
from harness.grading.workers import Pair

QUICK = [
    ("12", " 12 ", True),
    ("12", "12.", True),
    ("12", "$12$", True),
    ("1,234", "1234", True),
    ("10,\\!080", "10080", True),
    ("10\\,000", "10000", True),
    ("10{,}000", "10000", True),
    ("007", "7", True),
    ("12", "13", False),
    ("\\frac12", "\\frac{2}{4}", True),
    ("\\dfrac{1}{2}", "1/2", True),
    ("-\\frac{1}{2}", "\\frac{-1}{2}", True),
    ("\\frac{4}{2}", "2", True),
    ("\\frac{1}{0}", "1", None),
    ("1.50", "1.5", True),
    ("1.5", "1.6", False),
    ("1.5", "1.5000001", None),  # rounding decides: left to math-verify
    ("5", "5.0", None),
    ("0.5", "\\frac12", None),
    ("5", "5%", None),
    ("1 1/2", "11/2", None),  # a mixed numeral is not eleven halves
    ("\\text{east}", "east", True),
    ("\\left( 3, 4 \\right)", "(3,4)", True),
    ("", "", None),
    ("$", "$$", None),
    ("1" * 40, "1" * 39 + "2", None),
]


@pytest.mark.parametrize(("gold", "answer", "equal"), QUICK)
def test_quick(gold: str, answer: str, equal: bool | None) -> None:
    assert equal is quick(gold, answer)
    assert equal is quick(answer, gold)


def test_normalise_keeps_a_space_between_digits() -> None:
    assert normalise(" 1  1/2".replace("  ", " ")) == "1 1/2"
    assert normalise("\\sin x") == "\\sinx"


def test_prepared_keeps_the_spaces_that_commands_need() -> None:
    assert prepared("$\\sin  x$.") == "\\sin x"
    assert prepared("5\\%") == "5%"
    assert prepared("\\$32,\\!348").replace(",", "") == "32348"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("x^2", None),
        ("2^{100000}", None),
        ("2^{2^{10}}", None),
        ("e^{x^{2}}", None),
        ("2^{100001}", "exponent too large"),
        ("5^{5^{5^{5^5}}}", "exponent too large"),
        ("10^10^10", "exponent too large"),
        ("10**10**10", "exponent too large"),
        ("2^(9^(9^9))", "exponent too large"),
        ("1^{(2^{235423523})}", "exponent too large"),
        ("9" * MAX_CHARS, None),
        ("9" * (MAX_CHARS + 1), "too long"),
        ("(" * MAX_NESTING, None),
        ("(" * (MAX_NESTING + 1), "too deep"),
        ("{[(" * 20, "too deep"),
        ("\x00\ud800", None),
        ("", None),
    ],
)
def test_refusal(answer: str, reason: str | None) -> None:
    assert reason == refusal(answer)


NUMERALS = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.integers(0, 10**9).map(lambda n: f"{n:,}"),
    st.decimals(-1000, 1000, places=3).map(str),
    st.tuples(st.integers(-99, 99), st.integers(1, 99)).map(
        lambda f: f"\\frac{{{f[0]}}}{{{f[1]}}}"
    ),
    st.tuples(st.integers(0, 99), st.integers(1, 99)).map(lambda f: f"{f[0]}/{f[1]}"),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(left=NUMERALS, right=NUMERALS, same=st.booleans())
def test_quick_never_contradicts_math_verify(
    grader: MathGrader, left: str, right: str, same: bool
) -> None:
    other = left if same else right
    fast = quick(left, other)
    if fast is not None:
        slow = grader._workers.compare([Pair(prepared(left), prepared(other))])[0]
        assert fast is slow.equal
