"""The training loop that the policy and the PRMs share.

A second process writes the examples while this one learns, and the order of batches depends on the
seed alone. Attention is the plain matrix product, compiled with its neighbours: at about a hundred
tokens per text that is more than twice as fast on a CPU as the fused kernels (40,000 against 18,000
tokens a second on two cores).
"""

import logging
import math
import multiprocessing
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from harness.embedded.corpus import cut

log = logging.getLogger(__name__)

_CHUNK = 1536
"""Examples that are sorted by length together."""
_AHEAD = 64
"""Batches that may wait in the queue."""


class Row(NamedTuple):
    """One text to learn from."""

    tokens: list[int]
    start: int
    """Where the solution begins."""
    labels: list[tuple[int, float]]
    """(position, target) of every step end; empty for the policy."""


class Batch(NamedTuple):
    """Rows of similar length, padded on the right."""

    tokens: Tensor
    solution: Tensor
    """True where a token belongs to the solution."""
    labels: Tensor
    """Target at the step ends, -1 elsewhere."""


Rows = Callable[[str], Iterable[Row]]
"""Seed -> endless rows; a function of a module, so that another process can call it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to learn."""

    steps: int
    rate: float
    seed: str
    tokens: int = 8192
    """Tokens of a batch, padding included."""
    warmup: int = 200


def batches(rows: Iterable[Row], plan: Plan) -> Iterator[list[Row]]:
    """Batches of similar length in random order, `plan.steps` of them."""
    rng = random.Random(f"{plan.seed}/order")
    source = iter(rows)
    left = plan.steps
    while left:
        chunk = [next(source) for _ in range(_CHUNK)]
        groups = cut([len(row.tokens) for row in chunk], plan.tokens)
        rng.shuffle(groups)
        for group in groups[:left]:
            yield [chunk[index] for index in group]
        left -= len(groups[:left])


def _produce(rows: Rows, plan: Plan, queue: Any) -> None:
    torch.set_num_threads(1)
    for batch in batches(rows(plan.seed), plan):
        queue.put(batch)


def collate(rows: list[Row]) -> Batch:
    """Rows as tensors."""
    longest = max(len(row.tokens) for row in rows)
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    solution = torch.zeros(len(rows), longest, dtype=torch.bool)
    labels = torch.full((len(rows), longest), -1.0)
    for index, row in enumerate(rows):
        tokens[index, : len(row.tokens)] = torch.tensor(row.tokens)
        solution[index, row.start : len(row.tokens)] = True
        for position, target in row.labels:
            labels[index, position] = target
    return Batch(tokens, solution, labels)


def language_loss(hidden: Tensor, embedding: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of the solution's tokens, with the embedding as output layer."""
    mask = batch.solution[:, 1:]
    logits = hidden[:, :-1][mask] @ embedding.T.to(hidden.dtype)
    return torch.nn.functional.cross_entropy(logits.float(), batch.tokens[:, 1:][mask])


def step_loss(hidden: Tensor, head: Any, batch: Batch) -> Tensor:
    """Binary cross-entropy at the step ends."""
    mask = batch.labels >= 0
    logits = head(hidden[mask]).squeeze(-1).float()
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.labels[mask])


Loss = Callable[[Tensor, Batch, float], Tensor]
"""(hidden states, batch, share of training done) -> what to minimise."""


def fit(model: Any, rows: Rows, plan: Plan, loss: Loss) -> float:
    """Train a model in place; the last mean loss."""
    model.train()
    model.set_attn_implementation("eager")
    body = torch.compile(model.model, dynamic=True)
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    vectors = [weight for weight in model.parameters() if weight.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
        lr=plan.rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    mean, began, seen = 0.0, time.monotonic(), 0
    for index, batch in enumerate(_stream(rows, plan)):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * _schedule(index, plan)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = body(input_ids=batch.tokens).last_hidden_state
            value = loss(hidden, batch, index / plan.steps)
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        mean = value.item() if index == 0 else 0.98 * mean + 0.02 * value.item()
        seen += batch.tokens.numel()
        if index % 100 == 99:
            speed = seen / (time.monotonic() - began)
            log.info("step %d/%d loss %.4f, %.0f tokens/s", index + 1, plan.steps, mean, speed)
    model.set_attn_implementation("sdpa")
    model.eval()
    return mean


def _schedule(index: int, plan: Plan) -> float:
    """Linear warm-up, then a cosine down to one fiftieth."""
    if index < plan.warmup:
        return (index + 1) / plan.warmup
    done = (index - plan.warmup) / max(1, plan.steps - plan.warmup)
    return 0.02 + 0.49 * (1 + math.cos(math.pi * done))


def _stream(rows: Rows, plan: Plan) -> Iterator[Batch]:
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue(_AHEAD)
    writer = context.Process(target=_produce, args=(rows, plan, queue), daemon=True)
    writer.start()
    try:
        for _ in range(plan.steps):
            yield collate(queue.get())
    finally:
        writer.terminate()
        writer.join()
