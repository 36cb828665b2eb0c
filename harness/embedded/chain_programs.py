"""Short specifications and the small Python functions that they ask for.

A specification is a list of clauses, `f(x): add 47+38; unless x>9 sub 5; for 2 to 6 add i`. The
solution is a function with one code line per step, written clause by clause:

    def f(x):
        x = x + 85
        if x <= 9:
            x = x - 5
        for i in range(2, 7):
            x = x + i
        return x

Constants are worked out, so arithmetic matters here as it does in `chain_arithmetic`; loop
bounds, edges of comparisons, branches and parentheses are the traps that only code has (see
`mistakes`). `level` is the number of lines, 4 to 12. At most two traps are of a modal kind.
"""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.embedded.chain_arithmetic import Solution
from harness.embedded.interpreter import run
from harness.embedded.mistakes import Hand

LEVELS = tuple(range(4, 13))
"""Numbers of code lines that a specification can need."""
ENTRY_POINT = "f"

_MODAL_QUOTA = (0,) * 9 + (1,) * 8 + (2,) * 3

_CONSTANT = r"(\d+(?:[-+*]\d+){0,2}|y)"
_CLAUSES = {
    "step": re.compile(rf"(add|sub) {_CONSTANT}"),
    "mul": re.compile(r"mul (\d+)"),
    "then": re.compile(r"(add|sub) (\d+) then mul (\d+)"),
    "if": re.compile(
        rf"if x(>|<| at least | at most )(\d+) (add|sub) {_CONSTANT} else (add|sub) {_CONSTANT}"
    ),
    "unless": re.compile(rf"unless x([<>])(\d+) (add|sub) {_CONSTANT}"),
    "times": re.compile(r"for (\d+) (add|sub) (\d+)"),
    "range": re.compile(r"for (\d+) to (\d+) (add|sub) i"),
    "keep": re.compile(r"keep y"),
    "set": re.compile(rf"set y {_CONSTANT}"),
}
_COMPARISONS = {">": ">", "<": "<", " at least ": ">=", " at most ": "<="}
_OPPOSITE = {">": "<=", "<": ">="}
_SIGNS = {"add": "+", "sub": "-"}
_LINES = {"step": 1, "mul": 1, "then": 1, "if": 4, "unless": 2, "times": 2, "range": 2}
_LINES |= {"keep": 1, "set": 1}


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: its kind, and the words and numbers in it."""

    kind: str
    parts: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """A specification."""

    clauses: tuple[Clause, ...]

    @property
    def text(self) -> str:
        """The specification as the model reads it."""
        return "f(x): " + "; ".join(clause.text for clause in self.clauses)

    @property
    def level(self) -> int:
        """The number of code lines of a solution."""
        return 2 + sum(_LINES[clause.kind] for clause in self.clauses)


def parse(text: str) -> Program:
    """The specification that a text states; ValueError when it states none."""
    head, _, body = text.strip().partition(": ")
    if head != "f(x)" or not body:
        raise ValueError(f"not a specification, these begin with 'f(x): ': {text!r}")
    return Program(tuple(_parse_clause(part) for part in body.split("; ")))


def _parse_clause(text: str) -> Clause:
    for kind, pattern in _CLAUSES.items():
        if match := pattern.fullmatch(text):
            return Clause(kind, match.groups(), text)
    raise ValueError(f"not a clause: {text!r}")


def solve(program: Program, hand: Hand) -> Solution:
    """The function that this hand writes; the answer is its whole text."""
    steps = [f"def {ENTRY_POINT}(x):"]
    for clause in program.clauses:
        for line in _WRITERS[clause.kind](clause.parts, hand, len(steps)):
            steps.append(f"    {line}")
    steps.append("    return x")
    return Solution(tuple(steps), "\n".join(steps) + "\n", tuple(hand.made))


def _constant(text: str, hand: Hand) -> str:
    """The value of a constant expression, or the variable y, as it stands in the code."""
    if text == "y":
        return "x" if hand.slips("variable") else "y"
    numbers = [int(part) for part in re.split(r"[-+*]", text)]
    ops = re.findall(r"[-+*]", text)
    while ops:
        at = 0
        if ops[0] != "*" and ops[1:] == ["*"] and not hand.slips("precedence"):
            at = 1
        numbers[at : at + 2] = [hand.compute(numbers[at], ops[at], numbers[at + 1])]
        del ops[at]
    return str(numbers[0])


def _change(word: str, constant: str, hand: Hand) -> str:
    return f"x = x {_SIGNS[word]} {_constant(constant, hand)}"


def _write_step(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    hand.step = at
    word, constant = parts
    yield _change(word, constant, hand)


def _write_mul(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    yield f"x = x * {parts[0]}"


def _write_then(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    word, number, factor = parts
    hand.step = at
    inner = f"x {_SIGNS[word]} {number}"
    yield f"x = {inner} * {factor}" if hand.slips("precedence") else f"x = ({inner}) * {factor}"


def _write_if(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    comparison, bound, word, constant, other_word, other_constant = parts
    sign = _COMPARISONS[comparison]
    hand.step = at
    if len(sign) == 2 and hand.slips("edge"):
        sign = sign[0]
    yield f"if x {sign} {bound}:"
    hand.step = at + 1
    yield f"    {_change(word, constant, hand)}"
    yield "else:"
    hand.step = at + 3
    yield f"    {_change(other_word, other_constant, hand)}"


def _write_unless(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    sign, bound, word, constant = parts
    hand.step = at
    yield f"if x {sign if hand.slips('branch') else _OPPOSITE[sign]} {bound}:"
    hand.step = at + 1
    yield f"    {_change(word, constant, hand)}"


def _write_times(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    times, word, number = parts
    yield f"for i in range({times}):"
    yield f"    x = x {_SIGNS[word]} {number}"


def _write_range(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    first, last, word = parts
    hand.step = at
    stop = int(last) if hand.slips("bound") else int(last) + 1
    yield f"for i in range({first}, {stop}):"
    yield f"    x = x {_SIGNS[word]} i"


def _write_keep(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    yield "y = x"


def _write_set(parts: tuple[str, ...], hand: Hand, at: int) -> Iterator[str]:
    hand.step = at
    yield f"y = {_constant(parts[0], hand)}"


_WRITERS = {
    "step": _write_step,
    "mul": _write_mul,
    "then": _write_then,
    "if": _write_if,
    "unless": _write_unless,
    "times": _write_times,
    "range": _write_range,
    "keep": _write_keep,
    "set": _write_set,
}


def generate(rng: random.Random, level: int) -> Program:
    """A random specification whose solution has this many lines."""
    quota = rng.choice(_MODAL_QUOTA)
    while True:
        program = _attempt(rng, level - 2, quota)
        hand = Hand()
        solution = solve(program, hand)
        sizes = [run(solution.steps, argument) for argument in (-50, 0, 100)]
        small = all(size is not None and abs(size) < 100_000 for size in sizes)
        if hand.modal_traps() == quota and small:
            return program


def _attempt(rng: random.Random, lines: int, quota: int) -> Program:
    clauses: list[Clause] = []
    has_y = False
    while lines:
        text = _random_clause(rng, has_y)
        clause = _parse_clause(text)
        if _LINES[clause.kind] > lines or (clause.kind in ("keep", "set") and has_y):
            continue
        hand = Hand()
        solve(Program((clause,)), hand)
        if hand.modal_traps() > quota:
            continue
        quota -= hand.modal_traps()
        lines -= _LINES[clause.kind]
        has_y = has_y or clause.kind in ("keep", "set")
        clauses.append(clause)
    return Program(tuple(clauses))


def _random_clause(rng: random.Random, has_y: bool) -> str:
    word, other = rng.choice(["add", "sub"]), rng.choice(["add", "sub"])
    kind = rng.choices(list(_CLAUSES), weights=(6, 1.5, 1.5, 2.5, 3, 1, 2, 0.7, 0.8))[0]
    bound = rng.randrange(2, 90)
    if kind == "step":
        constant = "y" if has_y and rng.random() < 0.5 else _random_constant(rng)
        return f"{word} {constant}"
    if kind == "mul":
        return f"mul {rng.randrange(2, 6)}"
    if kind == "then":
        return f"{word} {rng.randrange(2, 20)} then mul {rng.randrange(2, 6)}"
    if kind == "if":
        comparison = rng.choice([">", "<", " at least ", " at most "])
        first, second = _random_constant(rng), str(rng.randrange(2, 99))
        return f"if x{comparison}{bound} {word} {first} else {other} {second}"
    if kind == "unless":
        return f"unless x{rng.choice('<>')}{bound} {word} {_random_constant(rng)}"
    if kind == "times":
        return f"for {rng.randrange(2, 9)} {word} {rng.randrange(2, 20)}"
    if kind == "range":
        start = rng.randrange(1, 5)
        return f"for {start} to {start + rng.randrange(2, 12)} {word} i"
    return "keep y" if kind == "keep" else f"set y {_random_constant(rng)}"


def _random_constant(rng: random.Random) -> str:
    draw = rng.random()
    if draw < 0.1:
        return str(rng.randrange(2, 99))
    if draw < 0.55:
        return f"{rng.randrange(11, 90)}+{rng.randrange(11, 90)}"
    if draw < 0.85:
        return f"{rng.randrange(20, 99)}-{rng.randrange(11, 90)}"
    if draw < 0.93:
        return f"{rng.randrange(2, 10)}+{rng.randrange(2, 10)}*{rng.randrange(2, 10)}"
    return f"{rng.randrange(11, 30)}*{rng.randrange(2, 6)}"
