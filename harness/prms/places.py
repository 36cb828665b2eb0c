"""Inside vLLM's workers: a head of ours, in 32-bit floats, at the places that are read.

The head is a few layers, or all rows of a language model's output: then the number of a place is
the log-probability of the token after it (`harness.prms.likelihood`).

The engine loads the transformer alone. Where it would give the hidden state of every token, it then
gives the head's numbers at the places that a request names: a few floats per step cross to our
process, not a few thousand per token, and every family of PRMs is read in the same way. A hidden
state is never taken for logits.

vLLM imports this module by name in each worker before it loads a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from safetensors.torch import load_file
from vllm.model_executor.layers.pooler.tokwise.methods import TokenPoolingMethod
from vllm.model_executor.model_loader import register_model_loader
from vllm.model_executor.model_loader.default_loader import DefaultModelLoader

from harness.adapters import watch
from harness.prms.heads import Layers, through
from harness.prms.likelihood import log_probabilities

LOADING = "prm_harness"
"""The name under which vLLM knows `BodyLoader`."""

TASK = "token_embed"
"""What vLLM calls a reading of every token."""

Numbers = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""From (places, width) float32 states and the (places,) tokens after them, which are -1 where none
is given, to (places, numbers) float32."""

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


class Places(TokenPoolingMethod):  # type: ignore[misc]
    """Reads hidden states as they are computed, by the positions that they have.

    A long input comes in parts, some of which may come twice (when memory is short, the engine
    begins anew) or not at all (when they are in its prefix cache).
    """

    def __init__(self, numbers: Numbers) -> None:
        super().__init__()
        self._numbers = numbers

    def forward(self, hidden_states: torch.Tensor, pooling_metadata: Any) -> list[Any]:
        """Return (places, numbers) float32 of each sequence; None while parts are owed.

        NaN stands for a state that was not computed, but remembered.

        Args:
            hidden_states: (tokens, width), one sequence's part after the other's.
            pooling_metadata: vLLM's; the ``extra_kwargs`` of a sequence hold its ``places`` and,
                for likelihoods, the tokens ``after`` them.
        """
        cursor = pooling_metadata.get_pooling_cursor()
        parts, rows, tokens, first = [], list[int](), list[int](), 0
        for params, count, end in zip(
            pooling_metadata.pooling_params,
            cursor.num_scheduled_tokens_cpu.tolist(),
            cursor.seq_lens_cpu.tolist(),
            strict=True,
        ):
            start, places = end - count, params.extra_kwargs["places"]
            after = params.extra_kwargs.get("after") or [-1] * len(places)
            inside = [k for k, place in enumerate(places) if start <= place < end]
            rows += [first + places[k] - start for k in inside]
            tokens += [after[k] for k in inside]
            parts.append((inside, len(places)))
            first += count
        at, ids = (
            torch.tensor(one, dtype=torch.int64, device=hidden_states.device)
            for one in (rows, tokens)
        )
        numbers = self._numbers(hidden_states[at].float(), ids)
        found: list[Any] = []
        split = torch.split(numbers, [len(inside) for inside, _ in parts])
        states = pooling_metadata.pooling_states
        for (inside, count), own, state, done in zip(
            parts, split, states, cursor.get_finished_mask(), strict=True
        ):
            state.hidden_states_cache.append((inside, own))
            found.append(_together(state.hidden_states_cache, count) if done else None)
            if done:
                state.clean()
        return found


def _together(parts: list[tuple[list[int], torch.Tensor]], count: int) -> torch.Tensor:
    """Return (count, numbers) from parts that say which of them they are."""
    whole = parts[0][1].new_full((count, parts[0][1].shape[1]), torch.nan)
    for inside, numbers in parts:
        whole[inside] = numbers
    return whole


def of_layers(layers: Layers) -> Numbers:
    """Read by layers, whatever comes after."""
    return lambda hidden, tokens: through(layers, hidden)


def of_vocabulary(weight: torch.Tensor, bias: torch.Tensor | None) -> Numbers:
    """Read how likely the token after each place is."""
    return lambda hidden, tokens: log_probabilities(weight, bias, hidden, tokens)[:, None]


class PlacesWorker:
    """What a worker of the engine can do besides (``worker_extension_cls``)."""

    def read_places(self, path: str, likelihoods: bool) -> None:
        """Put the layers of a safetensors file (``0.weight``, ``0.bias``, …) in the pooler, or the
        rows of an output, of which there is one."""
        worker: Any = self
        parts = load_file(path, device=str(worker.device))
        count = sum(name.endswith(".weight") for name in parts)
        layers = [(parts[f"{i}.weight"], parts.get(f"{i}.bias")) for i in range(count)]
        pooler = worker.get_model().pooler.poolers_by_task[TASK]
        numbers = of_vocabulary(*layers[0]) if likelihoods else of_layers(layers)
        pooler.pooling, pooler.head = Places(numbers), None
