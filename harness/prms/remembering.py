"""Reading drafts that grow: only what was not read before goes through the model.

A search judges a draft after every step. The keys, values and numbers of all tokens read so far are
kept in a tree of beginnings, so that a child costs its new tokens, and a draft that is known costs
nothing. The inputs of all requests share padded passes, whatever their lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.adapters.memory import Memory, read
from harness.adapters.prefixes import Ids
from harness.prms.likelihood import Likelihood
from harness.prms.render import Encoded

Floats = NDArray[np.float64]

_WINDOWS = {"": None}


class Remembering:
    """An open model that looks back without limit, and what it has read."""

    def __init__(self, model: Any, numbers: int, tokens: int, budget: int) -> None:
        """Args: the model, its numbers per token, the most tokens of one pass and in memory."""
        self._model, self._tokens = model, tokens
        self._memory = Memory(budget)
        self._values: Floats = np.empty((0, numbers))
        """(slots, labels): the head's numbers at every token remembered."""

    @torch.inference_mode()
    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the head's numbers of each input, and the tokens computed.

        As `Forward.read`; tokens that several requests need count for the first.
        """
        computed = [0] * len(requests)
        everything: dict[Ids, int] = {}
        for number, inputs in enumerate(requests):
            for one in inputs:
                everything.setdefault(one.ids, number)
        for wanted in (self._shared(requests), everything):
            for number, tokens in self._read(wanted):
                computed[number] += tokens
        found = [
            [self._values[self._memory.find(one.ids)[list(one.reads)]] for one in inputs]
            for inputs in requests
        ]
        self._memory.trim()
        return list(zip(found, computed, strict=True))

    def _read(self, wanted: dict[Ids, int]) -> list[tuple[int, int]]:
        """Read what is not known of some inputs; return (request, tokens computed) pairs."""
        slots = {ids: self._memory.find(ids) for ids in wanted}
        missing = [ids for ids, known in slots.items() if len(known) < len(ids)]
        # A token's likelihood is read at the token before it, which is read again for that.
        again = isinstance(self._model, Likelihood)
        begun = [slots[ids][: len(slots[ids]) - again] if again else slots[ids] for ids in missing]
        for _, logits, added in read(
            self._model, _WINDOWS, self._memory, missing, begun, self._tokens
        ):
            numbers = logits.double().cpu().numpy()
            if len(self._values) < self._memory.capacity:
                grown = np.empty((self._memory.capacity, numbers.shape[2]))
                grown[: len(self._values)] = self._values
                self._values = grown
            for row, new in enumerate(added):
                self._values[new] = numbers[row, numbers.shape[1] - len(new) :]
        return [
            (wanted[ids], len(ids) - len(known)) for ids, known in zip(missing, begun, strict=True)
        ]

    def _shared(self, requests: Sequence[Sequence[Encoded]]) -> dict[Ids, int]:
        """Return the beginnings that are worth a pass of their own: prompts, above all.

        Worth it where that saves a quarter of what the request has to read: a pass for the one or
        two tokens that siblings share costs more than it saves.
        """
        shared: dict[Ids, int] = {}
        for number, inputs in enumerate(requests):
            if len(inputs) < 2:
                continue
            low, high = min(one.ids for one in inputs), max(one.ids for one in inputs)
            pairs = enumerate(zip(low, high, strict=False))
            size = next((i for i, (a, b) in pairs if a != b), len(low))
            known = len(self._memory.find(low[:size]))
            rest = sum(len(one.ids) - known for one in inputs)
            if size > known and 4 * (len(inputs) - 1) * (size - known) >= rest:
                shared.setdefault(low[:size], number)
        return shared


@torch.inference_mode()
def works(model: Any, numbers: int) -> bool:
    """Return whether a model that goes on where it was reads what it reads from the start."""
    size = model.config.get_text_config().vocab_size
    tokens = [int(i) for i in (np.arange(9) * 7919 + 11) % size]
    inputs = [Encoded(tuple(ids), (len(ids) - 1,)) for ids in (tokens[:3], tokens[:6], tokens)]
    reader = Remembering(model, numbers, 99, 99)
    try:
        steps = [reader.read([inputs[:1]]), reader.read([inputs[1:]])]
        plain = [model(input_ids=torch.tensor([one.ids], device=model.device)) for one in inputs]
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError):  # no such cache, mask, positions
        return False
    read_ = np.concatenate([*steps[0][0][0], *steps[1][0][0]])
    expected = torch.stack([reply.logits[0, -1] for reply in plain]).double().cpu().numpy()
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
    return bool(np.abs(read_ - expected).max() <= tolerance * (1 + np.abs(expected).max()))
