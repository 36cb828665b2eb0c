"""Endless training text: problems of the train split with solutions of the mistake model."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from harness.embedded import chain_arithmetic, chain_programs
from harness.embedded.chain_arithmetic import Chain, Solution
from harness.embedded.chain_programs import Program
from harness.embedded.mistakes import RATES, Hand
from harness.embedded.splits import Split, stream

DOMAINS = ("arithmetic", "programs")
TASKS = {"arithmetic": chain_arithmetic, "programs": chain_programs}


class Example(NamedTuple):
    """A problem, and one solution of it."""

    domain: str
    problem: str
    solution: Solution


class Encoded(NamedTuple):
    """Token numbers of one text, and where the solution begins."""

    tokens: list[int]
    start: int


def problems(domain: str, split: Split, seed: str) -> Iterator[Chain | Program]:
    """Endless distinct problems of one domain and split."""
    found: Iterator[Chain | Program]
    if domain == "programs":
        found = stream(chain_programs.generate, chain_programs.LEVELS, split, seed)
    else:
        mix = chain_arithmetic.MIXES[split]
        make = partial(chain_arithmetic.generate, mix=mix)
        found = stream(make, mix.levels, split, seed)
    return found


def write(problem: Chain | Program, hand: Hand) -> Solution:
    """The solution that a hand writes, in either domain."""
    if isinstance(problem, Chain):
        return chain_arithmetic.solve(problem, hand)
    return chain_programs.solve(problem, hand)


def examples(seed: str, share: float, rates: Mapping[str, float] = RATES) -> Iterator[Example]:
    """Endless solved train problems; `share` of them are programs."""
    sources = {domain: problems(domain, "train", f"{seed}/{domain}") for domain in DOMAINS}
    rng = random.Random(f"{seed}/hands")
    while True:
        domain = "programs" if rng.random() < share else "arithmetic"
        problem = next(sources[domain])
        yield Example(domain, problem.text, write(problem, Hand(rng, rates=rates)))


def encode(tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
    """Problem and solution texts as token numbers; the end token comes last."""
    heads = tokenizer([f"{problem}\n" for problem, _ in pairs]).input_ids
    tails = tokenizer([solution for _, solution in pairs]).input_ids
    end = tokenizer.eos_token_id
    return [
        Encoded([*head, *tail, end], len(head)) for head, tail in zip(heads, tails, strict=True)
    ]


def cut(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Index batches of similar length, each of at most `budget` tokens with its padding."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not batches or (len(batches[-1]) + 1) * lengths[index] > budget:
            batches.append([])
        batches[-1].append(index)
    return batches
