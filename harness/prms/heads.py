"""The numbers of a PRM: a transformer, and at every token a small head in 32-bit floats.

All that families of PRMs train in the place of a language model's output comes down to this: one
linear layer or a few, or some rows of the language model's own. A pair of tokens is two of its
rows, and the mean over the whole vocabulary is one, the mean of all: neither needs the logits of
150,000 words at every token; likelihoods need all rows (`harness.prms.likelihood`). No code of a
checkpoint is run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import transformers

from harness.adapters import checkpoint
from harness.adapters.checkpoint import Checkpoint
from harness.cost import Architecture
from harness.errors import ConfigError, DataError, nearest
from harness.prms.body import Body, Numbers
from harness.prms.likelihood import Likelihood
from harness.prms.numbers import LM_HEADS, NUMBERS, RATIOS
from harness.prms.recipe import Recipe
from harness.prms.render import token

_PICKLES = ("*.pt", "*.pth", "*.bin")

Layers = Sequence[tuple[torch.Tensor, torch.Tensor | None]]
"""Weight (out, in) and bias (out,) of linear layers, first to last."""


class Headed(Body):
    """A transformer with a head."""

    def __init__(self, base: Any, layers: Layers) -> None:
        """Args: a model that gives ``last_hidden_state``; layers, with rectifiers between them."""
        super().__init__(base)
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


def through(layers: Layers, hidden: torch.Tensor) -> torch.Tensor:
    """Return the numbers (…, out) of hidden states (…, in), both float32."""
    for number, (weight, bias) in enumerate(layers):
        hidden = torch.nn.functional.linear(hidden.relu() if number else hidden, weight, bias)
    return hidden


class Head:
    """What a recipe reads in the place of a model's output: found when a PRM is opened, used when
    its model is loaded; its tensors are read once.

    Raises:
        ConfigError: a head of another shape, tokens that the tokenizer does not have.
        DataError: no such tensors.
    """

    def __init__(self, recipe: Recipe, found: Checkpoint, config: Any, tokenizer: Any) -> None:
        self._recipe, self._found, self._config = recipe, found, config
        self._layers: Layers = []
        self._rows: list[int] | None = None
        if recipe.weights == "classifier":
            self._check_shape(int(config.num_labels))
        elif recipe.weights != "lm":
            self._layers = named_layers(found.folder, recipe.weights)
            self._check_shape(len(self._layers[-1][0]))
            width, given = config.get_text_config().hidden_size, self._layers[0][0].shape[1]
            if given != width:
                raise DataError(
                    f"{found.folder}: the head {recipe.weights!r} reads {given} numbers and the "
                    f"model gives {width}"
                )
        elif recipe.head == "pair":
            names = ("good", "bad")
            self._rows = [token(tokenizer, getattr(recipe, name), name) for name in names]

    def _check_shape(self, given: int) -> None:
        recipe, needed = self._recipe, NUMBERS[self._recipe.head]
        if given == needed:
            return
        fitting = [head for head, count in NUMBERS.items() if count == given]
        usual = [head for head in fitting if head not in LM_HEADS]
        hint = f"use head={' or '.join(usual)}" if usual else "it is no PRM of this kind"
        raise ConfigError(
            f"PRM {self._found.name}: head={recipe.head} reads {needed} number(s) per token and "
            f"the model gives {given}; {hint}"
        )

    def architecture(self) -> Architecture | None:
        """Return what a token costs: the transformer's part, and the head's.

        A likelihood needs the whole vocabulary at every token, so every token pays for it.
        """
        recipe, found = self._recipe, self._found
        if recipe.weights == "classifier":
            return checkpoint.architecture(self._config, found, head="value")
        shape = checkpoint.architecture(self._config, found, head="lm")
        if shape is None:
            return None
        if recipe.head in RATIOS:
            return replace(shape, active=shape.active + shape.head, head=0)
        if recipe.weights == "lm":
            width = int(self._config.get_text_config().hidden_size)
            return replace(shape, head=width * (2 if recipe.head == "pair" else 1))
        return replace(shape, head=sum(weight.numel() for weight, _ in self._layers))

    def load(self, device: Any, dtype: Any) -> Any:
        """Return the model of the checkpoint with the head that the recipe reads.

        Raises:
            ConfigError: a language model whose logits are no product of its rows.
            DataError: files that do not load.
        """
        recipe, found = self._recipe, self._found
        if recipe.weights == "classifier":
            kind = transformers.AutoModelForTokenClassification
            return checkpoint.load_model(kind, found, device, dtype=dtype)
        if recipe.weights != "lm":
            base = checkpoint.load_model(transformers.AutoModel, found, device, dtype=dtype)
            return Headed(base, self._layers)
        kind = transformers.AutoModelForCausalLM
        model = checkpoint.load_model(kind, found, device, dtype=dtype)
        output = model.get_output_embeddings()
        bias = getattr(output, "bias", None)
        made: Body
        if recipe.head in RATIOS:
            made = Likelihood(model.base_model, output.weight.detach(), bias)
        else:
            rows = self._rows
            chosen = None if bias is None else _chosen(bias, rows)
            made = Headed(model.base_model, [(_chosen(output.weight, rows), chosen)])
        self._compare(model, made)
        return made

    @torch.inference_mode()
    def _compare(self, model: Any, made: Body) -> None:
        """Refuse a language model that does more with its rows than a product (caps, factors)."""
        size = model.config.get_text_config().vocab_size
        ids = torch.tensor([[(7919 * i + 11) % size for i in range(4)]], device=model.device)
        logits = model(input_ids=ids, use_cache=False).logits.float()
        ours = made(input_ids=ids, use_cache=False).logits
        if self._recipe.head in RATIOS:
            ours, after = ours[:, 1:], ids[:, 1:, None]
            theirs = logits[:, :-1].log_softmax(-1).gather(2, after)
        elif self._rows is None:
            theirs = logits.mean(-1, keepdim=True)
        else:
            theirs = logits[..., self._rows]
        tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
        if (ours - theirs).abs().max() > tolerance * (1 + theirs.abs().max()):
            raise ConfigError(
                f"PRM {self._found.name}: {type(model).__name__} does more than multiply to get "
                f"its logits; head={self._recipe.head} cannot read it"
            )


def _chosen(part: torch.Tensor, rows: list[int] | None) -> torch.Tensor:
    """Return some rows, or the mean of all; a 32-bit copy of all would take gigabytes."""
    part = part.detach()
    return part[rows] if rows is not None else part.mean(0, keepdim=True, dtype=torch.float32)


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
        pickles = sorted(path.name for end in _PICKLES for path in folder.glob(end))
        hint = ""
        if pickles:
            hint = f"; {', '.join(pickles)} may run code and is not read: docs/prms.md converts it"
        raise DataError(f"{folder} has no head {name!r}; {nearest(name, known)}{hint}")
    made: Layers = [(weight, bias) for weight, bias in layers if weight is not None]
    widths = [tuple(weight.shape) for weight, _ in made]
    if any(a[0] != b[1] for a, b in pairwise(widths)):
        raise DataError(f"{folder}: the layers of {name!r} do not fit: {widths}")
    return made
