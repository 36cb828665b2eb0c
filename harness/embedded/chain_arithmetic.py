"""Chains of small integer operations with variables: problems and their solutions.

A problem is a list of equations and a question, `a=47+38;b=20+a*3;b?`. An equation has one or two
operations of + - * over numbers and variables already defined; a product binds first. The solution
has one step per operation, with the values put in, and a last step with the answer:

    a=47+38=85
    85*3=255
    b=20+255=275
    \\boxed{275}

Equations that the answer does not depend on are worked out too: a mistake there leaves the answer
right. `level` is the number of steps, 4 to 12. On the right path every value lies within -299..299
and at most two traps are of a modal kind (see `mistakes`), which keeps a right solution within the
reach of some tens of samples.
"""

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.embedded.mistakes import Hand
from harness.embedded.splits import Split

LEVELS = tuple(range(4, 13))
"""Numbers of steps that a problem can need, the boxed answer included."""

_LIMIT = 299
"""Bound on the size of every value on the right path."""
_MAX_IDLE = 2
"""How many operations may have no influence on the answer."""
_EQUATION = re.compile(r"([a-z])=(\w+)([-+*])(\w+)(?:([-+*])(\w+))?")

Term = int | str
"""A number, or the name of a variable."""


@dataclass(frozen=True, slots=True)
class Mix:
    """How often what comes up in random problems."""

    levels: tuple[int, ...]
    """Numbers of steps, taken in turn."""
    quotas: tuple[int, ...]
    """How many modal traps a problem gets, drawn evenly from here."""
    borrows: tuple[int, ...]
    """How many of them may be borrows, drawn evenly from here; the others are of precedence."""
    newest: float
    """How often an equation builds on the newest variable rather than on any."""
    negative: float
    """How often an equation with a negative value is thrown away again."""
    least: int
    """The smallest size of a value on the right path."""


MIXES: Mapping[Split, Mix] = MappingProxyType(
    {
        "train": Mix(LEVELS, (0,) * 5 + (1,) * 9 + (2,) * 6, (2,), 0.75, 0.6, 2),
        "test": Mix(
            levels=(*LEVELS, 4, 5, 6, 7, 8),
            quotas=(0,) * 7 + (1,) * 10 + (2,) * 3,
            borrows=(0,) * 6 + (1,),
            newest=0.92,
            negative=0.8,
            least=10,
        ),
    }
)
"""Split -> mix. Training problems are somewhat harder and more varied than those of the test."""


@dataclass(frozen=True, slots=True)
class Equation:
    """One definition, `name = terms[0] ops[0] terms[1] ...`."""

    name: str
    terms: tuple[Term, ...]
    ops: tuple[str, ...]

    @property
    def text(self) -> str:
        """The equation as the problem states it."""
        tail = "".join(f"{op}{term}" for op, term in zip(self.ops, self.terms[1:], strict=True))
        return f"{self.name}={self.terms[0]}{tail}"

    @property
    def product_second(self) -> bool:
        """Whether the second operation must be done before the first."""
        return self.ops[0] != "*" and self.ops[1:] == ("*",)


@dataclass(frozen=True, slots=True)
class Chain:
    """A problem: equations, of which the last one's value is asked for."""

    equations: tuple[Equation, ...]

    @property
    def text(self) -> str:
        """The problem as the model reads it."""
        body = ";".join(equation.text for equation in self.equations)
        return f"{body};{self.equations[-1].name}?"

    @property
    def level(self) -> int:
        """The number of steps of a solution."""
        return 1 + sum(len(equation.ops) for equation in self.equations)


@dataclass(frozen=True, slots=True)
class Solution:
    """Steps without their line ends, and what they end in."""

    steps: tuple[str, ...]
    answer: str
    made: tuple[tuple[int, str], ...] = ()
    """(step, kind) of every mistake in it."""

    @property
    def text(self) -> str:
        """The solution as the model writes it: every step ends in a line end."""
        return "".join(f"{step}\n" for step in self.steps)


def parse(text: str) -> Chain:
    """The problem that a text states; ValueError when it states none."""
    *bodies, question = text.strip().split(";")
    equations = tuple(_parse_equation(body) for body in bodies)
    if not equations or question != f"{equations[-1].name}?":
        raise ValueError(f"not a chain of equations with a question: {text!r}")
    return Chain(equations)


def _parse_equation(body: str) -> Equation:
    match = _EQUATION.fullmatch(body)
    if not match:
        raise ValueError(f"not an equation with one or two operations: {body!r}")
    name, *rest = (part for part in match.groups() if part is not None)
    terms = tuple(int(part) if part.isdigit() else part for part in rest[0::2])
    return Equation(name, terms, tuple(rest[1::2]))


def solve(chain: Chain, hand: Hand) -> Solution:
    """The solution that this hand writes."""
    steps: list[str] = []
    values: dict[str, int] = {}
    for equation in chain.equations:
        hand.step = len(steps)
        for step in work_out(equation, values, hand):
            steps.append(step)
    answer = str(values[chain.equations[-1].name])
    steps.append(f"\\boxed{{{answer}}}")
    return Solution(tuple(steps), answer, tuple(hand.made))


def work_out(equation: Equation, values: dict[str, int], hand: Hand) -> list[str]:
    """The steps for one equation; its value is added to `values`."""
    terms: list[Term] = list(equation.terms)
    ops = list(equation.ops)
    steps: list[str] = []
    if len(ops) == 2:
        second = equation.product_second and not hand.slips("precedence")
        at = 1 if second else 0
        text, result = _operate(terms[at], ops[at], terms[at + 1], values, hand)
        steps.append(text)
        terms[at : at + 2] = [result]
        del ops[at]
        hand.step += 1
    text, result = _operate(terms[0], ops[0], terms[1], values, hand)
    steps.append(f"{equation.name}={text}")
    values[equation.name] = result
    return steps


def second_step(equation: Equation, values: dict[str, int], result: int | None) -> str | None:
    """The second step of an equation, given what the first one wrote; None for nothing."""
    if result is None:
        return None
    terms: tuple[Term, Term] = (result, equation.terms[2])
    op = equation.ops[1]
    if equation.product_second:
        terms, op = (equation.terms[0], result), equation.ops[0]
    text, _ = _operate(terms[0], op, terms[1], values, Hand())
    return f"{equation.name}={text}"


def _operate(
    first: Term, op: str, second: Term, values: dict[str, int], hand: Hand
) -> tuple[str, int]:
    left, right = _look_up(first, values, hand), _look_up(second, values, hand)
    result = hand.compute(left, op, right)
    return f"{left}{op}{right}={result}", result


def _look_up(term: Term, values: dict[str, int], hand: Hand) -> int:
    if isinstance(term, int):
        return term
    newest = next(reversed(values))
    wrong = values[newest] != values[term]
    return values[newest] if wrong and hand.slips("variable") else values[term]


def generate(rng: random.Random, level: int, mix: Mix = MIXES["test"]) -> Chain:
    """A random problem whose solution has this many steps."""
    quota = rng.choice(mix.quotas)
    borrows = rng.choice(mix.borrows) if len(mix.borrows) > 1 else mix.borrows[0]
    quota = min(quota, borrows + (level - 2) // 2)
    while True:
        chain = _attempt(rng, level - 1, (quota, borrows), mix)
        if chain is not None:
            return chain


def _attempt(rng: random.Random, operations: int, quota: tuple[int, int], mix: Mix) -> Chain | None:
    """One try at a problem; None when it misses the quota or wanders out of range.

    The quota: the number of modal traps, and the most borrows among them.
    """
    equations: list[Equation] = []
    values: dict[str, int] = {}
    left, modal, borrows = operations, 0, 0
    while left:
        for _ in range(12):
            equation = _random_equation(rng, list(values), left, mix)
            hand, trial = Hand(), dict(values)
            numbers = [_result(step) for step in work_out(equation, trial, hand)]
            rare = min(numbers) < 0 and rng.random() < mix.negative
            fits = all(mix.least <= abs(number) <= _LIMIT for number in numbers)
            borrowed = sum(kind == "borrow" for _, kind in hand.traps)
            within = modal + hand.modal_traps() <= quota[0] and borrows + borrowed <= quota[1]
            if fits and not rare and within:
                break
        else:
            return None
        equations.append(equation)
        values = trial
        left -= len(equation.ops)
        modal += hand.modal_traps()
        borrows += borrowed
    if modal != quota[0] or idle_operations(equations) > _MAX_IDLE:
        return None
    return Chain(tuple(equations))


def _result(step: str) -> int:
    return int(step.rsplit("=", 1)[1])


def _random_equation(rng: random.Random, names: list[str], left: int, mix: Mix) -> Equation:
    name = "abcdefghijklmnop"[len(names)]
    if not names:
        op = rng.choice("++-*")
        if op == "*":
            return Equation(name, (rng.randrange(12, 50), rng.randrange(2, 9)), (op,))
        return Equation(name, (rng.randrange(11, 99), rng.randrange(11, 99)), (op,))
    known = names[-1] if rng.random() < mix.newest else rng.choice(names)
    other: Term = rng.choice(names) if rng.random() < 0.2 else rng.randrange(3, 80)
    factor = rng.randrange(2, 9 if rng.random() < 0.4 else 5)
    sign = rng.choice("+-")
    if left >= 2 and rng.random() < 0.5:
        if rng.random() < 0.5:
            return Equation(name, (known, factor, other), ("*", sign))
        return Equation(name, (other, known, factor), (sign, "*"))
    draw = rng.random()
    if draw < 0.25:
        return Equation(name, (known, factor), ("*",))
    if draw < 0.45:
        return Equation(name, (other, known), (sign,))
    return Equation(name, (known, other), (sign,))


def idle_operations(equations: Iterable[Equation]) -> int:
    """How many operations have no influence on the last value."""
    backwards = list(equations)[::-1]
    needed = {backwards[0].name}
    idle = 0
    for equation in backwards:
        if equation.name in needed:
            needed.update(term for term in equation.terms if isinstance(term, str))
        else:
            idle += len(equation.ops)
    return idle
