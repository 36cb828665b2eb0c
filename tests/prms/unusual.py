"""Readings of families that one pass with one head does not cover, from their descriptions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, pre_tokenizers

from tests.prms.families import (
    CHATML,
    HEADERS,
    LLAMA,
    MARKS,
    PROBLEM,
    QWEN,
    Floats,
    at,
    bytes_level,
    chatty,
    hidden,
    ids_of,
    linear,
    logits,
    save,
    sigmoid,
    tensor,
    two_way,
)

SYSTEM = "You are a helpful assistant."
MERGED = [*MARKS, ".\n\n"]
"""Qwen's tokenizer makes one token of a full stop and a blank line."""
BETA = 0.05


def chat(system: str, user: str, answer: str = "") -> str:
    return (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
        f"<|im_start|>assistant\n{answer}"
    )


# --- outcome models -------------------------------------------------------------------------------


def qwen_rm(folder: Path, steps: tuple[str, ...]) -> Floats:
    system = "Please reason step by step, and put your final answer within \\boxed{}."
    ids = ids_of(folder, chat(system, PROBLEM, "".join(steps) + "<|im_end|>\n"))
    inner = hidden(folder, ids)[-1] @ tensor(folder, "score.0.weight").T
    inner = np.maximum(inner + tensor(folder, "score.0.bias"), 0)
    return inner @ tensor(folder, "score.2.weight").T + tensor(folder, "score.2.bias")


def bradley_terry(folder: Path, steps: tuple[str, ...]) -> Floats:
    """The library's own sequence classifier on the library's own rendering of the dialogue."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    turns = [
        {"role": "user", "content": PROBLEM},
        {"role": "assistant", "content": "".join(steps)},
    ]
    ids = tokenizer.apply_chat_template(turns, date_string="26 Jul 2024", return_dict=True)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.inference_mode():
        return model(torch.tensor([ids.input_ids])).logits[0].double().numpy()


def reasonflux_small(folder: Path, steps: tuple[str, ...]) -> Floats:
    ids = ids_of(folder, PROBLEM + "".join(steps))
    head = load_file(folder / "reward_head.safetensors")
    weight, bias = (head[f"reward_head.{kind}"].double().numpy() for kind in ("weight", "bias"))
    return sigmoid(hidden(folder, ids)[-1] @ weight.T + bias)


# --- one input per step ---------------------------------------------------------------------------


def universal(folder: Path, steps: tuple[str, ...]) -> Floats:
    """A forward pass for every prefix; the score of the whole input."""
    user = f"{PROBLEM}\n\n###\n\nThe reference answer is: "
    user += "There is no reference answer for this question."
    found = []
    for k in range(1, len(steps) + 1):
        ids = ids_of(folder, chat(SYSTEM, user)) + ids_of(folder, "\n\n".join(steps[:k]) + "\n\n")
        ids += ids_of(folder, "<|im_end|>")
        value = hidden(folder, ids)[-1] @ tensor(folder, "score.weight")[0]
        found.append(sigmoid(value + tensor(folder, "score.bias")[0]))
    return np.array(found)


def alphamath(folder: Path, steps: tuple[str, ...]) -> Floats:
    """A prompt for every partial solution; the value of its last token, a line break.

    Words are cut as the file says, not as the library takes it from the label.
    """
    words = Tokenizer.from_file(str(folder / "tokenizer.json"))
    head = load_file(folder / "value_head.safetensors")
    weight, bias = (head[f"v_head.summary.{kind}"].double().numpy() for kind in ("weight", "bias"))
    text, found = f"<question> {PROBLEM} </question>\n", []
    for step in steps:
        text += f"<step>\n<p>\n{step}\n</p>\n</step>\n"
        ids = [words.token_to_id("<|bos|>"), *words.encode(text, add_special_tokens=False).ids]
        assert words.id_to_token(ids[-1]) == "Ċ" and words.decode(ids[1:]) == text
        found.append(np.tanh(weight[0] @ hidden(folder, ids)[-1] + bias[0]))
    return np.array(found)


# --- two models -----------------------------------------------------------------------------------


def log_ratios(folder: Path, ids: list[int]) -> Floats:
    """log π/π_ref of every token but the first, from the logits of the whole vocabulary."""
    found = []
    for model in (folder, folder / "reference"):
        rows = torch.from_numpy(logits(model, ids)[:-1]).log_softmax(-1)
        found.append(rows.gather(1, torch.tensor(ids[1:])[:, None])[:, 0].numpy())
    return found[0] - found[1]


def implicit(folder: Path, steps: tuple[str, ...], end: str = "\n\n") -> Floats:
    """The family's boundaries, found by encoding every prefix again.

    What ends a turn is cut off, a blank line put in its place, and the last but one of those tokens
    is where the log-probability of the last stands.
    """
    texts = [f"Step {k}: {step}" for k, step in enumerate(steps, 1)]
    ids = ids_of(folder, chat(SYSTEM, PROBLEM, "\n\n".join(texts) + end))
    before = len(ids_of(folder, chat(SYSTEM, PROBLEM))) - 1
    boundaries = [
        len(ids_of(folder, chat(SYSTEM, PROBLEM, "\n\n".join(texts[:k]) + "\n\n"))) - 2
        for k in range(1, len(steps))
    ]
    sums = np.cumsum(log_ratios(folder, ids)[before:])
    return BETA * sums[[*(place - before for place in boundaries), len(sums) - 1]]


# --- words by number ------------------------------------------------------------------------------


def numbered(words: bool = False) -> Callable[[Path, tuple[str, ...]], Floats]:
    def read(folder: Path, steps: tuple[str, ...]) -> Floats:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        ids = ids_of(folder, PROBLEM + "".join(f"{one} ки " for one in steps))
        ids = ids if tokenizer.bos_token_id is None else [tokenizer.bos_token_id, *ids]
        (tag,) = ids_of(folder, "ки" if words else " ки")
        good, bad = (ids_of(folder, sign if words else f" {sign}")[0] for sign in "+-")
        return two_way(logits(folder, ids)[at(ids, tag)], good, bad)

    return read


# --- models ---------------------------------------------------------------------------------------


def chatml(words: list[str] = MARKS) -> Any:
    tokenizer = chatty(CHATML, bytes_level(QWEN, words))
    tokenizer.eos_token = "<|im_end|>"
    return tokenizer


def outcome(folder: Path) -> Path:
    head = {**linear("score.0", 32), **linear("score.2", 1)}
    return save(folder, chatml(), head=head)


def pairs(folder: Path) -> Path:
    tokenizer = chatty(HEADERS, bytes_level(LLAMA, MARKS, bos="<|bos|>"))
    kind = transformers.AutoModelForSequenceClassification
    return save(folder, tokenizer, "Llama", kind=kind, labels=1)


def head_aside(folder: Path) -> Path:
    save(folder, bytes_level(QWEN, MARKS), causal=True)
    save_file(linear("reward_head", 1), folder / "reward_head.safetensors")
    return folder


def deepseek(folder: Path) -> Path:
    """A line break is a token of its own; words by bytes, labelled as Llama's; the head aside."""
    tokenizer = bytes_level(LLAMA, [*MARKS, ">\n"], bos="<|bos|>")
    core = tokenizer.backend_tokenizer
    breaks = pre_tokenizers.Split(Regex(r"[\r\n]"), "isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([breaks, core.pre_tokenizer])
    save(folder, tokenizer, "Llama", causal=True)
    save_file(linear("v_head.summary", 1), folder / "value_head.safetensors")
    path = folder / "tokenizer_config.json"
    label = {"tokenizer_class": "LlamaTokenizerFast"}
    path.write_text(json.dumps(json.loads(path.read_text()) | label))
    return folder


def scalar(folder: Path) -> Path:
    return save(folder, chatml(MERGED), head=linear("score", 1))


def two_models(folder: Path, words: list[str] = MERGED, **settings: Any) -> Path:
    save(folder / "reference", chatml(words), causal=True, seed=1, **settings)
    return save(folder, chatml(words), causal=True, **settings)
