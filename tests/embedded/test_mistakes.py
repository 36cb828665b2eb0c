"""The mistake model: every kind does what its description says, as often as it says."""

import random
from collections import Counter
from itertools import islice

import pytest

from harness.embedded import chain_arithmetic, chain_programs
from harness.embedded.corpus import DOMAINS, problems, write
from harness.embedded.mistakes import RATES, Hand, apply, wrong_results


@pytest.mark.parametrize(
    ("left", "op", "right", "kind", "wrong"),
    [
        (47, "+", 38, "carry", 75),
        (27, "*", 3, "carry", 61),
        (52, "-", 27, "borrow", 35),
        (-52, "+", 27, "borrow", -35),
        (40, "-", -15, "sign", 25),
        (20, "-", 45, "sign", 25),
        (-12, "*", 3, "sign", 36),
    ],
)
def test_wrong_results(left, op, right, kind, wrong):
    assert (kind, wrong) in list(wrong_results(left, op, right))


def test_results_without_a_trap_are_right():
    for left, op, right in ((42, "+", 35), (57, "-", 23), (7, "+", 8), (21, "*", 4)):
        assert list(wrong_results(left, op, right)) == []
        assert apply(left, op, right) == Hand(random.Random(0)).compute(left, op, right)


def test_unknown_operation_is_refused():
    with pytest.raises(ValueError, match="known are"):
        apply(1, "/", 2)


def test_kinds_of_structure():
    class Always(Hand):
        def slips(self, kind: str) -> bool:
            return True

    chain = chain_arithmetic.parse("a=11+12;b=a+4;c=20+a*3;c?")
    assert "20+27=47" in chain_arithmetic.solve(chain, Always()).steps
    program = chain_programs.parse("f(x): add 4 then mul 3; unless x>9 add 5; for 2 to 6 add i")
    lines = chain_programs.solve(program, Always()).steps
    assert "    x = x + 4 * 3" in lines
    assert "    if x > 9:" in lines
    assert "    for i in range(2, 6):" in lines
    edge = chain_programs.parse("f(x): keep y; if x at least 9 add 5 else sub y")
    lines = chain_programs.solve(edge, Always()).steps
    assert "    if x > 9:" in lines
    assert "        x = x - x" in lines


def test_rates_are_kept():
    met, made = Counter(), Counter()
    rng = random.Random("rates")
    for domain in DOMAINS:
        for problem in islice(problems(domain, "train", "rates"), 1500):
            hand = Hand(rng)
            write(problem, hand)
            met.update(kind for _, kind in hand.traps)
            made.update(kind for _, kind in hand.made)
    for kind, rate in RATES.items():
        assert met[kind] > 100
        assert abs(made[kind] / met[kind] - rate) < 4 * (rate * (1 - rate) / met[kind]) ** 0.5


def test_limit_bounds_the_mistakes():
    rng = random.Random("limit")
    for problem in islice(problems("arithmetic", "train", "limit"), 100):
        assert len(write(problem, Hand(rng, limit=1)).made) <= 1
