"""Cutting again what is cut: nothing is lost, nothing is blank, each rule cuts where it says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.segment.recut import parse_recut

RULES = (
    "each", "whole", "join:2", "sentences", "lines", "delimiter:\n\n", "code_lines", "characters:3",
)  # fmt: skip
PIECES = st.sampled_from(
    ["a", "b. ", "Is it? ", "\n", " ", "x = (1,\n", "2)\n", "c\n\n", ".", "\t"]
)
# A task's own steps: none is blank.
STEPS = st.lists(st.lists(PIECES, min_size=1).map("".join).filter(str.strip), max_size=6).map(tuple)


@pytest.mark.parametrize("rule", RULES)
@given(steps=STEPS)
def test_nothing_is_lost_and_nothing_blank_is_a_step(rule: str, steps: tuple[str, ...]) -> None:
    found = parse_recut(rule)(steps)
    assert "".join(found) == "".join(steps)
    assert all(step.strip() for step in found)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("each", ("Add. Then\n", "halve: 3.5.\n", "7")),
        ("whole", ("Add. Then\nhalve: 3.5.\n7",)),
        ("join:2", ("Add. Then\nhalve: 3.5.\n", "7")),
        ("join:9", ("Add. Then\nhalve: 3.5.\n7",)),
        ("sentences", ("Add. ", "Then\n", "halve: 3.5.\n", "7")),
        ("lines", ("Add. Then\n", "halve: 3.5.\n", "7")),
        ("delimiter:3", ("Add. Then\nhalve: 3", ".5.\n7")),
        ("characters:10", ("Add. Then\n", "halve: 3.5", ".\n7")),
    ],
)
def test_where_each_cuts(rule: str, expected: tuple[str, ...]) -> None:
    assert expected == parse_recut(rule)(("Add. Then\n", "halve: 3.5.\n", "7"))


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("hole", "unknown rule for steps 'hole'; did you mean 'whole'"),
        ("join", "unknown rule|needs a whole number from 1 up"),
        ("join:0", "steps=join:0: join: needs a whole number from 1 up"),
        ("characters:x", "needs a whole number"),
        ("delimiter:", "a delimiter needs a text"),
    ],
)
def test_mistakes(rule: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_recut(rule)
