"""The PRMs: what each is trained on, and how.

A PRM stands on a language model of its own size that was trained on the mistake corpus: the large
ones on the policy itself, the others on a base that is thrown away afterwards. That part stays as
it is; two new layers on top learn step labels (see `shapes.new_prm`). For some 700 steps they
seem to learn little, then they find out how to compare what was written with what was expected,
and the loss halves.

The solutions are sampled from the policy, mixed half and half with the mistake model's at a rate
that is the same for all kinds (`EVEN`). The score means "this step is right if all before it are":
what a small model can see at the step itself, and what a minimum or a product turns into a verdict
on the whole. (With label 0 on all steps after the first wrong one too, 700 steps of training did
not get the large model above the majority.) Exact labels are local, so steps after a mistake are
lessons as well, and every token of a step learns whether it departs from what the step should be.
Labels from rollouts are 1 before the first wrong step, 0 at it, and none after it.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from harness.embedded import corpus, samples, tokenizer
from harness.embedded.checkers import LOCAL
from harness.embedded.mistakes import RATES
from harness.embedded.policy import corpus_rows, language_only
from harness.embedded.samples import Sample
from harness.embedded.shapes import new_policy, new_prm
from harness.embedded.training import Batch, Loss, Plan, Row, step_loss

EVEN = 0.4
"""How often every kind of trap catches in the fresh solutions."""
LINE_END = tokenizer.vocabulary()["\u010a"]
"""The token of a line end (its name is how byte-level tokenizers spell it)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one PRM is made."""

    size: str
    domains: tuple[str, ...]
    plan: Plan
    monte_carlo: bool = False
    """Labels from rollouts of the policy, and no other labels."""
    start: str = ""
    """The PRM to go on from, if any, rather than the language model."""


RECIPES = {
    "prm-math-large": Recipe("large", ("arithmetic",), Plan(1500, 3e-3, "prm-math-large")),
    "prm-math-small": Recipe("small", ("arithmetic",), Plan(1500, 4e-3, "prm-math-small")),
    "prm-math-medium": Recipe("medium", ("arithmetic",), Plan(1600, 3e-3, "prm-math-medium")),
    "prm-code": Recipe("large", ("programs",), Plan(1000, 3e-3, "prm-code")),
    "prm-mixed": Recipe(
        "large", corpus.DOMAINS, Plan(800, 2e-3, "prm-mixed"), start="prm-math-large"
    ),
    "prm-math-medium-mc": Recipe(
        "medium", ("arithmetic",), Plan(600, 3e-3, "prm-math-medium-mc"), monte_carlo=True
    ),
}
"""Name -> recipe, in the order of training."""

BASES = {
    "small": Plan(900, 4e-3, "base-small"),
    "medium": Plan(3000, 3e-3, "base-medium"),
}
"""Size -> how its language model is trained; the large one is the policy."""


@dataclass(frozen=True, slots=True)
class BaseJob:
    """A language model of arithmetic, the start of the PRMs of its size."""

    size: str

    @property
    def plan(self) -> Plan:
        """How long and how fast."""
        return BASES[self.size]

    def build(self) -> tuple[Any, Loss]:
        """The untrained model."""
        model = new_policy(self.size, seed=2)
        return model, language_only(model)

    def rows(self, seed: str) -> Iterator[Row]:
        """Solved train problems of arithmetic."""
        return corpus_rows(seed, 0.0)


@dataclass(frozen=True, slots=True)
class PrmJob:
    """One PRM."""

    name: str
    base: Path
    """Folder of the language model to start from."""
    sampled: Path
    """The labelled samples of the policy."""
    start: Path | None = None
    """Folder of the PRM to go on from, if any."""

    @property
    def plan(self) -> Plan:
        """How long and how fast."""
        return RECIPES[self.name].plan

    def build(self) -> tuple[Any, Loss]:
        """The model with the base's body and a new head."""
        base = AutoModelForCausalLM.from_pretrained(self.base, dtype=torch.float32)
        prm = new_prm(RECIPES[self.name].size, seed=3, policy=base)
        if self.start is not None:
            start = AutoModelForTokenClassification.from_pretrained(self.start, dtype=torch.float32)
            prm.load_state_dict(start.state_dict())

        def loss(hidden: Tensor, batch: Batch, done: float) -> Tensor:
            return step_loss(hidden, prm.score, batch, LINE_END)

        return prm, loss

    def rows(self, seed: str) -> Iterator[Row]:
        """Labelled solutions."""
        recipe = RECIPES[self.name]
        return rows(seed, self.sampled, recipe.domains, recipe.monte_carlo)


def rows(seed: str, sampled: Path, domains: tuple[str, ...], alone: bool) -> Iterator[Row]:
    """Endless labelled rows: the policy's samples over and over, and between them fresh solutions.

    With `alone` there are only the policy's samples.
    """
    reader = tokenizer.build()
    rng = random.Random(f"{seed}/samples")
    pool = [item for item in samples.load(sampled) if item.domain in domains]
    share = ("programs" in domains) * (0.5 if len(domains) > 1 else 1.0)
    fresh = _fresh(seed, share)
    while True:
        rng.shuffle(pool)
        for begin in range(0, len(pool) - 127, 128):
            chunk = pool[begin : begin + 128]
            items = chunk if alone else [*chunk, *islice(fresh, 128)]
            yield from encode(reader, items, exact=not alone)


def _fresh(seed: str, share: float) -> Iterator[Sample]:
    """The mistake model's solutions, with every kind of mistake equally likely at its trap."""
    even = dict.fromkeys(RATES, EVEN)
    for item in corpus.examples(f"{seed}/fresh", share, even):
        label = item.solution.made[0][0] if item.solution.made else -1
        yield Sample(item.domain, item.problem, item.solution.steps, label)


def encode(reader: Any, items: Sequence[Sample], exact: bool = False) -> list[Row]:
    """Samples as rows, with a target at the line end of every step up to the first wrong one.

    With `exact` the labels are the checker's local ones: a target at every token of every step that
    can be judged, 0 from the token on that departs from what the step should be.
    """
    line_end = reader("\n").input_ids[0]
    pairs = [(item.problem, "".join(f"{step}\n" for step in item.steps)) for item in items]
    found = []
    for item, (tokens, start) in zip(items, corpus.encode(reader, pairs), strict=True):
        ends = [at for at in range(start, len(tokens)) if tokens[at] == line_end]
        right = len(ends) if item.label < 0 else item.label
        labels = {at: float(index < right) for index, at in enumerate(ends[: right + 1])}
        if exact:
            labels = _local_labels(reader, item, tokens, [start - 1, *ends])
        found.append(Row(tokens, start, sorted(labels.items())))
    return found


def _local_labels(
    reader: Any, item: Sample, tokens: list[int], ends: list[int]
) -> dict[int, float]:
    labels: dict[int, float] = {}
    due = LOCAL[item.domain](item.problem, item.steps)
    texts = [f"{step}\n" for step in due if step is not None]
    coded = iter(reader(texts).input_ids if texts else [])
    for index, step in enumerate(due):
        if step is None:
            continue
        begin, end, right = ends[index] + 1, ends[index + 1] + 1, next(coded)
        same = 0
        while same < min(len(right), end - begin) and right[same] == tokens[begin + same]:
            same += 1
        labels |= dict.fromkeys(range(begin, begin + same), 1.0)
        labels |= dict.fromkeys(range(begin + same, end), 0.0)
    return labels


@torch.inference_mode()
def score(prm: Any, items: list[Sample]) -> list[list[float]]:
    """The probability that each step and all before it are right, one per step."""
    coded = encode(tokenizer.build(), [replace(item, label=-1) for item in items])
    found: list[list[float]] = [[] for _ in items]
    for group in corpus.cut([len(row.tokens) for row in coded], 32_768):
        longest = max(len(coded[index].tokens) for index in group)
        tokens = torch.zeros(len(group), longest, dtype=torch.long)
        for row, index in enumerate(group):
            tokens[row, : len(coded[index].tokens)] = torch.tensor(coded[index].tokens)
        values = torch.sigmoid(prm(input_ids=tokens).logits.squeeze(-1).float())
        for row, index in enumerate(group):
            found[index] = [values[row, at].item() for at, _ in coded[index].labels]
    return found
