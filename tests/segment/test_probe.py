"""Steps that say nothing new: where they stand, and that nothing else moves."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.segment.probe import FILLER, parse_probe

STEPS = ("a=1\n", "b=2\n", "so 2")


@pytest.mark.parametrize(
    ("probe", "steps", "expected"),
    [
        ("none", STEPS, STEPS),
        ("repeat:2", STEPS, ("a=1\n", "b=2\n", "b=2\n", "b=2\n", "so 2")),
        ("filler:1", STEPS, ("a=1\n", "b=2\n", FILLER, "so 2")),
        ("repeat:1", ("so 2",), ("so 2\n", "so 2")),
        ("filler:2", ("so 2",), (FILLER, FILLER, "so 2")),
        ("repeat:1", ("a", "b"), ("a\n", "a\n", "b")),
        ("repeat:3", (), ()),
    ],
)
def test_steps_are_added_before_the_last(
    probe: str, steps: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert parse_probe(probe)(steps) == expected


@pytest.mark.parametrize(
    ("probe", "message"),
    [
        ("repaet:2", "did you mean 'repeat:K'"),
        ("repeat", "a whole number from 1 up"),
        ("filler:0", "a whole number from 1 up"),
        ("filler:x", "a whole number from 1 up"),
    ],
)
def test_mistakes(probe: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_probe(probe)
