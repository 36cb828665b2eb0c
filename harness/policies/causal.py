"""What a causal language model tells about itself, and whether it can be sampled in batches."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

import numpy as np
import torch

from harness.adapters import kv
from harness.errors import ConfigError


def ends(generation: Any, config: Any, tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that end a text, as the model's authors declare them.

    Args:
        generation: Its configuration of generation; None: it has none.
        config: Its configuration.
        tokenizer: Its tokenizer.
    """
    for source in (generation, config.get_text_config(), tokenizer):
        ids = getattr(source, "eos_token_id", None)
        if ids is not None:
            return tuple(ids) if isinstance(ids, list | tuple) else (int(ids),)
    return ()


def windows(config: Any, max_length: int) -> dict[str, int | None]:
    """Return how far back the layers look, by layer type; see `harness.adapters.kv.Table`."""
    types = set(getattr(config, "layer_types", None) or ())
    window = getattr(config, "sliding_window", None)
    if not getattr(config, "use_sliding_window", True) or (window or 0) >= max_length:
        window = None
    if types - {"full_attention", "sliding_attention"}:
        raise ConfigError(f"layers of type {', '.join(sorted(types))} are not supported here")
    if len(types) > 1:
        return {"full_attention": None, "sliding_attention": window}
    return {"": None if types == {"full_attention"} else window}


@torch.inference_mode()
def check_batching(model: Any, seen: Mapping[str, int | None], target: str) -> None:
    """Refuse a model whose padded, cached logits are not its plain ones.

    Architectures differ in how they take positions and masks; one that takes them otherwise than
    thought here would write nonsense without any error.
    """
    if "position_ids" not in signature(model.forward).parameters:
        raise ConfigError(f"policy {target}: {type(model).__name__} is not supported here")
    size = model.config.get_text_config().vocab_size
    ids = (np.arange(14).reshape(2, 7) * 7919 + 11) % size
    model.set_attn_implementation("eager")  # the library's own masks belong to its own attention
    alone = [torch.from_numpy(row[None]).to(model.device) for row in (ids[0], ids[1, 2:])]
    plain = torch.stack([model(input_ids=row).logits[0, -1] for row in alone])
    model.set_attn_implementation(kv.ATTENTION)
    table = kv.Table(model, seen)
    table.feed(ids[:, :4], np.array([4, 2]))
    table.feed(ids[:, 4:6])
    table.move(np.array([1, 0]), np.array([0, 1]), 2)
    batched = table.feed(ids[[1, 0], 6:])[[1, 0], -1]
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
    if (batched - plain).abs().max() > tolerance * plain.abs().max():
        raise ConfigError(
            f"policy {target}: {type(model).__name__} does not take positions and masks as "
            "other causal models do, and would be sampled wrongly here"
        )
