"""Cutting solutions into steps: nothing is lost, and nothing blank is a step."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.segment import CodeLines, Delimiter, Segmenter, Whole, parse

RULES: list[Segmenter] = [
    Delimiter("\n\n"),
    Delimiter("\n"),
    Delimiter("Step"),
    CodeLines(),
    Whole(),
]

PIECES = ["a", "\n", "\n\n", " ", "Step", "(", ")", "]", "{", '"""', "'''", "'", '"', "#", "@d"]
PIECES += ["\\", "\\\n", "```", "\r\n", "\u2028", "\t"]
# Texts made of the characters that the rules look at, so that short ones reach every branch.
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(PIECES),
        max_size=40,
    ).map("".join),
)


@pytest.mark.parametrize("rule", RULES[:4], ids=lambda rule: repr(rule.spec))
@given(steps=st.lists(st.sampled_from(["x = 1", "b", "y = (2)", "f(x)"]), min_size=1))
def test_closed_steps_are_cut_where_they_were_closed(rule: Segmenter, steps: list[str]) -> None:
    closed = tuple(rule.close(step) for step in steps)
    assert closed == tuple(rule.close(step) for step in closed)
    assert closed == rule.cut("".join(closed))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: repr(rule.spec))
@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_nothing_is_lost_and_no_step_is_blank(rule: Segmenter, text: str) -> None:
    steps = rule.cut(text)
    assert "".join(steps) == text
    assert all(step.strip() for step in steps) or len(steps) == 1
    assert bool(steps) == bool(text)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a\n\nb", ("a\n\n", "b")),
        ("a\n\nb\n\n", ("a\n\n", "b\n\n")),
        ("a\n\n\n\nb", ("a\n\n\n\n", "b")),
        ("a\n\n \n\nb", ("a\n\n \n\n", "b")),
        ("\n\na\n\nb", ("\n\na\n\n", "b")),
        ("a\nb", ("a\nb",)),
        ("\n\n", ("\n\n",)),
    ],
)
def test_a_delimiter_ends_the_step_before_it(text: str, steps: tuple[str, ...]) -> None:
    assert steps == Delimiter("\n\n").cut(text)


def test_a_delimiter_may_be_a_word() -> None:
    assert Delimiter("Step").cut("one Step two StepStep three") == (
        "one Step",
        " two StepStep",
        " three",
    )


CODE = [
    ("x = 1\ny = 2\n", ("x = 1\n", "y = 2\n")),
    ("x = 1\n\n\ny = 2", ("x = 1\n\n\n", "y = 2")),
    ("# why\nx = 1\n", ("# why\nx = 1\n",)),
    ("x = 1\n# the end\n", ("x = 1\n# the end\n",)),
    ("@cache\ndef f():\n    pass\n", ("@cache\ndef f():\n", "    pass\n")),
    ("f(1,\n  2)\nx\n", ("f(1,\n  2)\n", "x\n")),
    ("x = [  # )\n  1]\ny\n", ("x = [  # )\n  1]\n", "y\n")),
    ("x = '('\ny\n", ("x = '('\n", "y\n")),
    ("x = '\\'('\ny\n", ("x = '\\'('\n", "y\n")),
    ('"""a\n\nb"""\ny\n', ('"""a\n\nb"""\n', "y\n")),
    ("'''a\\''' (\n'''\ny\n", ("'''a\\''' (\n'''\n", "y\n")),
    ("x = 1 + \\\n  2\ny\n", ("x = 1 + \\\n  2\n", "y\n")),
    ("don't (it's\nhere\n", ("don't (it's\n", "here\n")),
    ("Look (\n```python\nx = 1\n```\n", ("Look (\n", "```python\n", "x = 1\n", "```\n")),
    ("x = 1\n@cache\n", ("x = 1\n", "@cache\n")),
    ("# only\n", ("# only\n",)),
]


@pytest.mark.parametrize(("text", "steps"), CODE)
def test_a_code_step_is_a_logical_line(text: str, steps: tuple[str, ...]) -> None:
    assert steps == CodeLines().cut(text)


def test_brackets_that_never_close_do_not_make_it_quadratic() -> None:
    text = "f((((\n" * 3_000
    start = time.perf_counter()
    assert len(CodeLines().cut(text)) == 3_000
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: repr(rule.spec))
def test_the_written_form_gives_the_rule_back(rule: Segmenter) -> None:
    assert rule == parse(rule.spec)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("code_line", r"t.yaml:3: unknown rule for steps 'code_line'; did you mean 'code_lines'\?"),
        ("sentences", "valid: code_lines, delimiter:TEXT, whole"),
        ("delimiter", "unknown rule"),
        ("delimiter:", "a delimiter needs a text"),
    ],
)
def test_an_unknown_rule_names_the_valid_ones(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(spec, "t.yaml:3")
