"""Solutions to be judged step by step, in ProcessBench's format, from the mistake model.

Of every ten solutions of a domain five are right, four have a wrong step and a wrong answer, and
one has a wrong step and yet the right answer (a mistake that the answer does not depend on, or
two that cancel out). Problems are of the test split and none comes twice. `label` is the exact
checker's: the index of the first wrong step, or -1.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.embedded import chain_arithmetic, program_tests
from harness.embedded.chain_arithmetic import Chain
from harness.embedded.chain_programs import Program
from harness.embedded.checkers import CHECKERS
from harness.embedded.corpus import DOMAINS, problems, write
from harness.embedded.mistakes import Hand

_PATTERN = (
    "right",
    "wrong",
    "right",
    "wrong",
    "right",
    "wrong",
    "right",
    "lucky",
    "right",
    "wrong",
)
_PREFIX = {"arithmetic": "arith", "programs": "prog"}
_TRIES = 40
"""Solutions drawn per problem before the next problem is taken."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One solution with its verdicts."""

    domain: str
    problem: str
    steps: tuple[str, ...]
    answer_right: bool
    label: int

    @property
    def verdict(self) -> str:
        """One of right, wrong, lucky (right answer, wrong step)."""
        if self.label < 0:
            return "right"
        return "lucky" if self.answer_right else "wrong"


def judge(problem: Chain | Program, steps: Sequence[str]) -> Judged:
    """The exact verdicts on any solution of a problem."""
    domain = "arithmetic" if isinstance(problem, Chain) else "programs"
    label = CHECKERS[domain](problem.text, steps)
    return Judged(domain, problem.text, tuple(steps), answer_is_right(problem, steps), label)


def answer_is_right(problem: Chain | Program, steps: Sequence[str]) -> bool:
    """Whether a solution's answer is right, whatever its steps are."""
    if isinstance(problem, Program):
        return program_tests.passes(steps, program_tests.hidden_tests(problem))
    return bool(steps) and steps[-1] == _gold_ending(problem)


@lru_cache(maxsize=4096)
def _gold_ending(problem: Chain) -> str:
    return chain_arithmetic.solve(problem, Hand()).steps[-1]


def judged(domain: str, count: int, seed: str = "chain-errors") -> list[Judged]:
    """The first `count` solutions of a domain, in an order that mixes the verdicts."""
    return [found for _, found in zip(range(count), _endless(domain, seed), strict=False)]


def _endless(domain: str, seed: str) -> Iterator[Judged]:
    source = problems(domain, "test", f"{seed}/{domain}")
    rng = random.Random(f"{seed}/{domain}/hands")
    while True:
        for wanted in _PATTERN:
            found = None
            while found is None:
                found = _search(next(source), wanted, rng)
            yield found


def _search(problem: Chain | Program, wanted: str, rng: random.Random) -> Judged | None:
    for _ in range(_TRIES):
        solution = write(problem, Hand(None if wanted == "right" else rng))
        if (wanted == "right") != (not solution.made):
            continue
        if answer_is_right(problem, solution.steps) == (wanted == "wrong"):
            continue
        found = judge(problem, solution.steps)
        if found.verdict == wanted:
            return found
    return None


def rows(count: int = 400) -> list[dict[str, object]]:
    """The data rows, `count` per domain."""
    return [
        {
            "id": f"{_PREFIX[domain]}-error-{number:04d}",
            "generator": "mistake-model",
            "domain": item.domain,
            "problem": item.problem,
            "steps": list(item.steps),
            "final_answer_correct": item.answer_right,
            "label": item.label,
        }
        for domain in DOMAINS
        for number, item in enumerate(judged(domain, count))
    ]
