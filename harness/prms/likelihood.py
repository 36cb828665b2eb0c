"""How likely a language model finds each token of a text, given those before it.

The logits of a whole vocabulary are never there for more than a few thousand tokens at once, nor a
32-bit copy of more than a few thousand of its rows: the sum of their exponentials is taken piece by
piece. All of it is in 32-bit floats: a solution's log ratio is a sum of thousands of differences
between two models, each far smaller than a logit's own rounding in 16 bits.
"""

from __future__ import annotations

from typing import Any

import torch

from harness.prms.body import Body, Numbers

_ROWS = 16_384
"""Rows of the vocabulary that are multiplied at once."""
_TOKENS = 1_024
"""Tokens that they are multiplied by: 64 MB of logits."""


class Likelihood(Body):
    """A language model whose number at every token is that token's log-probability."""

    def __init__(self, base: Any, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        """Args: a model that gives ``last_hidden_state``; the output's (vocabulary, width) rows."""
        super().__init__(base)
        self._weight, self._bias = weight, bias

    def forward(
        self, input_ids: torch.Tensor, parents: torch.Tensor | None = None, **inputs: Any
    ) -> Numbers:
        """Return (rows, tokens, 1) log-probabilities; 0 for a token with none before it.

        Args:
            input_ids: (rows, tokens).
            parents: (tokens,) place of the token before each, -1 for none; None: its neighbour.
            inputs: the transformer's.
        """
        found = self.base(input_ids=input_ids, **inputs)
        hidden = found.last_hidden_state
        if parents is None:
            parents = torch.arange(-1, input_ids.shape[1] - 1, device=input_ids.device)
        numbers = torch.zeros(input_ids.shape, device=hidden.device)
        follows = parents >= 0
        before = hidden[:, parents[follows]]
        numbers[:, follows] = log_probabilities(
            self._weight, self._bias, before.flatten(0, 1), input_ids[:, follows].flatten()
        ).view(before.shape[:2])
        return Numbers(numbers[..., None], getattr(found, "past_key_values", None))


def log_probabilities(
    weight: torch.Tensor, bias: torch.Tensor | None, hidden: torch.Tensor, ids: torch.Tensor
) -> torch.Tensor:
    """Return (tokens,) log-probabilities of `ids`, each after one of the states `hidden`.

    Args:
        weight: (vocabulary, width) rows of a language model's output.
        bias: (vocabulary,), if it has one.
        hidden: (tokens, width).
        ids: (tokens,).
    """

    def rows(which: slice | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return weight[which].float(), None if bias is None else bias[which].float()

    total = torch.full(ids.shape, -torch.inf, device=hidden.device)
    own = torch.empty_like(total)
    for row in range(0, len(weight), _ROWS):
        some, offsets = rows(slice(row, row + _ROWS))
        for first in range(0, len(ids), _TOKENS):
            part = slice(first, first + _TOKENS)
            logits = torch.nn.functional.linear(hidden[part].float(), some, offsets)
            total[part] = torch.logaddexp(total[part], logits.logsumexp(-1))
    for first in range(0, len(ids), _TOKENS):
        part = slice(first, first + _TOKENS)
        some, offsets = rows(ids[part])
        logits = (hidden[part].float() * some).sum(-1)
        own[part] = logits if offsets is None else logits + offsets
    return own - total
