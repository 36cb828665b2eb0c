"""The exact step checkers: the index of the first wrong step, or -1.

Both know the one way to solve a problem, so a step is right exactly when it says what that way
says there. Up to the first wrong step all steps are right, hence the expected step never depends
on what the model made of earlier ones. Accepted variations: spaces, and in arithmetic the order
of a sum or a product (`3*85=255`); in programs `x - -5` for `x + 5`. A step that cannot be read
is wrong, and so is a step after the last one. A solution that stops early has no wrong step;
whether it is complete is the answer's business.
"""

import re
from collections.abc import Callable, Sequence

from harness.embedded import chain_arithmetic, chain_programs
from harness.embedded.mistakes import Hand

_STEP = re.compile(r"(?:([a-z])=)?(-?\d+)([-+*])(-?\d+)=(-?\d+)")


def first_wrong_arithmetic(problem: str, steps: Sequence[str]) -> int:
    """The first wrong step of a solution of a `chain_arithmetic` problem."""
    expected = chain_arithmetic.solve(chain_arithmetic.parse(problem), Hand()).steps
    return _first_difference(expected, steps, _read_equation)


def first_wrong_programs(problem: str, steps: Sequence[str]) -> int:
    """The first wrong line of a solution of a `chain_programs` problem."""
    expected = chain_programs.solve(chain_programs.parse(problem), Hand()).steps
    return _first_difference(expected, steps, _read_line)


CHECKERS: dict[str, Callable[[str, Sequence[str]], int]] = {
    "arithmetic": first_wrong_arithmetic,
    "programs": first_wrong_programs,
}
"""Domain -> checker."""


def _first_difference(
    expected: Sequence[str], steps: Sequence[str], read: Callable[[str], object]
) -> int:
    for index, step in enumerate(steps):
        if index >= len(expected):
            return index
        right, said = expected[index], step.removesuffix("\n")
        if said != right and (read(said) is None or read(said) != read(right)):
            return index
    return -1


def _read_equation(step: str) -> object:
    """What a step of arithmetic says, equal for steps that say the same; None if unreadable."""
    bare = step.replace(" ", "")
    match = _STEP.fullmatch(bare)
    if not match:
        return bare if bare.startswith("\\boxed{") else None
    name, left, op, right, result = match.groups()
    sides = (left, right) if op == "-" else tuple(sorted((left, right)))
    return name, op, sides, result


def _read_line(line: str) -> object:
    """What a code line says: its indentation and its text without spaces and double signs."""
    body = line.strip()
    depth = len(line) - len(line.lstrip(" "))
    bare = body.replace(" ", "").replace("--", "+").replace("+-", "-")
    return (depth, bare) if body.isascii() else None
