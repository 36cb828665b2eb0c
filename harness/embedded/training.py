"""The training loop that the policy and the PRMs share.

Two processes of one thread each learn from their own examples and average their gradients. On a
machine with other work that is much faster than one process of two threads, whose threads wait
for each other thousands of times a step. Attention is the plain matrix product, compiled with its
neighbours: at about a hundred tokens per text that is twice as fast on a CPU as the fused
kernels.
"""

import logging
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from harness.embedded.corpus import cut

log = logging.getLogger(__name__)

WORKERS = 2
"""Processes that learn together, one thread each."""
_CHUNK = 1024
"""Examples that are sorted by length together."""


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


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to learn."""

    steps: int
    rate: float
    seed: str
    tokens: int = 8192
    """Tokens of a batch over all processes, padding included."""
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


def step_loss(hidden: Tensor, head: Any, batch: Batch, line_end: int) -> Tensor:
    """Binary cross-entropy wherever there is a target; step ends count five times.

    Zero for a batch without any.
    """
    mask = batch.labels >= 0
    logits = head(hidden[mask]).squeeze(-1).float()
    weight = 1.0 + 4.0 * (batch.tokens[mask] == line_end)
    total = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, batch.labels[mask], weight, reduction="sum"
    )
    return total / weight.sum().clamp(min=1.0)


Loss = Callable[[Tensor, Batch, float], Tensor]
"""(hidden states, batch, share of training done) -> what to minimise."""


class Job(Protocol):
    """What is to be learned; it must survive pickling."""

    @property
    def plan(self) -> Plan:
        """How long and how fast."""

    def build(self) -> tuple[Any, Loss]:
        """The model as it is before training, and its loss."""

    def rows(self, seed: str) -> Iterator[Row]:
        """Endless rows to learn from."""


def fit(job: Job) -> Any:
    """The model of a job, trained."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(_work, (job, folder), nprocs=WORKERS)  # type: ignore[no-untyped-call]
        model, _ = job.build()
        model.load_state_dict(torch.load(Path(folder) / "weights.pt", weights_only=True))
    return model.eval()


def _work(rank: int, job: Job, folder: str) -> None:
    """One of the processes: the same model everywhere, other examples in each."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    distributed.init_process_group("gloo", meeting, rank=rank, world_size=WORKERS)
    model, loss = job.build()
    seed = f"{job.plan.seed}/{rank}"
    source = batches(
        job.rows(seed), replace(job.plan, seed=seed, tokens=job.plan.tokens // WORKERS)
    )
    _learn(model, loss, map(collate, source), job.plan, rank == 0)
    if rank == 0:
        torch.save(model.state_dict(), Path(folder) / "weights.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def _learn(model: Any, loss: Loss, source: Iterator[Batch], plan: Plan, speaks: bool) -> None:
    model.train()
    model.set_attn_implementation("eager")
    body: Any = torch.compile(model.model, dynamic=True)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimiser = _optimiser(weights, plan.rate)
    mean, began = 0.0, time.monotonic()
    for index, batch in enumerate(source):
        for group in optimiser.param_groups:
            group["lr"] = plan.rate * _schedule(index, plan)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = body(input_ids=batch.tokens).last_hidden_state
            value = loss(hidden, batch, index / plan.steps)
        value.backward()  # type: ignore[no-untyped-call]
        _average(weights)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        mean = value.item() if index == 0 else 0.98 * mean + 0.02 * value.item()
        if speaks and index % 100 == 99:
            speed = (index + 1) * plan.tokens / (time.monotonic() - began)
            log.info("step %d/%d loss %.4f, %.0f tokens/s", index + 1, plan.steps, mean, speed)


def _optimiser(weights: list[Any], rate: float) -> torch.optim.Optimizer:
    groups = [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": 0.05},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)


def _average(weights: list[Any]) -> None:
    """Make the gradients of all processes their mean; a missing one counts as zero."""
    parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    flat = torch.cat([part.flatten() for part in parts])
    distributed.all_reduce(flat)
    flat /= WORKERS
    sizes = [part.numel() for part in parts]
    for weight, mean in zip(weights, torch.split(flat, sizes), strict=True):
        weight.grad = mean.view_as(weight)


def _schedule(index: int, plan: Plan) -> float:
    """Linear warm-up, then a cosine down to one fiftieth."""
    if index < plan.warmup:
        return (index + 1) / plan.warmup
    done = (index - plan.warmup) / max(1, plan.steps - plan.warmup)
    return 0.02 + 0.49 * (1 + math.cos(math.pi * done))
