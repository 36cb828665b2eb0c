"""Solutions sampled from the policy on train problems, with step labels for the PRMs.

Two kinds of labels. *Exact*: the checker's first wrong step. *Monte-Carlo*: as in OmegaPRM; a
solution with the right answer counts as right throughout, and in one with a wrong answer a binary
search looks for the first step from which none of `ROLLOUTS` continuations by the policy reaches
the right answer.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from harness.embedded import chain_arithmetic, chain_programs, tokenizer
from harness.embedded.chain_arithmetic import Chain
from harness.embedded.chain_errors import answer_is_right
from harness.embedded.chain_programs import Program
from harness.embedded.checkers import CHECKERS
from harness.embedded.corpus import problems
from harness.embedded.sampler import sample

ROLLOUTS = 8
TEMPERATURE = 1.0

Prompts = list[str]
Write = Callable[[Prompts], list[str]]
"""Texts -> one continuation each."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sampled solution and the index of its first wrong step, -1 when all are right."""

    domain: str
    problem: str
    steps: tuple[str, ...]
    label: int


def writer(policy: Any, seed: int, temperature: float = TEMPERATURE) -> Write:
    """A function that lets the policy continue texts."""
    reader = tokenizer.build()
    calls = random.Random(seed)

    def write(prompts: Prompts) -> list[str]:
        tokens = reader(prompts).input_ids
        replies = sample(policy, tokens, seed=calls.randrange(2**31), temperature=temperature)
        return [str(reader.decode(reply)) for reply in replies]

    return write


def steps_of(text: str) -> tuple[str, ...]:
    """The complete steps of a solution; what comes after the last line end is dropped."""
    return tuple(text.split("\n")[:-1])


def on_policy(write: Write, domain: str, count: int, each: int, seed: str) -> Iterator[Sample]:
    """`each` samples for each of `count` train problems, labelled by the exact checker."""
    source = islice(problems(domain, "train", seed), count)
    while chunk := list(islice(source, 2048 // each)):
        prompts = [f"{problem.text}\n" for problem in chunk for _ in range(each)]
        for prompt, text in zip(prompts, write(prompts), strict=True):
            problem, steps = prompt[:-1], steps_of(text)
            yield Sample(domain, problem, steps, CHECKERS[domain](problem, steps))


def monte_carlo(write: Write, samples: Sequence[Sample]) -> list[Sample]:
    """The same solutions with labels from rollouts; the exact ones are not looked at."""
    searches = [_Search(item) for item in samples]
    while owed := [search for search in searches if not search.done]:
        prompts = [search.prompt() for search in owed for _ in range(ROLLOUTS)]
        texts = write(prompts)
        for index, search in enumerate(owed):
            search.tell(texts[index * ROLLOUTS : (index + 1) * ROLLOUTS])
    return [search.result() for search in searches]


class _Search:
    """Binary search for the first step after which no rollout reaches the right answer."""

    def __init__(self, item: Sample) -> None:
        self.item = item
        self.problem: Chain | Program = (
            chain_arithmetic.parse(item.problem)
            if item.domain == "arithmetic"
            else chain_programs.parse(item.problem)
        )
        right = answer_is_right(self.problem, item.steps)
        self.good = len(item.steps) if right else 0
        """So many first steps are known to be good."""
        self.bad = len(item.steps)
        """So many first steps are known to be bad, or all steps are good."""

    @property
    def done(self) -> bool:
        return self.bad - self.good <= 1

    @property
    def middle(self) -> int:
        return (self.good + self.bad) // 2

    def prompt(self) -> str:
        lines = (self.item.problem, *self.item.steps[: self.middle])
        return "".join(f"{line}\n" for line in lines)

    def tell(self, texts: Sequence[str]) -> None:
        before = self.item.steps[: self.middle]
        if any(answer_is_right(self.problem, before + steps_of(text)) for text in texts):
            self.good = self.middle
        else:
            self.bad = self.middle

    def result(self) -> Sample:
        label = -1 if self.good == len(self.item.steps) else self.good
        return Sample(self.item.domain, self.item.problem, self.item.steps, label)


def save(samples: Sequence[Sample], path: Path) -> None:
    """Write samples as JSON lines."""
    path.write_text("".join(json.dumps(asdict(item)) + "\n" for item in samples))


def load(path: Path) -> list[Sample]:
    """Read what `save` wrote."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Sample(**(row | {"steps": tuple(row["steps"])})) for row in rows]
