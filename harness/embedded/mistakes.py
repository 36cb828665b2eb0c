"""The mistakes that a solver makes: systematic ones, as large models make them.

A mistake needs a *trap* in the problem and happens there with the fixed probability of its kind:

- carry (0.20): adding or multiplying with a carry out of the units, the carry is dropped
  (47+38=75, 27*3=61).
- borrow (0.62): subtracting with a borrow from the tens, the borrow is dropped (52-27=35).
- precedence (0.62): 20+a*3 is worked out from left to right; in a program, "add 4 then mul 3"
  becomes x + 4 * 3.
- sign (0.25): a minus sign is lost: 40--15=25, 20-45=25, -12*3=36.
- variable (0.20): the newest variable is taken in place of the one that is named.
- bound (0.62): the last turn of "for 2 to 6" is lost, range(2, 6).
- branch (0.35): "unless x>9" is read as "if x>9".
- edge (0.25): "at least" is read as "more than", "at most" as "less than".

Kinds above one half are wrong in the mode of the distribution: greedy decoding makes them and a
majority of samples agrees on them, so voting cannot repair them; only a judge of the steps can.
After a mistake the solver goes on faithfully from the wrong value, and nothing else in the text
tells that there was one.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

RATES: Mapping[str, float] = MappingProxyType(
    {
        "carry": 0.20,
        "borrow": 0.62,
        "precedence": 0.62,
        "sign": 0.25,
        "variable": 0.20,
        "bound": 0.62,
        "branch": 0.35,
        "edge": 0.25,
    }
)
"""Kind of mistake -> probability that a trap of this kind is fallen into."""

MODAL = frozenset(kind for kind, rate in RATES.items() if rate > 0.5)
"""The kinds that the most likely solution gets wrong."""


@dataclass(slots=True)
class Hand:
    """Whoever writes a solution: meets the traps, and falls into some of them.

    Without a random generator it never makes a mistake and only notes the traps it met. With
    `limit`, it makes at most that many mistakes.
    """

    rng: random.Random | None = None
    limit: int | None = None
    rates: Mapping[str, float] = field(default_factory=lambda: RATES)
    step: int = 0
    """Index of the step that is being written; the solver keeps it up to date."""
    traps: list[tuple[int, str]] = field(default_factory=list)
    """(step, kind) of every trap met, in order."""
    made: list[tuple[int, str]] = field(default_factory=list)
    """(step, kind) of every mistake made, in order."""

    def slips(self, kind: str) -> bool:
        """Meet a trap of this kind: True when the mistake happens."""
        self.traps.append((self.step, kind))
        if self.rng is None or (self.limit is not None and len(self.made) >= self.limit):
            return False
        if self.rng.random() >= self.rates[kind]:
            return False
        self.made.append((self.step, kind))
        return True

    def modal_traps(self) -> int:
        """How many traps were met that the most likely solution falls into."""
        return sum(kind in MODAL for _, kind in self.traps)

    def compute(self, left: int, op: str, right: int) -> int:
        """The result of one operation as this hand writes it: right, or wrong at a trap."""
        true = apply(left, op, right)
        for kind, wrong in wrong_results(left, op, right):
            if wrong != true and self.slips(kind):
                return wrong
        return true


def apply(left: int, op: str, right: int) -> int:
    """The true result of one operation."""
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "*":
        return left * right
    raise ValueError(f"unknown operation {op!r}; known are + - *")


def wrong_results(left: int, op: str, right: int) -> Iterator[tuple[str, int]]:
    """The traps in one operation, each as (kind, the wrong result it leads to).

    Carries and borrows of single digits are left out: 7+8 is known by heart.
    """
    if op == "*":
        yield from _wrong_products(left, right)
        return
    second = right if op == "+" else -right
    true = left + second
    sign = -1 if true < 0 else 1
    big, small = sorted((abs(left), abs(second)), reverse=True)
    if big >= 10 and (left < 0) == (second < 0) and big % 10 + small % 10 >= 10:
        yield "carry", true - 10 * sign
    if big >= 10 and (left < 0) != (second < 0) and big % 10 < small % 10:
        yield "borrow", true + 10 * sign
    if right < 0:
        yield "sign", apply(left, op, -right)
    elif left >= 0 and true < 0:
        yield "sign", -true


def _wrong_products(left: int, right: int) -> Iterator[tuple[str, int]]:
    sign = -1 if left * right < 0 else 1
    size, digit = abs(left), abs(right)
    carry = size % 10 * digit // 10
    if size >= 10 and digit < 10 and carry:
        yield "carry", sign * (size * digit - 10 * carry)
    if sign < 0:
        yield "sign", -left * right
