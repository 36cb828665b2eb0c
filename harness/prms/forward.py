"""Forward passes of a value-head model: which inputs go together, and what is read from them.

Two ways, chosen per request by their cost in operations, and equal up to rounding:

* **packed**: the solutions of one problem as a tree of tokens (`harness.prms.packing`), which
  computes shared beginnings once;
* **plain**: one row per solution, sorted by length and padded on the right. Causal attention never
  looks there, so no mask is needed and the fastest kernels apply.

When a model is opened, both are tried on a few tokens: a model that looks ahead is refused, and one
whose packed numbers differ from its plain ones is never packed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.adapters.kernels import attention_kernels
from harness.adapters.memory import plan
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms.packing import Pack, best_size, pack, pays
from harness.prms.recipe import Encoded

Floats = NDArray[np.float64]


class Forward:
    """An open model.

    Raises:
        ConfigError: the model looks ahead.
    """

    def __init__(self, model: Any, tokens: int, shape: Architecture | None) -> None:
        """Args: the model, the most tokens of one pass (padding included), what a token costs."""
        self.model = model
        self._tokens = tokens
        self._shape = shape
        self._limit = min(tokens, best_size(shape)) if shape is not None else 0
        self._packs = self._check()

    @torch.inference_mode()
    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the head's numbers of each input, and the tokens computed.

        Args:
            requests: Different inputs of one problem each.

        Returns:
            Per request: (steps, labels) float64 per input in order; tokens without padding.
        """
        found: list[list[Floats]] = [[np.empty((0, 0))] * len(inputs) for inputs in requests]
        computed = [sum(len(one.ids) for one in inputs) for inputs in requests]
        alone: list[tuple[int, int]] = []
        for number, inputs in enumerate(requests):
            packs = self._packed(inputs)
            if not packs:
                alone.extend((number, member) for member in range(len(inputs)))
                continue
            computed[number] = sum(len(one.ids) for one in packs)
            for one in packs:
                values = self._read_pack(one)
                for member, reads in zip(one.members, one.reads, strict=True):
                    found[number][member] = values[reads]
        plain = [requests[number][member] for number, member in alone]
        for batch in plan([len(one.ids) for one in plain], self._tokens):
            for i, values in zip(batch, self._read_rows([plain[i] for i in batch]), strict=True):
                number, member = alone[i]
                found[number][member] = values
        return list(zip(found, computed, strict=True))

    def _packed(self, inputs: Sequence[Encoded]) -> list[Pack]:
        """Return the packs of a request, none where plain rows are cheaper."""
        if not self._packs or self._shape is None or len(inputs) < 2:
            return []
        packs = pack(inputs, self._limit)
        return packs if pays(packs, inputs, self._shape) else []

    def _read_pack(self, one: Pack) -> Floats:
        """Return the head's numbers at every token of a pack: (tokens, labels)."""
        device, dtype = self.model.device, self.model.dtype
        mask = torch.zeros(one.sees.shape, dtype=dtype)
        mask.masked_fill_(~torch.from_numpy(one.sees), torch.finfo(dtype).min)
        with attention_kernels(self.model):
            logits = self.model(
                input_ids=torch.from_numpy(one.ids)[None].to(device),
                position_ids=torch.from_numpy(one.places)[None].to(device),
                attention_mask=mask[None, None].to(device),
                use_cache=False,
            ).logits[0]
        values: Floats = logits.double().cpu().numpy()
        return values

    def _read_rows(self, part: Sequence[Encoded]) -> list[Floats]:
        """Return the head's numbers of one padded batch at the places read."""
        ids = np.zeros((len(part), max(len(one.ids) for one in part)), np.int64)
        for row, one in enumerate(part):
            ids[row, : len(one.ids)] = one.ids
        lengths = [len(one.reads) for one in part]
        rows = np.repeat(np.arange(len(part)), lengths)
        columns = np.concatenate([one.reads for one in part])
        logits = self._plain(torch.from_numpy(ids).to(self.model.device))
        values = logits[torch.from_numpy(rows), torch.from_numpy(columns)].double().cpu().numpy()
        return np.split(values, np.cumsum(lengths)[:-1])

    def _plain(self, ids: torch.Tensor) -> torch.Tensor:
        with attention_kernels(self.model):
            logits: torch.Tensor = self.model(input_ids=ids, use_cache=False).logits
        return logits

    @torch.inference_mode()
    def _check(self) -> bool:
        """Return whether packing works for this model; refuse one that looks ahead."""
        size = self.model.config.get_text_config().vocab_size
        tokens = [int(i) for i in (np.arange(9) * 7919 + 11) % size]
        branch = [*tokens[:3], *tokens[6:]]
        inputs = [Encoded(tuple(ids), tuple(range(len(ids)))) for ids in (tokens, branch)]
        long, short = (
            self._plain(torch.tensor([ids], device=self.model.device))
            for ids in (tokens, tokens[:4])
        )
        if not self._close(long[:, :4], short):
            raise ConfigError(
                f"{type(self.model).__name__} looks ahead of the step that it scores; a causal "
                "model is needed"
            )
        if windowed(self.model.config.get_text_config()):
            return False
        try:
            values = self._read_pack(tree := pack(inputs, 99)[0])
        except (TypeError, ValueError, RuntimeError):  # it takes no such mask or positions
            return False
        plain = self._read_rows([inputs[member] for member in tree.members])
        return all(
            self._close(torch.from_numpy(values[reads]), torch.from_numpy(alone))
            for reads, alone in zip(tree.reads, plain, strict=True)
        )

    def _close(self, a: torch.Tensor, b: torch.Tensor) -> bool:
        """Whether two readings are equal up to the rounding of the model's number format."""
        tolerance = 1e-3 if self.model.dtype == torch.float32 else 0.1
        return bool((a - b).abs().max() <= tolerance * (1 + b.abs().max()))


def windowed(config: Any) -> bool:
    """Whether some layers look back a limited way, which our own masks do not say."""
    types = set(getattr(config, "layer_types", None) or ("full_attention",))
    window = getattr(config, "sliding_window", None)
    used = bool(window) and getattr(config, "use_sliding_window", True)
    return types != {"full_attention"} or (used and not hasattr(config, "layer_types"))
