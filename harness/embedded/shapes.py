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
    """What makes a size."""

    width: int
    layers: int
    """Layers of the language model; a PRM has `GROWN` more on top."""
    inner: int
    """Width of the feed-forward part."""


SHAPES = {
    "small": Shape(64, 2, 64),
    "medium": Shape(96, 3, 128),
    "large": Shape(128, 4, 384),
}


GROWN = 2
"""Layers that a PRM adds to the language model it starts from. At the top of the language model a
position knows which token should come next; the new layers compare that with the one that came.
"""


_SHARP = 7.0
"""Size of the constant queries and keys: the next best distance gets a weight of e**-6."""
_WATCHED = (
    *"0123456789-+*xy)\u010a",
    *("x = x + ", "x = x - ", "x = x * ", "x = (x + ", "x = (x - ", ") * ", " * "),
    *("> ", "< ", ">= ", "<= ", "    ", "a", "b", "="),
)
"""As many tokens as a head has dimensions; one is a line end as byte-level tokenizers spell it."""


def config(size: str, words: int, grown: int = 0) -> Qwen2Config:
    """The configuration of one size for a vocabulary of so many tokens."""
    shape = SHAPES[size]
    return Qwen2Config(
        vocab_size=words,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers + grown,
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


def new_prm(size: str, seed: int, policy: Any) -> Any:
    """An untrained step scorer: a language model of its size, and new layers that do nothing yet.

    Only the new layers learn; the language model below them stays as it is, and with it what it
    knows about the next token.
    """
    torch.manual_seed(seed)
    settings = config(size, len(tokenizer.build()), GROWN)
    settings.num_labels = 1
    settings.classifier_dropout = 0.0
    prm = Qwen2ForTokenClassification(settings)
    prm.model.load_state_dict(policy.model.state_dict(), strict=False)
    prm.model.requires_grad_(False)
    prm.model.norm.requires_grad_(True)
    for layer in prm.model.layers[SHAPES[size].layers :]:
        torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
        torch.nn.init.zeros_(layer.mlp.down_proj.weight)
        layer.requires_grad_(True)
    _look_back(prm.model.layers[SHAPES[size].layers], policy)
    return prm


@torch.no_grad()
def _look_back(layer: Any, policy: Any) -> None:
    """Let a new layer start by reading, one token back, what the language model expected next.

    The first head attends to the position before: constant queries and keys whose rotations agree
    at distance one. Its values are the language model's logits of the tokens that mistakes change.
    """
    attention, width = layer.self_attn, 32
    angles = policy.config.rope_parameters["rope_theta"] ** (-torch.arange(4) / (width // 2))
    for weight in (attention.q_proj.weight, attention.k_proj.weight):
        weight.mul_(0.3)
    attention.q_proj.bias[:4] = _SHARP
    attention.k_proj.bias[:4] = _SHARP * angles.cos()
    attention.k_proj.bias[width // 2 : width // 2 + 4] = _SHARP * angles.sin()
    numbers = tokenizer.build().convert_tokens_to_ids(list(_WATCHED))
    attention.v_proj.weight.copy_(0.2 * policy.model.embed_tokens.weight[numbers])
    layer.input_layernorm.weight.copy_(policy.model.norm.weight)
    attention.o_proj.weight[:, :width].normal_()


def save(model: Any, folder: Path) -> None:
    """Write a model and the tokenizer as bfloat16 files that plain transformers loads."""
    import copy

    stored = copy.deepcopy(model).to(torch.bfloat16)
    stored.save_pretrained(folder)
    tokenizer.build().save_pretrained(folder)


def parameters(model: Any) -> int:
    """The number of weights, shared ones counted once."""
    return sum(weight.numel() for weight in model.parameters())
