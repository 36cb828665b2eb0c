"""Keys and values of a batch that grows by one column per token and loses rows as they finish.

Two costs of the library's own cache and attention matter when a small model writes hundreds of
drafts at once. Its cache is copied whole for every token; here columns are written in place in
buffers that grow by blocks. And for grouped-query attention it copies each key head once per query
head in the group; here the query heads of a group become rows of one small matrix product.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface, Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward

BLOCK = 64
"""Columns added at once."""

ATTENTION = "prm_harness_grouped"
"""The name under which transformers knows `grouped_attention`."""


class GrowingLayer(DynamicLayer):  # type: ignore[misc]  # the library has no types
    """Keys and values of one layer: (rows, key heads, columns, width), columns written in place."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.length = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append columns; return views of all columns so far."""
        end = self.length + key_states.shape[2]
        if not self.is_initialized:
            self.dtype, self.device = key_states.dtype, key_states.device
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
            self.is_initialized = True
        if end > self.keys.shape[2]:
            # A quarter more, and at least a block, keeps copying below one copy per token read.
            room = max(end + BLOCK, end * 5 // 4)
            self.keys = _grown(self.keys, room, self.length)
            self.values = _grown(self.values, room, self.length)
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        """Columns written."""
        return self.length

    def take(self, rows: torch.Tensor) -> None:
        """Go on with these rows; a row may be taken several times."""
        self.keys = _taken(self.keys, rows, self.length)
        self.values = _taken(self.values, rows, self.length)


class GrowingCache(Cache):  # type: ignore[misc]  # the library has no types
    """One `GrowingLayer` per layer of the model."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=GrowingLayer)

    def take(self, rows: torch.Tensor) -> None:
        """Go on with these rows in every layer."""
        for layer in self.layers:
            layer.take(rows)


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as the library calls it; one query per row is done without copying key heads.

    Shapes: query (rows, heads, queries, width), key and value (rows, key heads, columns, width),
    mask (rows or 1, 1, queries, columns) to be added, or None.
    """
    rows, heads, queries, width = query.shape
    key_heads = key.shape[1]
    if queries > 1 or heads == key_heads:
        done: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **settings
        )
        return done
    grouped = query.reshape(rows, key_heads, heads // key_heads, width)
    out = torch.nn.functional.scaled_dot_product_attention(
        grouped, key, value, attn_mask=attention_mask, scale=scaling
    )
    return out.reshape(rows, 1, heads, value.shape[3]), None


AttentionInterface.register(ATTENTION, grouped_attention)


def _grown(old: torch.Tensor, columns: int, length: int) -> torch.Tensor:
    new = old.new_empty(old.shape[0], old.shape[1], columns, old.shape[3])
    new[:, :, :length] = old[:, :, :length]
    return new


def _taken(old: torch.Tensor, rows: torch.Tensor, length: int) -> torch.Tensor:
    """Return chosen rows with the room that `old` had; only written columns are copied."""
    new = old.new_empty(len(rows), *old.shape[1:])
    new[:, :, :length] = old[:, :, :length].index_select(0, rows)
    return new
