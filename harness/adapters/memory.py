"""Keys and values of what a model has read, so that whatever begins alike is not read again.

One slot per token and layer, found by `harness.adapters.prefixes`: a sequence goes into a table, or
out of it, with two indexed copies per layer, however it was put together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.adapters.kv import Table
from harness.adapters.prefixes import Ids, Prefixes, Slots

_BYTES = 2**30
"""What is remembered by default where memory is the machine's: a million tokens of the embedded
policy, 8,000 of a 7B model in bfloat16."""

_SHARE = 1 / 10
"""The share of a GPU's memory that is used for it by default."""


def usual_tokens(config: Any, dtype: torch.dtype, device: torch.device) -> int:
    """Return how many tokens of a model are remembered unless the user says otherwise."""
    room: float = _BYTES
    if device.type == "cuda":
        room = torch.cuda.get_device_properties(device).total_memory * _SHARE
    return int(room // token_bytes(config, dtype))


def token_bytes(config: Any, dtype: torch.dtype) -> int:
    """Return the bytes of a token's keys and values in all layers."""
    text = config.get_text_config()
    heads = getattr(text, "num_attention_heads", None) or 1
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    pairs = (getattr(text, "num_key_value_heads", None) or heads) * width * text.num_hidden_layers
    return int(2 * pairs * dtype.itemsize)


class Memory:
    """Remembered sequences of one model.

    Between two calls of `trim` nothing is forgotten, so slots that were found stay valid.
    """

    def __init__(self, budget: int) -> None:
        """An empty memory that `trim` cuts down to `budget` tokens."""
        self.budget = budget
        self._known = Prefixes(budget)
        self._layers: list[torch.Tensor] = []

    def find(self, tokens: Ids) -> Slots:
        """Return the slots of the longest remembered beginning."""
        return self._known.find(tokens)

    def trim(self) -> None:
        """Forget what was not used for longest, down to the budget."""
        self._known.trim()

    @property
    def held(self) -> int:
        """Tokens remembered."""
        return self._known.held

    @property
    def capacity(self) -> int:
        """Every slot is below this."""
        return self._known.capacity

    def load(self, table: Table, rows: NDArray[np.int64], known: Sequence[Slots]) -> None:
        """Put remembered sequences in rows of a table, old or new."""
        lengths = [len(slots) for slots in known]
        table.put(rows, lengths, self._layers)
        if not any(lengths):
            return
        flat = [table.flat(row, 0, n) for row, n in zip(rows.tolist(), lengths, strict=True)]
        device = self._layers[0].device
        to = torch.from_numpy(np.concatenate(flat)).to(device)
        of = torch.from_numpy(np.concatenate(known)).to(device)
        for target, kept in zip(table.layers(), self._layers, strict=True):
            target.index_copy_(0, to, kept.index_select(0, of))

    def save(self, table: Table, rows: Sequence[int], sequences: Sequence[Ids]) -> list[Slots]:
        """Remember sequences that are in rows of a table.

        Returns:
            For each, the slots of its last tokens: those that were not remembered yet.
        """
        added = [self._known.add(sequence) for sequence in sequences]
        flat = [
            table.flat(row, len(sequence) - len(slots), len(sequence))
            for row, sequence, slots in zip(rows, sequences, added, strict=True)
        ]
        layers = table.layers()
        self._reserve(layers)
        device = layers[0].device
        of = torch.from_numpy(np.concatenate(flat)).to(device)
        to = torch.from_numpy(np.concatenate(added)).to(device)
        for source, kept in zip(layers, self._layers, strict=True):
            kept.index_copy_(0, to, source.index_select(0, of))
        return added

    def _reserve(self, layers: Sequence[torch.Tensor]) -> None:
        """Have a place for every slot."""
        if not self._layers:
            self._layers = [layer.new_empty(0, *layer.shape[1:]) for layer in layers]
        for i, old in enumerate(self._layers):
            if len(old) < self.capacity:
                self._layers[i] = old.new_empty(self.capacity, *old.shape[1:])
                self._layers[i][: len(old)] = old


def read(
    model: Any,
    windows: Mapping[str, int | None],
    memory: Memory,
    sequences: Sequence[Ids],
    known: Sequence[Slots],
    tokens: int,
    **settings: Any,
) -> Iterator[tuple[list[int], torch.Tensor, list[Slots]]]:
    """Read sequences from where they are known, and remember them.

    Args:
        model: A causal model.
        windows: See `Table`.
        memory: Where they are remembered.
        sequences: Different ones.
        known: Slots of the beginning of each; at least one token is left to read.
        tokens: Of one pass at most, padding included, unless a single sequence is longer.
        settings: For the model.

    Yields:
        Which sequences were read in a pass; the model's logits, (sequences, columns, numbers), the
        last column being that of the last token; the slots that `Memory.save` returned.
    """
    rest = [len(s) - len(slots) for s, slots in zip(sequences, known, strict=True)]
    for part in plan(rest, tokens):
        table = Table(model, windows)
        if any(len(known[i]) for i in part):
            memory.load(table, np.arange(len(part)), [known[i] for i in part])
        sizes = np.array([rest[i] for i in part])
        ids = np.zeros((len(part), sizes.max()), np.int64)
        for row, i in enumerate(part):
            ids[row, -rest[i] :] = sequences[i][-rest[i] :]
        logits = table.feed(ids, None if (sizes == sizes[0]).all() else sizes, **settings)
        yield part, logits, memory.save(table, range(len(part)), [sequences[i] for i in part])


_BUSY = 4_096
"""Tokens of a pass that keep a GPU busy with a model of 7B; more of them save little."""

_NEAR = 0.8
"""The share of the longest input's length that others of a pass of that size have at least."""


def plan(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Yield batches of places, longest inputs first, none above `tokens` with its padding.

    An input longer than `tokens` gets a batch of its own. Inputs of like length share a batch, so
    that little of it is padding: a batch of `_BUSY` tokens takes no input that is much shorter. For
    the 16 solutions of 4 problems of MATH-500, half of a pass of 32,768 was padding without that.
    """
    batch: list[int] = []
    width = 0
    for place in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        width = max(width, lengths[place])
        slots = width * len(batch)
        full = slots + width > tokens or (slots >= _BUSY and lengths[place] < _NEAR * width)
        if batch and full:
            yield batch
            batch, width = [], lengths[place]
        batch.append(place)
    if batch:
        yield batch
