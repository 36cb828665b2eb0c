"""Searches hit the accuracy that probability theory gives them, within Monte-Carlo error.

A solution is two steps. A step is right with probability P and judged rightly with probability Q,
all independent; a draft's score is 0.9 if all its steps are judged right, else 0.1 (the minimum);
a solution is right if both steps are. So a step is one of four kinds, and every search below is a
finite game against chance: its expected accuracy is a formula, or a sum over all outcomes, written
down here without any code of the searches.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import pytest

from harness.runner.standing import elect
from harness.types import Attempt, Draft, Extend, Grade, Question, StepScores
from tests.search.world import Run, WorldPolicy, WorldPrm, chance

P, Q = 0.6, 0.8
DEPTH = 2
PROBLEMS = 2000

# --- the game, played by the searches ------------------------------------------------------------


@dataclass
class Coin(WorldPolicy):
    """Writes steps that are right with probability P, each with a number of its own."""

    def _write(self, request: Extend, index: int, draft: Draft) -> Draft:
        rng = random.Random(repr((request.sampling.seed, request.question.id, index, draft.text)))
        steps = draft.steps
        for _ in range(1 if request.cut else DEPTH - len(steps)):
            steps = (*steps, f"{'right' if rng.random() < P else 'wrong'} {rng.getrandbits(60)}\n")
        done = "stop" if len(steps) == DEPTH else None
        return Draft(steps, done, len(steps))


@dataclass
class Judge80(WorldPrm):
    """Judges steps rightly with probability Q."""

    def score(self, question: Question, draft: Draft) -> StepScores | None:
        steps = draft.text.splitlines()
        return StepScores(
            tuple(
                0.9 if step.startswith("right") == (chance("judge", question.id, step) < Q) else 0.1
                for step in steps
            ),
            "p_correct",
        )


def _solved(attempt: Attempt) -> float:
    right = ["wrong" not in one.draft.text for one in attempt.found]
    grades = [Grade("correct" if r else "wrong", answer_class=int(not r)) for r in right]
    ballot = attempt.marks[-1].ballot or [(i, o.weight) for i, o in enumerate(attempt.found)]
    return elect(ballot, grades, attempt.choice)


# --- the game, played out on paper ---------------------------------------------------------------

Kind = tuple[bool, bool]
"""(is right, is judged right)."""
KINDS: dict[Kind, float] = {
    (True, True): P * Q,
    (True, False): P * (1 - Q),
    (False, True): (1 - P) * (1 - Q),
    (False, False): (1 - P) * Q,
}
PLUS = P * Q + (1 - P) * (1 - Q)
"""Chance that a step is judged right."""
Solution = tuple[Kind, ...]


def outcomes(count: int) -> Iterator[tuple[tuple[Kind, ...], float]]:
    """All ways in which `count` steps can turn out, with their chances."""
    for kinds in product(KINDS, repeat=count):
        yield kinds, math.prod(KINDS[kind] for kind in kinds)


def score(solution: Solution) -> float:
    return 0.9 if all(judged for _, judged in solution) else 0.1


def right(solution: Solution) -> float:
    return float(all(is_right for is_right, _ in solution))


def best(solutions: Sequence[Solution]) -> float:
    """Expected correctness of the best scored; ties are shared."""
    top = max(map(score, solutions))
    values = [right(one) for one in solutions if score(one) == top]
    return sum(values) / len(values)


def vote(solutions: Sequence[Solution], weights: Sequence[float] | None = None) -> float:
    """Expected correctness of the answer of the larger weight; ties are shared."""
    weights = weights or [score(one) for one in solutions]
    sides = [0.0, 0.0]
    for one, weight in zip(solutions, weights, strict=True):
        sides[int(right(one))] += weight
    if math.isclose(*sides):
        return 0.5
    return float(sides[1] > sides[0])


def best_of(n: int) -> float:
    """A closed form: the best is among those judged right throughout, if there are any."""
    all_plus = PLUS**2
    given = (P * Q / PLUS) ** 2
    otherwise = (P**2 - (P * Q) ** 2) / (1 - all_plus)
    none = (1 - all_plus) ** n
    return (1 - none) * given + none * otherwise


def single_beam(n: int) -> float:
    """A closed form: one beam with n children a step (also guided greedy, and one subtree)."""
    some = 1 - (1 - PLUS) ** n
    plus, minus = P * Q / PLUS, P * (1 - Q) / (1 - PLUS)
    after_plus = some * plus + (1 - some) * minus
    # After a first step judged wrong all scores are 0.1, and the choice is a coin toss: P.
    return some * plus * after_plus + (1 - some) * minus * P


def beam_of_two() -> float:
    """search-and-learn with n = 4, width 2: the best two of four, repeated to four."""
    total = 0.0
    for first, chance_first in outcomes(4):
        order = sorted(range(4), key=lambda i: (-score((first[i],)), i))
        a, b = sorted(order[:2])
        for second, chance_second in outcomes(4):
            parents = [first[a], first[b], first[a], first[b]]
            found = list(zip(parents, second, strict=True))
            total += chance_first * chance_second * best(found)
    return total


def rejection(n: int, kept: int) -> float:
    """A look after the first step: the best `kept` of n (ties: the first) go on to their ends.

    In the world's two steps a further look would come when all have ended.
    """
    total = 0.0
    for first, chance_first in outcomes(n):
        going = sorted(first, key=lambda kind: not kind[1])[:kept]
        for second, chance_second in outcomes(kept):
            total += chance_first * chance_second * best(list(zip(going, second, strict=True)))
    return total


def subtrees() -> float:
    """DVTS with n = 4, width 2: two single beams of two children, the best of all four ends."""
    tree: dict[Kind, float] = dict.fromkeys(KINDS, 0.0)
    for (a, b), weight in outcomes(2):
        tree[b if score((b,)) > score((a,)) else a] += weight
    total = 0.0
    for (x, chance_x), (y, chance_y) in product(tree.items(), repeat=2):
        for ends, weight in outcomes(4):
            found = [(x, ends[0]), (x, ends[1]), (y, ends[2]), (y, ends[3])]
            total += chance_x * chance_y * weight * best(found)
    return total


def balanced(choose: Callable[[Sequence[Solution]], float]) -> float:
    """REBASE with W = 3, T = 0.2. Of three first steps with k judged right (e^4.5 against e^0.5):

    k = 0 or 3: one child each. k = 1: ceil(3 · 54.6 / 56.6) = 3 for that one. k = 2: ceil(3 · 54.6
    / 110.2) = 2 for the first of them, ceil(1 · 54.6 / 55.6) = 1 for the second.
    """
    total = 0.0
    for first, chance_first in outcomes(3):
        plus = [kind for kind in first if kind[1]]
        parents = {0: first, 1: plus * 3, 2: [plus[0], *plus] if len(plus) == 2 else [], 3: first}[
            len(plus)
        ]
        for second, chance_second in outcomes(3):
            found = list(zip(parents, second, strict=True))
            total += chance_first * chance_second * choose(found)
    return total


def tree_search(choose: Callable[[Sequence[Solution]], float]) -> float:
    """MCTS with roll-outs, UCT, two children, n = 4.

    Each of the two first steps is rolled out once. Both have one visit, so the one with the better
    roll-out is gone on with (the first, if equal) and expanded: its two children are finished.
    """
    total = 0.0
    for (a, b, end_a, end_b, x, y), weight in outcomes(6):
        one, two = (a, end_a), (b, end_b)
        parent = b if score(two) > score(one) else a
        total += weight * choose([one, two, (parent, x), (parent, y)])
    return total


def particles(final: str) -> float:
    """Particle filter of two: weights 9 and 1/9 for scores 0.9 and 0.1, two draws, two steps."""
    odds = {0.9: 9.0, 0.1: 1 / 9}
    total = 0.0
    for first, chance_first in outcomes(2):
        weights = [odds[score((kind,))] for kind in first]
        shares = [weight / sum(weights) for weight in weights]
        for i, j in product(range(2), repeat=2):
            for second, chance_second in outcomes(2):
                found = [(first[i], second[0]), (first[j], second[1])]
                value = best(found)
                if final == "vote":
                    value = vote(found, [odds[score(one)] for one in found])
                total += chance_first * shares[i] * shares[j] * chance_second * value
    return total


# --- both agree ----------------------------------------------------------------------------------


def test_the_closed_forms_are_the_sums_over_all_outcomes() -> None:
    n = 3
    brute = sum(
        weight * best([kinds[2 * i : 2 * i + 2] for i in range(n)])
        for kinds, weight in outcomes(2 * n)
    )
    assert best_of(n) == pytest.approx(brute)
    total = 0.0
    for kinds, weight in outcomes(2 * n):
        kept = max(kinds[:n], key=lambda kind: kind[1])
        total += weight * best([(kept, end) for end in kinds[n:]])
    assert single_beam(n) == pytest.approx(total)
    assert best_of(1) == pytest.approx(P**2)


@pytest.mark.parametrize(
    ("method", "n", "expected"),
    [
        ("best_of_n", 1, lambda: P**2),
        ("best_of_n", 4, lambda: best_of(4)),
        ("beam,width=1", 1, lambda: P**2),
        ("beam,width=3", 3, lambda: single_beam(3)),
        ("beam,width=2", 4, beam_of_two),
        ("beam,variant=openr,width=4", 4, lambda: single_beam(4)),
        ("guided_greedy", 4, lambda: single_beam(4)),
        ("step_beam,beams=1", 3, lambda: single_beam(3)),
        ("dvts,width=4", 4, lambda: single_beam(4)),
        ("dvts,width=2", 4, subtrees),
        ("speculative_rejection,first=1", 2, lambda: rejection(2, 1)),
        ("speculative_rejection,first=1", 4, lambda: rejection(4, 2)),
        ("speculative_rejection,first=1,reject=0.75", 4, lambda: rejection(4, 1)),
        ("speculative_rejection", 4, lambda: best_of(4)),  # all have ended at the first look
        ("rebase,choice=best", 3, lambda: balanced(best)),
        ("rebase", 3, lambda: balanced(vote)),
        ("mcts,children=2", 4, lambda: tree_search(best)),
        ("mcts,children=2,final=vote", 4, lambda: tree_search(vote)),
        ("particle", 2, lambda: particles("best")),
        ("particle,choice=vote", 2, lambda: particles("vote")),
    ],
)
def test_accuracy_is_what_it_must_be(method: str, n: int, expected: Callable[[], float]) -> None:
    run = Run(method, n=n, policy=Coin(), prm=Judge80())
    questions = [Question("coins", f"c{i}", "?") for i in range(PROBLEMS)]
    values = [_solved(one) for one in run.attempts(questions).values()]
    truth, mean = expected(), sum(values) / PROBLEMS
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / (PROBLEMS - 1))
    z = (mean - truth) / (spread / math.sqrt(PROBLEMS))
    assert abs(z) < 4, f"{mean:.4f} is not {truth:.4f}"
