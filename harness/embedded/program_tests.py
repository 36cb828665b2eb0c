"""Input-output tests of a program, chosen so that every single mistake fails one of them.

Expected values come from our own interpreter. For each trap in the specification the program with
only that mistake is made; where the usual inputs cannot tell it from the right one (the edge of a
comparison, say), an input that can is added. A mistake that no input within -60..120 reveals
leaves the program right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.embedded.chain_programs import Program, solve
from harness.embedded.interpreter import run
from harness.embedded.mistakes import Hand

PUBLIC = (1, 40)
"""Inputs of the public examples."""
_USUAL = (-25, 0, 7, 23, 58, 95)
_ARGUMENTS = range(-60, 121)


@dataclass(frozen=True, slots=True)
class Example:
    """One call and what it returns."""

    argument: int
    expected: int

    def row(self) -> dict[str, list[int] | int]:
        """As it stands in a data row: the list of arguments, and the expected value."""
        return {"input": [self.argument], "expected": self.expected}


@dataclass(slots=True)
class _Fault(Hand):
    """Falls into exactly one trap: the one with this number."""

    number: int = 0

    def slips(self, kind: str) -> bool:
        """Whether this is the trap to fall into."""
        self.traps.append((self.step, kind))
        return len(self.traps) == self.number + 1


def public_tests(program: Program) -> tuple[Example, ...]:
    """The examples that a solver may see."""
    return _examples(solve(program, Hand()).steps, PUBLIC)


@lru_cache(maxsize=4096)
def hidden_tests(program: Program) -> tuple[Example, ...]:
    """The examples that decide; none of them is public."""
    right = solve(program, Hand()).steps
    arguments = list(_USUAL)
    for wrong in _faulty(program):
        if any(run(right, argument) != run(wrong, argument) for argument in arguments):
            continue
        for argument in _ARGUMENTS:
            if argument not in PUBLIC and run(right, argument) != run(wrong, argument):
                arguments.append(argument)
                break
    return _examples(right, arguments)


def passes(steps: Sequence[str], tests: Sequence[Example]) -> bool:
    """Whether a program of this language returns what every test expects."""
    return all(run(steps, test.argument) == test.expected for test in tests)


def _faulty(program: Program) -> Iterator[tuple[str, ...]]:
    hand = Hand()
    solve(program, hand)
    for number in range(len(hand.traps)):
        yield solve(program, _Fault(number=number)).steps


def _examples(steps: Sequence[str], arguments: Sequence[int]) -> tuple[Example, ...]:
    found = []
    for argument in arguments:
        expected = run(steps, argument)
        if expected is None:
            raise ValueError(f"the right program has no value for {argument}: {list(steps)}")
        found.append(Example(argument, expected))
    return tuple(found)
