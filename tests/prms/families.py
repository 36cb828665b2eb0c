"""Tokenizers and tiny random models of the published families of PRMs.

The vocabularies are small, but hold what the recipes name, as the families' own do: special tokens
that are added, words that are ordinary tokens, a text that is encoded by merges.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

CHATML = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADERS = (
    "{{ bos_token }}{% if date_string is not defined %}{% set date_string = strftime_now('%d') %}"
    "{% endif %}<|start_header_id|>system<|end_header_id|>\n\nToday Date: {{ date_string }}\n\n"
    "<|eot_id|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
    "{{ m.content | trim }}<|eot_id|>{% endfor %}"
)


def bytes_level(added: list[str], words: list[str], bos: str | None = None) -> Any:
    """A byte-level tokenizer, as Qwen's and Llama 3's: `words` are single tokens by merges."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: i for i, character in enumerate(alphabet)}
    merges: list[tuple[str, str]] = []
    shape = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    for word in words:
        ((text, _),) = shape.pre_tokenize_str(word)
        for end in range(2, len(text) + 1):
            if text[:end] not in vocabulary:
                vocabulary[text[:end]] = len(vocabulary)
                merges.append((text[: end - 1], text[end - 1]))
    core = Tokenizer(models.BPE(vocabulary, merges))
    split = Regex(r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(split, "isolated"), shape])
    core.decoder = decoders.ByteLevel()
    return _finished(core, added, bos)


def words_level(added: list[str], words: list[str]) -> Any:
    """A tokenizer as Llama 2's and Mistral's: spaces are part of words, unknown text is bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), "▁"]
    letters = [chr(i) for i in range(33, 127)] + ["к", "и"]
    vocabulary = {piece: i for i, piece in enumerate([*pieces, *letters])}
    merges = []
    for word in words:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                vocabulary[word[:end]] = len(vocabulary)
                merges.append((word[: end - 1], word[end - 1]))
    core = Tokenizer(
        models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    core.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    return _finished(core, ["<s>", "</s>", *added], "<s>", unk_token="<unk>", eos_token="</s>")


def _finished(core: Any, added: list[str], bos: str | None, **names: str) -> Any:
    core.add_special_tokens([AddedToken(text, special=True) for text in added])
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token=bos, **names)


def save(
    folder: Path,
    tokenizer: Any,
    family: str = "Qwen2",
    head: dict[str, torch.Tensor] | None = None,
    causal: bool = False,
    labels: int = 1,
    kind: Any = None,
    seed: int = 0,
    **settings: Any,
) -> Path:
    """Save a tiny random language model, token classifier, or model with a head's tensors."""
    torch.manual_seed(seed)
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 16384,
        "num_labels": labels,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "sliding_window": None,
    }
    config = getattr(transformers, f"{family}Config")(**{**shape, **settings})
    if kind is None:
        kind = transformers.AutoModelForTokenClassification
        kind = transformers.AutoModelForCausalLM if causal or head else kind
    model = kind.from_config(config)
    for parameter in model.parameters():  # scores far from one half
        parameter.data.mul_(4 if parameter.ndim > 1 else 1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if head:
        path = folder / "model.safetensors"
        save_file({**load_file(path), **head}, path, metadata={"format": "pt"})
    return folder


WIDTH = 32


def linear(name: str, out: int, inner: int = WIDTH, bias: bool = True) -> dict[str, torch.Tensor]:
    """Random tensors of a linear layer."""
    made = {f"{name}.weight": torch.randn(out, inner) / 2}
    return made | ({f"{name}.bias": torch.randn(out)} if bias else {})


# --- what readings have in common ---------------------------------------------------------------

PROBLEM = "What is 12 + 30 - 2?"
STEPS = ("First, 12 + 30 = 42.", "Then 42 - 2 = 40, a – b.", "So the answer is \\boxed{40}.")
LONGER = ("We add:\n12 + 30 is 43.", *STEPS[1:], "Check it again.")

Floats = Any
QWEN = ["<|im_start|>", "<|im_end|>", "<extra_0>"]
LLAMA = ["<|bos|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
MARKS = [" \n\n\n\n\n", " +", " -", " ки", "+", "-", "\n\n", " Rating"]


def chatty(template: str, tokenizer: Any) -> Any:
    tokenizer.chat_template = template
    return tokenizer


def ids_of(folder: Path, text: str, bos: bool = False) -> list[int]:
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
    return [tokenizer.bos_token_id, *ids] if bos else ids


def logits(folder: Path, ids: list[int]) -> Floats:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].double().numpy()


def hidden(folder: Path, ids: list[int]) -> Floats:
    model = transformers.AutoModel.from_pretrained(folder)
    with torch.inference_mode():
        return model(torch.tensor([ids])).last_hidden_state[0].double().numpy()


def tensor(folder: Path, name: str) -> Floats:
    return load_file(folder / "model.safetensors")[name].double().numpy()


def sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))


def two_way(rows: Floats, good: int, bad: int) -> Floats:
    return np.exp(rows[:, good]) / (np.exp(rows[:, good]) + np.exp(rows[:, bad]))


def at(ids: list[int], tag: int) -> list[int]:
    return [i for i, one in enumerate(ids) if one == tag]
