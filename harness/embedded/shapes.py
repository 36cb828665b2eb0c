"""The sizes of the tiny models, and their way to disk and back.

All are Qwen2: 32 dimensions per attention head and a single key-value head, which keeps the cache
of a batch of samples small. Weights are stored in bfloat16 and used in float32.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2ForTokenClassification

from harness.embedded import tokenizer

WEIGHTS = Path(__file__).parent / "weights"
"""Where the trained models live."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Width, number of layers, width of the feed-forward part."""

    width: int
    layers: int
    inner: int


SHAPES = {
    "small": Shape(64, 2, 64),
    "medium": Shape(96, 4, 128),
    "large": Shape(128, 4, 384),
}


def config(size: str, words: int) -> Qwen2Config:
    """The configuration of one size for a vocabulary of so many tokens."""
    shape = SHAPES[size]
    return Qwen2Config(
        vocab_size=words,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        intermediate_size=shape.inner,
        num_attention_heads=shape.width // 32,
        num_key_value_heads=1,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        use_sliding_window=False,
        attention_dropout=0.0,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )


def new_policy(size: str, seed: int) -> Any:
    """An untrained language model."""
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(config(size, len(tokenizer.build())))


def new_prm(size: str, seed: int, policy: Any = None) -> Any:
    """An untrained step scorer; with a policy of its size the body starts from the policy's."""
    torch.manual_seed(seed)
    settings = config(size, len(tokenizer.build()))
    settings.num_labels = 1
    settings.classifier_dropout = 0.0
    prm = Qwen2ForTokenClassification(settings)
    if policy is not None:
        prm.model.load_state_dict(policy.model.state_dict())
    return prm


def save(model: Any, folder: Path) -> None:
    """Write a model and the tokenizer as bfloat16 files that plain transformers loads."""
    import copy

    stored = copy.deepcopy(model).to(torch.bfloat16)
    stored.save_pretrained(folder)
    tokenizer.build().save_pretrained(folder)


def parameters(model: Any) -> int:
    """The number of weights, shared ones counted once."""
    return sum(weight.numel() for weight in model.parameters())
