"""Writing many drafts at once: the loop between a causal language model and its tokens.

A batch is a table of key-value columns. Prompts of different lengths are padded on the left, so all
rows write the same column at every step; positions count real tokens only, and a mask hides the
padding. A prompt is read once and its rows are then copied for its drafts; a text that a draft
already has is read on top of that. Rows that have ended leave the table once they are an eighth of
it: waiting costs their share of the arithmetic, leaving costs a copy of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.policies.kv import Table
from harness.policies.randomness import Uniforms
from harness.policies.sampling import choose, logprobs
from harness.policies.stops import Decoder, Ending, ending
from harness.types import Finish

_SHRINK = 1 / 8
"""Share of ended rows at which they leave the table."""

_COLUMNS = 64
"""Tokens per draft that room is made for at first."""


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


@dataclass(frozen=True, slots=True)
class Written:
    """What was written for one draft."""

    text: str
    finish: Finish | None
    tokens: int
    """Tokens decoded, an end token and a cut stop string included."""
    logprobs: tuple[float, ...] | None
    computed: int
    """Tokens of prompt and text that this draft, the first to need them, sent through the model."""


@dataclass(frozen=True)
class Writer:
    """A model, ready to write."""

    model: Any
    decoder: Decoder
    ends: tuple[int, ...]
    """Tokens that end a text."""
    windows: dict[str, int | None]
    keep_logprobs: bool = False

    @torch.inference_mode()
    def write(self, tasks: Sequence[Task], rules: Rules) -> list[Written]:
        """Continue every task to its end; replies come in order.

        Args:
            tasks: Either all new or all with a text.
            rules: The same for all.
        """
        table, logits, computed = self._read(tasks)
        batch = _Batch(tasks, self._watched(rules, logits.shape[1]))
        while True:
            noise = torch.from_numpy(batch.uniforms.next()).to(logits.device)
            chosen = choose(logits, rules.temperature, rules.top_p, noise)
            chances = logprobs(logits, chosen).cpu().numpy() if self.keep_logprobs else None
            for at in batch.add(chosen.cpu().numpy(), chances):
                self._close(batch, at, rules, computed)
            if not batch.open.any():
                return [end for end in batch.written if end is not None]
            if (keep := batch.shrink()) is not None:
                kept = torch.from_numpy(keep).to(logits.device)
                table.take(kept)
                chosen = chosen[kept]
            logits = table.feed(self.model, chosen[:, None])

    def _read(self, tasks: Sequence[Task]) -> tuple[Table, torch.Tensor, list[int]]:
        """Read prompts and texts, each different one once; return the table of all tasks.

        Also the logits after each task's last token, and the tokens that each task, being the
        first to need them, sent through the model.
        """
        prompts = list(dict.fromkeys(task.prompt for task in tasks))
        firsts: dict[object, int] = {}
        computed = [0] * len(tasks)
        for i, task in enumerate(tasks):
            if firsts.setdefault(task.prompt, i) == i:
                computed[i] += len(task.prompt)
            if firsts.setdefault((task.prompt, task.text), i) == i:
                computed[i] += len(task.text)
        device = self.model.device
        table = Table(len(prompts), device, self.model.dtype, self.windows)
        logits = table.feed(self.model, *_padded(prompts, device))
        place = {prompt: row for row, prompt in enumerate(prompts)}
        rows = [place[task.prompt] for task in tasks]
        if tasks[0].text:
            pairs = list(dict.fromkeys((task.prompt, task.text) for task in tasks))
            table.take(torch.tensor([place[prompt] for prompt, _ in pairs], device=device))
            logits = table.feed(self.model, *_padded([text for _, text in pairs], device))
            where = {pair: row for row, pair in enumerate(pairs)}
            rows = [where[task.prompt, task.text] for task in tasks]
        index = torch.tensor(rows, device=device)
        table.take(index)
        return table, logits[index], computed

    def _watched(self, rules: Rules, size: int) -> NDArray[np.bool_]:
        """Return the tokens after which a draft may have ended: (vocabulary,)."""
        watch: NDArray[np.bool_] = np.zeros(size, bool)
        if rules.strings:
            watch |= self.decoder.enders(rules.strings, size)
        watch[list(self.ends)] = True
        return watch

    def _close(self, batch: _Batch, at: int, rules: Rules, computed: list[int]) -> None:
        """End the draft in place `at` of the batch, if its last token did end it."""
        row = int(batch.rows[at])
        tokens: list[int] = batch.tokens[row, : batch.step].tolist()
        ended = tokens[-1] in self.ends
        text = self.decoder.text(tokens[:-1] if ended else tokens)
        found = ending(text, rules.stop, rules.delimiter)
        if found is None and ended:
            found = Ending(text, "stop")
        if found is None and batch.limits[row] <= batch.step:
            found = Ending(text, "length")
        if found is not None:
            chances = tuple(batch.chances[row, : batch.step].tolist())
            kept = chances if self.keep_logprobs else None
            done = Written(found.text, found.finish, batch.step, kept, computed[row])
            batch.written[row], batch.open[at] = done, False


class _Batch:
    """The drafts of one batch while they are written.

    `rows` numbers the drafts that are still in the table; `open` tells which of those go on.
    """

    def __init__(self, tasks: Sequence[Task], watch: NDArray[np.bool_]) -> None:
        self.written: list[Written | None] = [None] * len(tasks)
        self.limits = np.array([task.limit for task in tasks])
        self.tokens: NDArray[np.int64] = np.zeros((len(tasks), _COLUMNS), np.int64)
        self.chances: NDArray[np.float32] = np.zeros((len(tasks), _COLUMNS), np.float32)
        self.uniforms = Uniforms([task.generator for task in tasks])
        self.rows = np.arange(len(tasks))
        self.open: NDArray[np.bool_] = np.ones(len(tasks), bool)
        self.step = 0
        self._watch = watch

    def add(
        self, chosen: NDArray[np.int64], chances: NDArray[np.float32] | None
    ) -> NDArray[np.int64]:
        """Note one more token per row; return the places of rows that may have ended by it."""
        if self.step == self.tokens.shape[1]:
            self.tokens = np.pad(self.tokens, ((0, 0), (0, self.step)))
            self.chances = np.pad(self.chances, ((0, 0), (0, self.step)))
        self.tokens[self.rows, self.step] = chosen
        if chances is not None:
            self.chances[self.rows, self.step] = chances
        self.step += 1
        full = self.limits[self.rows] <= self.step
        return np.flatnonzero(self.open & (self._watch[chosen] | full))

    def shrink(self) -> NDArray[np.int64] | None:
        """Drop the ended rows once they are many; return the places kept, None if none went."""
        if self.open.sum() > (1 - _SHRINK) * len(self.open):
            return None
        keep = np.flatnonzero(self.open)
        self.rows, self.open = self.rows[keep], self.open[keep]
        self.uniforms.keep(keep)
        return keep


def _padded(
    rows: Sequence[tuple[int, ...]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return rows of tokens padded on the left, and which are real (None: all)."""
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    real = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        real[i, width - len(row) :] = True
    return ids.to(device), None if bool(real.all()) else real.to(device)
