"""The policy: learns to solve as the mistake model does, and so makes its mistakes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from harness.embedded import corpus, tokenizer
from harness.embedded.shapes import new_policy
from harness.embedded.training import Batch, Loss, Plan, Row, language_loss

SHARE_OF_PROGRAMS = 0.33
PLAN = Plan(steps=3600, rate=2e-3, seed="policy")
MORE = Plan(steps=2300, rate=1.8e-3, seed="policy/more", warmup=100)
"""A second round with a fresh schedule."""


@dataclass(frozen=True, slots=True)
class PolicyJob:
    """Both domains, the mistake corpus, nothing but the solution's tokens."""

    plan: Plan = PLAN
    base: Path | None = None
    """Folder of a policy to go on from."""

    def build(self) -> tuple[Any, Loss]:
        """The policy as it is before training."""
        model = new_policy("large", seed=1)
        if self.base is not None:
            model = AutoModelForCausalLM.from_pretrained(self.base, dtype=torch.float32)
        return model, language_only(model)

    def rows(self, seed: str) -> Iterator[Row]:
        """Solved train problems of both domains."""
        return corpus_rows(seed, SHARE_OF_PROGRAMS)


def language_only(model: Any) -> Loss:
    """The loss of a language model whose output layer is its embedding."""
    embedding = model.model.embed_tokens.weight

    def loss(hidden: Tensor, batch: Batch, done: float) -> Tensor:
        return language_loss(hidden, embedding, batch)

    return loss


def corpus_rows(seed: str, share: float) -> Iterator[Row]:
    """Endless solved train problems, this share of them programs."""
    reader = tokenizer.build()
    source = corpus.examples(seed, share)
    while True:
        pairs = [(item.problem, item.solution.text) for item in islice(source, 256)]
        for tokens, start in corpus.encode(reader, pairs):
            yield Row(tokens, start, [])
