"""The policy: learns to solve as the mistake model does, and so makes its mistakes."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from torch import Tensor

from harness.embedded import corpus, tokenizer
from harness.embedded.shapes import new_policy
from harness.embedded.training import Batch, Plan, Row, fit, language_loss

SHARE_OF_PROGRAMS = 0.33
PLAN = Plan(steps=4200, rate=2e-3, seed="policy")


def rows(seed: str) -> Iterator[Row]:
    """Endless solved train problems of both domains."""
    reader = tokenizer.build()
    source = corpus.examples(seed, SHARE_OF_PROGRAMS)
    while True:
        pairs = [(item.problem, item.solution.text) for item in islice(source, 256)]
        for tokens, start in corpus.encode(reader, pairs):
            yield Row(tokens, start, [])


def train(plan: Plan = PLAN) -> Any:
    """A trained policy."""
    model = new_policy("large", seed=1)
    embedding = model.model.embed_tokens.weight

    def loss(hidden: Tensor, batch: Batch, done: float) -> Tensor:
        return language_loss(hidden, embedding, batch)

    fit(model, rows, plan, loss)
    return model
