"""What a forward pass costs, in floating-point operations, from a model's shape alone.

A multiplication and an addition count as two operations. A token at position ``i`` (from 1) costs

    2 · N  +  4 · L · d · i

with ``N`` the parameters of the matrices that it goes through (embeddings are looked up, not
multiplied; of a mixture of experts only the active ones), ``L`` the layers and ``d`` the attention
width: two operations per number for QKᵀ and two for the weighted sum of values, over ``i``
positions. Norms, activations and softmax are left out (below 1 % at any size in use). Sources:
Kaplan et al. 2020 (arXiv:2001.08361) §2.1, whose ``2 · L · n_ctx · d`` counts QKᵀ alone.

The output head (language-model or value head) is counted where its numbers are used: at every
decoded token, at every scored step. Kaplan's ``N`` leaves it out; `matrices` is that ``N``.

A cache of keys and values saves recomputing, not operations: decoding costs the same per token.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Architecture:
    """The numbers of a transformer that decide what a token costs."""

    matrices: int
    """Parameters of all matrices but embeddings and the output head."""
    active: int
    """Those of them that one token goes through; fewer than `matrices` with experts."""
    head: int
    """Parameters of the output head: vocabulary (or labels) times width."""
    layers: int
    attention_width: int
    """Query heads times head dimension, in one layer."""
    models: int = 1
    """Models that read the same input, whose figures are added up here; so are their tokens."""

    def beside(self, other: Architecture) -> Architecture:
        """Return what two models cost that read the same tokens."""
        return Architecture(
            matrices=self.matrices + other.matrices,
            active=self.active + other.active,
            head=self.head + other.head,
            layers=1,  # only its product with the width counts
            attention_width=self.layers * self.attention_width
            + other.layers * other.attention_width,
            models=self.models + other.models,
        )

    def prefill(self, tokens: int, *, cached: int = 0, outputs: int = 1) -> int:
        """Operations to read `tokens` tokens after `cached` others, using `outputs` head values.

        Tokens are those of all models together, outputs those of each.
        """
        tokens, cached = tokens // self.models, cached // self.models
        return (
            2 * self.active * tokens
            + 4 * self.layers * self.attention_width * _positions(cached, tokens)
            + 2 * self.head * outputs
        )

    def decode(self, prompt: int, tokens: int) -> int:
        """Operations to write `tokens` tokens after `prompt` tokens that were read before.

        Every token written counts as one pass; the very last is never read again, which makes this
        high by one token per draft.
        """
        return self.prefill(tokens, cached=prompt, outputs=tokens)


def _positions(start: int, tokens: int) -> int:
    """Return the sum of the positions ``start + 1 … start + tokens``."""
    return tokens * start + tokens * (tokens + 1) // 2
