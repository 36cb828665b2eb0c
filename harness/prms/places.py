"""Inside vLLM's workers: a head of ours, in 32-bit floats, at the places that are read.

The engine loads the transformer alone. Where it would give the hidden state of every token, it then
gives the head's numbers at the places that a request names: a few floats per step cross to our
process, not a few thousand per token, and every family of PRMs is read in the same way. A hidden
state is never taken for logits.

vLLM imports this module by name in each worker before it loads a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load_file
from vllm.model_executor.layers.pooler.tokwise.heads import TokenPoolerHead
from vllm.model_executor.model_loader import register_model_loader
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

from harness.adapters import watch
from harness.prms.heads import Layers, through

LOADING = "prm_harness"
"""The name under which vLLM knows `BodyLoader`."""

TASK = "token_embed"
"""What vLLM calls a reading of every token."""

watch.begin()


@register_model_loader(LOADING)
class BodyLoader(DefaultModelLoader):  # type: ignore[misc]
    """Loads of a checkpoint's safetensors what the model has a place for: no head besides."""

    def __init__(self, load_config: Any) -> None:
        super().__init__(replace(load_config, load_format="safetensors"))

    def get_all_weights(self, model_config: Any, model: Any) -> Iterator[tuple[str, torch.Tensor]]:
        """Yield the tensors whose name begins as a part of the model, or of its body, does."""
        known = {name for part in (model, getattr(model, "model", None)) for name in _parts(part)}
        for name, tensor in super().get_all_weights(model_config, model):
            if name.split(".", 1)[0] in known:
                yield name, tensor


def _parts(module: Any) -> list[str]:
    return [name for name, _ in module.named_children()] if module is not None else []


class Places(TokenPoolerHead):  # type: ignore[misc]
    """The pooler's head: of the hidden states of a sequence, numbers at some places."""

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self._layers = layers

    def get_supported_tasks(self) -> set[Any]:
        """Return the one task that it answers."""
        return {TASK}

    def forward_chunk(self, pooled_data: Any, pooling_param: Any) -> Any:
        """Return (places, numbers) float32; NaN where the state was not computed, but remembered.

        Args:
            pooled_data: (tokens, width) hidden states of the last tokens of a sequence, those that
                were computed; None while some are owed.
            pooling_param: Its ``extra_kwargs`` hold the sequence's ``size`` and the ``places``.
        """
        if pooled_data is None:
            return None
        asked = pooling_param.extra_kwargs
        remembered = asked["size"] - len(pooled_data)
        rows = torch.tensor(asked["places"], device=pooled_data.device) - remembered
        numbers = through(self._layers, pooled_data[rows.clamp(min=0)].float())
        numbers[rows < 0] = torch.nan
        return numbers


class PlacesWorker:
    """What a worker of the engine can do besides (``worker_extension_cls``)."""

    def read_places(self, path: str) -> None:
        """Put the layers of a safetensors file (``0.weight``, ``0.bias``, …) in the pooler."""
        worker: Any = self
        parts = load_file(path, device=str(worker.device))
        count = sum(name.endswith(".weight") for name in parts)
        layers = [(parts[f"{i}.weight"], parts.get(f"{i}.bias")) for i in range(count)]
        worker.get_model().pooler.poolers_by_task[TASK].head = Places(layers)
