"""The numbers of a PRM: a transformer, and at every token a small head in 32-bit floats.

All that families of PRMs train in the place of a language model's output comes down to this: one
linear layer or a few, or some rows of the language model's own. A pair of tokens is two of its
rows, and the mean over the whole vocabulary is one, the mean of all: neither needs the logits of
150,000 words at every token. No code of a checkpoint is run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers

from harness.adapters import checkpoint
from harness.adapters.checkpoint import Checkpoint
from harness.cost import Architecture
from harness.errors import ConfigError, DataError, nearest
from harness.prms.recipe import LM_HEADS, NUMBERS, Recipe
from harness.prms.render import token

Layers = Sequence[tuple[torch.Tensor, torch.Tensor | None]]
"""Weight (out, in) and bias (out,) of linear layers, first to last."""


class Numbers(NamedTuple):
    """What a forward pass gives, named as the library names it."""

    logits: torch.Tensor
    """(rows, tokens, numbers) float32."""
    past_key_values: Any


class Headed(torch.nn.Module):
    """A transformer with a head; to its callers, a model of the library."""

    def __init__(self, base: Any, layers: Layers) -> None:
        """Args: a model that gives ``last_hidden_state``; layers, with rectifiers between them."""
        super().__init__()
        self.base = base
        device = base.device
        self.layers = [
            (weight.to(device, torch.float32), None if bias is None else bias.to(device).float())
            for weight, bias in layers
        ]

    def forward(self, **inputs: Any) -> Numbers:
        """Return the head's numbers at every token; arguments are the transformer's."""
        found = self.base(**inputs)
        numbers = through(self.layers, found.last_hidden_state.float())
        return Numbers(numbers, getattr(found, "past_key_values", None))

    @property
    def config(self) -> Any:
        """The transformer's."""
        return self.base.config

    @property
    def device(self) -> torch.device:
        """The transformer's."""
        device: torch.device = self.base.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The transformer's; the head is float32."""
        dtype: torch.dtype = self.base.dtype
        return dtype

    def set_attn_implementation(self, name: str) -> None:
        """Choose how the transformer attends."""
        self.base.set_attn_implementation(name)


def through(layers: Layers, hidden: torch.Tensor) -> torch.Tensor:
    """Return the numbers (…, out) of hidden states (…, in), both float32."""
    for number, (weight, bias) in enumerate(layers):
        hidden = torch.nn.functional.linear(hidden.relu() if number else hidden, weight, bias)
    return hidden


def check(recipe: Recipe, found: Checkpoint, config: Any, tokenizer: Any) -> None:
    """Find out without loading a model whether a checkpoint has what a recipe reads.

    Raises:
        ConfigError: a head of another shape, tokens that the tokenizer does not have.
        DataError: no such tensors.
    """
    needed = NUMBERS[recipe.head]
    if recipe.weights == "classifier":
        _check_shape(recipe, int(config.num_labels), found)
    elif recipe.weights == "lm":
        if recipe.head == "pair":
            for name in ("good", "bad"):
                token(tokenizer, getattr(recipe, name), name)
    else:
        last = named_layers(found.folder, recipe.weights)[-1][0]
        if len(last) != needed:
            _check_shape(recipe, len(last), found)


def _check_shape(recipe: Recipe, given: int, found: Checkpoint) -> None:
    needed = NUMBERS[recipe.head]
    if given == needed:
        return
    fitting = [head for head, count in NUMBERS.items() if count == given]
    usual = [head for head in fitting if head not in LM_HEADS]
    hint = f"use head={' or '.join(usual)}" if usual else "it is no PRM of this kind"
    raise ConfigError(
        f"PRM {found.name}: head={recipe.head} reads {needed} number(s) per token and the model "
        f"gives {given}; {hint}"
    )


def load(recipe: Recipe, found: Checkpoint, tokenizer: Any, device: Any, dtype: Any) -> Any:
    """Return the model of a checkpoint with the head that a recipe reads.

    Raises:
        ConfigError: a language model whose logits are no product of its rows.
        DataError: files that do not load.
    """
    if recipe.weights == "classifier":
        kind = transformers.AutoModelForTokenClassification
        return checkpoint.load_model(kind, found, dtype=dtype).to(device)
    if recipe.weights != "lm":
        base = checkpoint.load_model(transformers.AutoModel, found, dtype=dtype).to(device)
        return Headed(base, named_layers(found.folder, recipe.weights))
    kind = transformers.AutoModelForCausalLM
    model = checkpoint.load_model(kind, found, dtype=dtype).to(device)
    output = model.get_output_embeddings()
    rows: list[int] | None = None
    if recipe.head == "pair":
        rows = [token(tokenizer, recipe.good, "good"), token(tokenizer, recipe.bad, "bad")]
    bias = getattr(output, "bias", None)
    layer = _chosen(output.weight, rows), None if bias is None else _chosen(bias, rows)
    headed = Headed(model.base_model, [layer])
    _compare(recipe, model, headed, rows, found)
    return headed


def _chosen(part: torch.Tensor, rows: list[int] | None) -> torch.Tensor:
    """Return some rows, or the mean of all; a 32-bit copy of all would take gigabytes."""
    part = part.detach()
    return part[rows] if rows is not None else part.mean(0, keepdim=True, dtype=torch.float32)


@torch.inference_mode()
def _compare(
    recipe: Recipe, model: Any, headed: Headed, rows: list[int] | None, found: Checkpoint
) -> None:
    """Refuse a language model that does more with its rows than a product (caps, factors)."""
    size = model.config.get_text_config().vocab_size
    ids = torch.tensor([[(7919 * i + 11) % size for i in range(4)]], device=model.device)
    logits = model(input_ids=ids, use_cache=False).logits.float()
    theirs = logits.mean(-1, keepdim=True) if rows is None else logits[..., rows]
    ours = headed(input_ids=ids, use_cache=False).logits
    tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
    if (ours - theirs).abs().max() > tolerance * (1 + theirs.abs().max()):
        raise ConfigError(
            f"PRM {found.name}: {type(model).__name__} does more than multiply to get its logits; "
            f"head={recipe.head} cannot read it"
        )


def architecture(recipe: Recipe, found: Checkpoint, config: Any) -> Architecture | None:
    """Return what a token costs: the transformer's part, and the head's."""
    if recipe.weights == "classifier":
        return checkpoint.architecture(config, found, head="value")
    shape = checkpoint.architecture(config, found, head="lm")
    if shape is None:
        return None
    if recipe.weights == "lm":
        width = int(config.get_text_config().hidden_size)
        return replace(shape, head=width * (2 if recipe.head == "pair" else 1))
    return replace(
        shape, head=sum(w.numel() for w, _ in named_layers(found.folder, recipe.weights))
    )


def named_layers(folder: Path, name: str) -> Layers:
    """Return the linear layers that tensors of this name make.

    Raises:
        DataError: there are none, or they do not fit one another.
    """
    from safetensors import safe_open

    wanted = re.compile(rf"(?:.*\.)?{re.escape(name)}(?:\.(\d+))?\.(weight|bias)")
    parts: dict[int, dict[str, torch.Tensor]] = {}
    known: list[str] = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118 - not a mapping
                if match := wanted.fullmatch(key):
                    tensor = file.get_tensor(key)
                    parts.setdefault(int(match[1] or 0), {})[match[2]] = tensor
                elif key.endswith(".weight") and not re.search(r"\.\d+\.", key):
                    known.append(key.removesuffix(".weight"))
    layers = [(parts[i].get("weight"), parts[i].get("bias")) for i in sorted(parts)]
    if not layers or any(weight is None or weight.ndim != 2 for weight, _ in layers):
        raise DataError(f"{folder} has no head {name!r}; {nearest(name, known)}")
    made: Layers = [(weight, bias) for weight, bias in layers if weight is not None]
    widths = [tuple(weight.shape) for weight, _ in made]
    if any(a[0] != b[1] for a, b in pairwise(widths)):
        raise DataError(f"{folder}: the layers of {name!r} do not fit: {widths}")
    return made
