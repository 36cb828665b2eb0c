"""Writing many drafts at once: the loop between a causal language model and its tokens.

A batch is a table of key-value columns. Prompts of different lengths are padded on the left, so all
rows write the same column at every step; positions count real tokens only, and a mask hides the
padding. A prompt is read once and its rows are then copied for its drafts; a text that a draft
already has is read on top of that. Rows that have ended leave the table once they are an eighth of
it: waiting costs their share of the arithmetic, leaving costs a copy of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from harness.policies.kv import GrowingCache
from harness.policies.randomness import Uniforms
from harness.policies.sampling import choose, logprobs
from harness.policies.stops import Decoder, ending
from harness.types import Finish

_SHRINK = 1 / 8


@dataclass(frozen=True, slots=True)
class Task:
    """One draft to continue."""

    prompt: tuple[int, ...]
    text: tuple[int, ...]
    """Tokens of what the draft already holds; empty for a new one."""
    limit: int
    """Tokens that may be decoded; at least 1."""
    generator: np.random.Generator


@dataclass(frozen=True, slots=True)
class Rules:
    """How every draft of a batch is sampled and where it ends."""

    temperature: float
    top_p: float
    stop: tuple[str, ...]
    delimiter: str | None

    @property
    def strings(self) -> tuple[str, ...]:
        """All strings that end a draft."""
        return self.stop if self.delimiter is None else (*self.stop, self.delimiter)


@dataclass(slots=True)
class Written:
    """What was written for one draft."""

    text: str = ""
    finish: Finish | None = "length"
    tokens: int = 0
    logprobs: tuple[float, ...] | None = None


@dataclass(slots=True)
class _Table:
    """Key-value columns of the rows, and which of them are real tokens."""

    cache: GrowingCache
    mask: torch.Tensor
    """(rows, columns): 0 for a token, a huge negative number for padding."""
    places: torch.Tensor
    """(rows, columns): position of each token."""
    counts: torch.Tensor
    """(rows,): tokens so far."""
    padded: bool = False

    def take(self, rows: torch.Tensor) -> None:
        """Go on with these rows; a row may be taken several times."""
        self.cache.take(rows)
        self.mask, self.places = self.mask[rows], self.places[rows]
        self.counts = self.counts[rows]


@dataclass(frozen=True)
class Writer:
    """A model, ready to write."""

    model: Any
    decoder: Decoder
    ends: tuple[int, ...]
    """Tokens that end a text."""
    pad: int
    keep_logprobs: bool
    windows: dict[str, int | None] = field(default_factory=dict)
    """Layer type -> sliding window, for models that mix them; ``""`` for all layers alike."""

    @torch.inference_mode()
    def write(self, tasks: Sequence[Task], rules: Rules) -> tuple[list[Written], int]:
        """Continue every task to its end.

        Args:
            tasks: All new, or all with a text; equal prompts next to each other are read once.
            rules: The same for all.

        Returns:
            What was written, in order, and the prompt and text tokens that went through the model.
        """
        table, logits, computed = self._read(tasks)
        device = logits.device
        written = [Written() for _ in tasks]
        tokens = np.zeros((len(tasks), 0), np.int64)
        chances = np.zeros((len(tasks), 0), np.float32)
        limits = np.array([task.limit for task in tasks])
        uniforms = Uniforms([task.generator for task in tasks])
        watch = self._watched(rules, logits.shape[1])
        rows, open_ = np.arange(len(tasks)), np.ones(len(tasks), bool)
        step = 0
        while True:
            noise = torch.from_numpy(uniforms.next()).to(device)
            chosen = choose(logits, rules.temperature, rules.top_p, noise)
            if step == tokens.shape[1]:
                tokens = np.pad(tokens, ((0, 0), (0, max(64, step))))
                chances = np.pad(chances, ((0, 0), (0, max(64, step))))
            ids = chosen.cpu().numpy()
            tokens[rows, step] = ids
            if self.keep_logprobs:
                chances[rows, step] = logprobs(logits, chosen).cpu().numpy()
            step += 1
            for at in np.flatnonzero(open_ & (watch[ids] | (limits[rows] <= step))):
                end = self._end(tokens[rows[at], :step], rules, bool(limits[rows[at]] <= step))
                if end is not None:
                    written[rows[at]], open_[at] = end, False
            if not open_.any():
                break
            if open_.sum() <= (1 - _SHRINK) * len(rows):
                keep = np.flatnonzero(open_)
                rows, open_ = rows[keep], open_[keep]
                uniforms.keep(keep)
                kept = torch.from_numpy(keep).to(device)
                table.take(kept)
                chosen = chosen[kept]
            logits = self._feed(table, chosen[:, None], None)
        if self.keep_logprobs:
            for row, end in enumerate(written):
                end.logprobs = tuple(chances[row, : end.tokens].tolist())
        return written, computed
