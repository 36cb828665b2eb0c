"""Batched sampling from a small model, for training data and quick checks.

The harness has its own policies; this one only feeds the training script. Rows that have ended are
dropped from the cache when half of them have, and the random numbers depend on the seed and the
order of the prompts alone.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

_ROWS = 512


@torch.inference_mode()
def sample(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    seed: int,
    temperature: float = 1.0,
    limit: int = 200,
) -> list[list[int]]:
    """One continuation per prompt, without its end token; temperature 0 is greedy.

    A continuation that has not ended after `limit` tokens stops there.
    """
    generator = torch.Generator().manual_seed(seed)
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    replies: list[list[int]] = [[] for _ in prompts]
    for begin in range(0, len(order), _ROWS):
        chosen = order[begin : begin + _ROWS]
        texts = _sample_batch(
            model, [prompts[index] for index in chosen], generator, temperature, limit
        )
        for index, text in zip(chosen, texts, strict=True):
            replies[index] = text
    return replies


def _sample_batch(
    model: Any,
    prompts: list[Sequence[int]],
    generator: torch.Generator,
    temperature: float,
    limit: int,
) -> list[list[int]]:
    end = model.config.eos_token_id
    longest = max(map(len, prompts))
    tokens = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros(len(prompts), longest, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        tokens[row, longest - len(prompt) :] = torch.tensor(list(prompt))
        mask[row, longest - len(prompt) :] = 1
    places = (mask.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache()
    replies: list[list[int]] = [[] for _ in prompts]
    alive = torch.arange(len(prompts))
    for _ in range(limit):
        logits = _forward(model, tokens, mask, places, cache)
        drawn = _draw(logits, generator, temperature)
        for row, token in zip(alive.tolist(), drawn.tolist(), strict=True):
            if replies[row][-1:] != [end]:
                replies[row].append(token)
        going = torch.tensor([replies[row][-1] != end for row in alive.tolist()])
        if not going.any():
            break
        places = places[:, -1:] + 1
        if going.float().mean() < 0.5:
            keep = going.nonzero().squeeze(1)
            cache.batch_select_indices(keep)
            alive, drawn, mask, places = alive[keep], drawn[keep], mask[keep], places[keep]
        tokens = drawn[:, None]
        mask = torch.cat([mask, torch.ones(len(mask), 1, dtype=torch.long)], 1)
    return [reply[:-1] if reply[-1:] == [end] else reply for reply in replies]


def _forward(model: Any, tokens: Tensor, mask: Tensor, places: Tensor, cache: Any) -> Tensor:
    output = model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=places,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: Tensor = output.logits[:, -1].float()
    return logits


def _draw(logits: Tensor, generator: torch.Generator, temperature: float) -> Tensor:
    if temperature == 0:
        return logits.argmax(-1)
    noise = torch.empty_like(logits).exponential_(generator=generator)
    return (torch.softmax(logits / temperature, -1) / noise).argmax(-1)
