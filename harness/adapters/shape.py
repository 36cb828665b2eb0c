"""The shape of a transformers model, for counting operations (`harness.cost`)."""

from __future__ import annotations

from typing import Any

from harness.cost import Architecture


def architecture(config: Any, head: str = "lm", trusted: bool = False) -> Architecture | None:
    """Return the shape of the model that a transformers config describes; no weight is loaded.

    Args:
        config: A `transformers` config object.
        head: ``lm`` for a language model, ``value`` for one score per token.
        trusted: The model's own code may be run (`harness.adapters.code`).

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
        model = kind.from_config(config, trust_remote_code=trusted)
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
