"""What a forward pass costs, in floating-point operations, from a model's shape alone.

A multiplication and an addition count as two operations. A token at position ``i`` (from 1) costs

    2 · N  +  4 · L · d · i

with ``N`` the parameters of the matrices that it goes through (embeddings are looked up, not
multiplied; of a mixture of experts only the active ones), ``L`` the layers and ``d`` the attention
width: two operations per number for QKᵀ and two for the weighted sum of values, over ``i``
positions. Norms, activations and softmax are left out (below 1 % at any size in use). Sources:
Kaplan et al. 2020 (arXiv:2001.08361) §2.1, whose ``2 · L · n_ctx · d`` counts QKᵀ alone.

The output head (language-model or value head) is counted where its numbers are used: at every
decoded token, at every scored step. Kaplan's ``N`` leaves it out; `matrices` is that ``N``.

A cache of keys and values saves recomputing, not operations: decoding costs the same per token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Architecture:
    """The numbers of a transformer that decide what a token costs."""

    matrices: int
    """Parameters of all matrices but embeddings and the output head."""
    active: int
    """Those of them that one token goes through; fewer than `matrices` with experts."""
    head: int
    """Parameters of the output head: vocabulary (or labels) times width."""
    layers: int
    attention_width: int
    """Query heads times head dimension, in one layer."""

    def prefill(self, tokens: int, *, cached: int = 0, outputs: int = 1) -> int:
        """Operations to read `tokens` tokens after `cached` others, using `outputs` head values."""
        return (
            2 * self.active * tokens
            + 4 * self.layers * self.attention_width * _positions(cached, tokens)
            + 2 * self.head * outputs
        )

    def decode(self, prompt: int, tokens: int) -> int:
        """Operations to write `tokens` tokens after `prompt` tokens that were read before.

        Every token written counts as one pass; the very last is never read again, which makes this
        high by one token per draft.
        """
        return self.prefill(tokens, cached=prompt, outputs=tokens)


def architecture(config: Any, head: str = "lm") -> Architecture | None:
    """Return the shape of the model that a transformers config describes; no weight is loaded.

    Args:
        config: A `transformers` config object.
        head: ``lm`` for a language model, ``value`` for one score per token.

    Returns:
        None for a config without layers or attention heads (not a transformer).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

    text = config.get_text_config()
    if not getattr(text, "num_hidden_layers", 0) or not getattr(text, "num_attention_heads", 0):
        return None
    kind = AutoModelForCausalLM if head == "lm" else AutoModelForTokenClassification
    with torch.device("meta"):  # shapes without memory
        model = kind.from_config(config)
    return of_model(model)


def of_model(model: Any) -> Architecture | None:
    """Return the shape of a transformers model that exists already; None as for `architecture`."""
    config = model.config.get_text_config()
    layers = getattr(config, "num_hidden_layers", 0)
    heads = getattr(config, "num_attention_heads", 0)
    if not layers or not heads:
        return None
    embedding = model.get_input_embeddings().weight
    output = model.get_output_embeddings() or _value_head(model)
    head = output.weight
    dense = experts = 0
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or parameter is embedding or parameter is head:
            continue
        if ".experts." in name:
            experts += parameter.numel()
        else:
            dense += parameter.numel()
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Architecture(
        matrices=dense + experts,
        active=dense + int(experts * _active_share(config)),
        head=head.numel(),
        layers=layers,
        attention_width=heads * width,
    )


def _positions(start: int, tokens: int) -> int:
    """Return the sum of the positions ``start + 1 … start + tokens``."""
    return tokens * start + tokens * (tokens + 1) // 2


def _value_head(model: Any) -> Any:
    """Return the linear layer of a token-classification model."""
    for name in ("score", "classifier"):
        if hasattr(model, name):
            return getattr(model, name)
    raise ValueError(f"{type(model).__name__} has no output head that is known")


def _active_share(config: Any) -> float:
    """Return the share of experts that a token goes through; 1 without experts."""
    for total in ("num_experts", "num_local_experts", "n_routed_experts"):
        if getattr(config, total, None):
            return float(config.num_experts_per_tok / getattr(config, total))
    return 1.0
