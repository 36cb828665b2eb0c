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


def local_arithmetic(problem: str, steps: Sequence[str]) -> list[str | None]:
    """What each step should have been, given the values that the steps before it wrote.

    None where that cannot be told: after an operation that was not due, and after a step that
    cannot be read. A step is locally right when it says what it should; up to and with the first
    wrong step, local and global verdicts agree.
    """
    found: list[str | None] = []
    values: dict[str, int] = {}
    chain = chain_arithmetic.parse(problem)
    for equation in chain.equations:
        said = [
            _STEP.fullmatch(step) for step in steps[len(found) : len(found) + len(equation.ops)]
        ]
        last = said[-1] if len(said) == len(equation.ops) else None
        first, *rest = chain_arithmetic.work_out(equation, dict(values), Hand())
        found.append(first)
        if rest:
            due = _STEP.fullmatch(first)
            same = said and said[0] and due and said[0].group(1, 3) == due.group(1, 3)
            result = int(said[0].group(5)) if same and said[0] else None
            found.append(chain_arithmetic.second_step(equation, values, result))
        if last is None or last.group(1) != equation.name:
            return (found + [None] * len(steps))[: len(steps)]
        values[equation.name] = int(last.group(5))
    found.append(f"\\boxed{{{values[chain.equations[-1].name]}}}")
    return (found + [None] * len(steps))[: len(steps)]


def local_programs(problem: str, steps: Sequence[str]) -> list[str | None]:
    """What each line should be; lines do not depend on each other."""
    expected = chain_programs.solve(chain_programs.parse(problem), Hand()).steps
    return ([*expected] + [None] * len(steps))[: len(steps)]


LOCAL: dict[str, Callable[[str, Sequence[str]], list[str | None]]] = {
    "arithmetic": local_arithmetic,
    "programs": local_programs,
}
"""Domain -> what each step should have been."""


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
