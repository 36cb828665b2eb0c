"""Choosing the next token of every row from its logits."""

from __future__ import annotations

import torch

_CELLS = 2**22
"""Probabilities held in float64 at once: 32 MiB, whatever the vocabulary."""


def choose(
    logits: torch.Tensor, temperature: float, top_p: float, uniforms: torch.Tensor
) -> torch.Tensor:
    """Return one token per row.

    The token is where the cumulative distribution, summed in float64 over the vocabulary in order,
    first exceeds the row's uniform number. ``top_p`` below 1 keeps the smallest set of most
    probable tokens whose probabilities sum to at least ``top_p`` (ties: the lower token first).

    Args:
        logits: (rows, vocabulary).
        temperature: 0 takes the most probable token (ties: the lowest) and uses nothing else.
        top_p: In (0, 1].
        uniforms: (rows,) float64 in [0, 1).

    Returns:
        (rows,) int64.
    """
    if temperature == 0:
        return logits.argmax(-1)
    rows = max(1, _CELLS // logits.shape[1])
    parts = [
        _invert(logits[i : i + rows], temperature, top_p, uniforms[i : i + rows])
        for i in range(0, len(logits), rows)
    ]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Return the model's own log-probability of each token: (rows,) float32.

    That of the model as it is: before temperature and top_p.
    """
    return logits.float().log_softmax(-1).gather(1, tokens[:, None])[:, 0]


def most_probable(logits: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the most probable tokens of one row and their log-probabilities: (size,) each.

    The most probable first (ties: the lower token); fewer only if the vocabulary is smaller.
    """
    order = logits.sort(descending=True, stable=True).indices[:size]
    return order, logits.float().log_softmax(-1)[order]


def _invert(
    logits: torch.Tensor, temperature: float, top_p: float, uniforms: torch.Tensor
) -> torch.Tensor:
    probabilities = (logits.float() / temperature).softmax(-1).double()
    if top_p == 1.0:
        return _search(probabilities.cumsum(-1), uniforms)
    sorted_, order = probabilities.sort(dim=-1, descending=True, stable=True)
    cumulative = sorted_.cumsum(-1)
    # A token stays if those before it do not reach top_p; the first always stays.
    outside = (cumulative - sorted_) >= top_p
    outside[:, 0] = False
    inside = sorted_.masked_fill(outside, 0.0).cumsum(-1)
    return order.gather(1, _search(inside, uniforms)[:, None])[:, 0]


def _search(cumulative: torch.Tensor, uniforms: torch.Tensor) -> torch.Tensor:
    """Return the first index where each row of sums exceeds its share of the total."""
    total = cumulative[:, -1:]
    # Rounding must not push the target up to the total: the index found would have probability 0.
    below = torch.nextafter(total, torch.zeros_like(total))
    target = torch.minimum(uniforms[:, None] * total, below)
    found: torch.Tensor = torch.searchsorted(cumulative, target, right=True)
    return found[:, 0]
