"""Tiny random models that plain transformers saves and loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakeModel = Callable[..., Path]


@pytest.fixture(scope="session")
def make_model(tmp_path_factory: pytest.TempPathFactory) -> MakeModel:
    """Save a two-layer causal model with random weights; settings go to its config."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    def make(family: str = "Qwen2", **settings: Any) -> Path:
        torch.manual_seed(0)
        words = letters()
        shape = {
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 256,
            "eos_token_id": 1,
            "pad_token_id": 0,
            "bos_token_id": None,
        }
        config = getattr(transformers, f"{family}Config")(**{**shape, **settings})
        model = transformers.AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():  # far from uniform, so that greedy is well defined
            parameter.data.mul_(4 if parameter.ndim > 1 else 1)
        model.get_output_embeddings().weight.data[0] = 0.0  # padding has no text: never write it
        folder = tmp_path_factory.mktemp(family.lower())
        model.save_pretrained(folder)
        words.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny(make_model: MakeModel) -> Path:
    return make_model()


def letters() -> Any:
    """A tokenizer with one token per ASCII character, so that a text tells its tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["Ċ", "Ġ", *map(chr, range(33, 127))]  # how byte-level tokenizers write \n and space
    words = {word: i for i, word in enumerate(["<pad>", "<eos>", *marks])}
    core = Tokenizer(models.BPE(words, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<pad>", "<eos>"])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="<eos>")
