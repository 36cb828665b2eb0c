"""Inside vLLM's workers: our own draw of the next token, in place of the engine's.

The engine's generators belong to its steps: on a CPU they end the engine when a prompt is read in
parts, on a GPU they are drawn from one by one. Here the number that decides a token follows from
the draft and the token's place alone (`harness.policies.randomness`), and the token from it as in
`harness.policies.sampling`. So drafts do not depend on batches, preemption or chunks, and are
those of ``transformers:MODEL``, up to the last bits of floating-point arithmetic.

The engine is asked for the most probable token, and the drawn one is made that. It has computed the
log-probabilities before: they stay the model's own. vLLM imports this module by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from harness.adapters import watch
from harness.policies.randomness import BLOCK, FIRST, KEY, TEMPERATURE, TOP_P, generator
from harness.policies.sampling import choose

watch.begin()


@dataclass(slots=True)
class _Draw:
    """The draws of one request."""

    written: list[int]
    """The engine's own list of what this request has written."""
    first: int
    temperature: float
    top_p: float
    generator: np.random.Generator
    known: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, said: Mapping[str, Any], written: list[int]) -> _Draw:
        """Return the draws that a request asks for."""
        key = generator(int(said[KEY], 16))
        return cls(written, said[FIRST], said[TEMPERATURE], said[TOP_P], key)

    def number(self) -> float:
        """Return the number that decides the next token."""
        place = self.first + len(self.written)
        while place >= len(self.known):
            self.known += self.generator.random(BLOCK).tolist()
        return self.known[place]


class Draws(LogitsProcessor):  # type: ignore[misc]
    """Draws for every row of a batch that asks for it."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._draws: dict[int, _Draw] = {}

    def is_argmax_invariant(self) -> bool:
        """False: another token becomes the most probable one."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Follow the rows of the batch."""
        process_dict_updates(self._draws, batch_update, _asked)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Make the drawn token of each row the most probable one.

        Args:
            logits: (rows, vocabulary) float32, changed in place.
        """
        alike: dict[tuple[float, float], list[int]] = {}
        for row, draw in self._draws.items():
            alike.setdefault((draw.temperature, draw.top_p), []).append(row)
        for (temperature, top_p), rows in alike.items():
            numbers = torch.tensor([self._draws[row].number() for row in rows], dtype=torch.float64)
            at = torch.tensor(rows, device=logits.device)
            chosen = choose(logits[at], temperature, top_p, numbers.to(logits.device))
            logits[at, chosen] = torch.inf
        return logits


def _asked(params: Any, prompt: list[int] | None, written: list[int]) -> _Draw | None:
    said = params.extra_args or {}
    return _Draw.of(said, written) if KEY in said else None
