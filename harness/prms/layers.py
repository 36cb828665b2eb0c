"""The layers of a head read from a checkpoint's files, for engines that run the transformer alone.

`harness.prms.heads` loads a model and its head together; here no weight of the model is touched,
but for the rows of a language model's output that a recipe reads.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import torch
import transformers

from harness.adapters.checkpoint import Checkpoint
from harness.errors import ConfigError, DataError
from harness.prms.heads import Layers, named_layers, through
from harness.prms.numbers import NUMBERS, RATIOS
from harness.prms.recipe import Recipe
from harness.prms.render import token

_CLASSIFIERS = ("score", "classifier")
"""What transformers calls the layer of a token classifier."""

_ROWS = 4096
"""Rows of a vocabulary that are read at a time."""


def of_files(recipe: Recipe, found: Checkpoint, config: Any, tokenizer: Any) -> Layers:
    """Return the layers of a recipe's head.

    Raises:
        ConfigError: a language model whose logits are no product of its rows, layers of another
            width.
        DataError: no such tensors.
    """
    if recipe.weights == "lm":
        return _of_vocabulary(recipe, found, config, tokenizer)
    name = _classifier(found) if recipe.weights == "classifier" else recipe.weights
    layers = named_layers(found.folder, name)
    width, numbers = layers[0][0].shape[1], layers[-1][0].shape[0]
    wanted = int(config.get_text_config().hidden_size), NUMBERS[recipe.head]
    if (width, numbers) != wanted:
        raise ConfigError(
            f"PRM {found.name}: head {name!r} goes from {width} to {numbers} numbers; the model "
            f"and head={recipe.head} need {wanted[0]} to {wanted[1]}"
        )
    return layers


def _classifier(found: Checkpoint) -> str:
    """Return the name of a token classifier's layer.

    Raises:
        DataError: the checkpoint is none.
    """
    names = {key.removesuffix(".weight") for key in _tensors(found)}
    for name in _CLASSIFIERS:
        if name in names:
            return name
    raise DataError(
        f"{found.name} is no token classifier: it has neither of the tensors "
        f"{' and '.join(f'{name}.weight' for name in _CLASSIFIERS)}"
    )


def _of_vocabulary(recipe: Recipe, found: Checkpoint, config: Any, tokenizer: Any) -> Layers:
    """Return the rows of a language model's output that are read, or the mean of all; where
    likelihoods are read all, as they are stored."""
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    names = {id(p): name for name, p in model.named_parameters()}
    # A tied output is stored once, under the first of its names: the embedding's.
    tied = bool(getattr(config.get_text_config(), "tie_word_embeddings", False))
    of = model.get_input_embeddings() if tied else model.get_output_embeddings()
    rows: list[int] | slice | None = None
    if recipe.head == "pair":
        rows = [token(tokenizer, recipe.good, "good"), token(tokenizer, recipe.bad, "bad")]
    elif recipe.head in RATIOS:
        rows = slice(None)
    weight = _read(found, names[id(of.weight)], rows)
    bias = getattr(model.get_output_embeddings(), "bias", None)
    layer = weight, None if bias is None else _read(found, names[id(bias)], rows)
    _check_product(recipe, found, config)
    return [layer]


def _tensors(found: Checkpoint) -> dict[str, Any]:
    """Return the file of each tensor."""
    from safetensors import safe_open

    files = {}
    for path in sorted(found.folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            files.update(dict.fromkeys(file.keys(), path))
    return files


def _read(found: Checkpoint, name: str, rows: list[int] | slice | None) -> torch.Tensor:
    """Return float32 rows of a tensor, or their mean (1, …), without a copy of all; a slice of it
    as it is stored.

    Raises:
        DataError: it is not there, or quantized.
    """
    from safetensors import safe_open

    # A model without a head is saved with names that lack the first part.
    files = _tensors(found)
    key = next((k for k in (name, re.sub(r"^\w+\.", "", name)) if k in files), None)
    if key is None:
        raise DataError(
            f"{found.folder} has no tensor {name!r}, which heads of language models read"
        )
    with safe_open(files[key], framework="pt") as file:
        stored = file.get_slice(key)
        count = stored.get_shape()[0]
        if stored[0:1].dtype not in (torch.float32, torch.bfloat16, torch.float16):
            raise DataError(f"{found.folder}: {key!r} is quantized; use a checkpoint that is not")
        if isinstance(rows, slice):
            whole: torch.Tensor = stored[rows]
            return whole
        if rows is not None:
            return torch.cat([stored[row : row + 1] for row in rows]).float()
        sums = [stored[at : at + _ROWS].double().sum(0) for at in range(0, count, _ROWS)]
        mean: torch.Tensor = torch.stack(sums).sum(0, keepdim=True) / count
        return mean.float()


def _check_product(recipe: Recipe, found: Checkpoint, config: Any) -> None:
    """Refuse a kind of language model that does more with its rows than a product.

    Tried on a random model of the same kind with one layer and a few words.

    Raises:
        ConfigError: it does, or that could not be tried.
    """
    small = copy.deepcopy(config)
    text = small.get_text_config()
    text.vocab_size, text.num_hidden_layers = 64, 1
    if getattr(text, "intermediate_size", None):
        text.intermediate_size = 64
    for key in ("pad_token_id", "bos_token_id", "eos_token_id"):
        setattr(text, key, None)
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[:1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            model = transformers.AutoModelForCausalLM.from_config(small, dtype=torch.float32).eval()
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            why = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"PRM {found.name}: cannot tell whether {config.model_type} does more than "
                f"multiply to get its logits ({why}); use transformers:"
            ) from error
    output = model.get_output_embeddings()
    output.weight.data.mul_(100)  # so large that caps would show
    ids = torch.arange(7, 11)[None]
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits
        hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        ours = through([(output.weight, getattr(output, "bias", None))], hidden)
    if (ours - logits).abs().max() > 1e-3 * (1 + logits.abs().max()):
        raise ConfigError(
            f"PRM {found.name}: {type(model).__name__} does more than multiply to get its logits; "
            f"head={recipe.head} cannot read it"
        )
