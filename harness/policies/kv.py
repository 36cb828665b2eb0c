"""Keys and values of a batch that grows by one column per token and loses rows as they finish.

Two costs of the library's own cache and attention matter when a small model writes hundreds of
drafts at once. Its cache is copied whole for every token; here columns are written in place in
buffers that grow by blocks. And for grouped-query attention it copies each key head once per query
head in the group; here the query heads of a group become rows of one small matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        self.is_initialized = False
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


class Table:
    """The columns of a batch in all layers, which of them are padding, and how models see that.

    Rows of different lengths are padded on the left, so that all of them write the same column at
    every step. Positions count real tokens only; a mask hides the rest.
    """

    def __init__(
        self,
        rows: int,
        device: torch.device,
        dtype: torch.dtype,
        windows: Mapping[str, int | None],
    ) -> None:
        """An empty table.

        Args:
            rows: Sequences.
            device: Of the model.
            dtype: Of the model.
            windows: Layer type -> how far back such layers look (None: to the start); the only
                key is "" where all layers are alike.
        """
        self._cache = Cache(layer_class_to_replicate=GrowingLayer)
        self._hidden = torch.finfo(dtype).min
        self._windows = windows
        self._mask = torch.zeros(rows, 0, device=device, dtype=dtype)
        self._places = torch.zeros(rows, 0, device=device, dtype=torch.long)
        self._counts = torch.zeros(rows, device=device, dtype=torch.long)
        self._padded = False

    def take(self, rows: torch.Tensor) -> None:
        """Go on with these rows; a row may be taken several times."""
        for layer in self._cache.layers:
            layer.take(rows)
        self._mask, self._places = self._mask[rows], self._places[rows]
        self._counts = self._counts[rows]

    def feed(self, model: Any, ids: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
        """Read more tokens.

        Args:
            model: A causal language model.
            ids: (rows, columns) tokens; the last column is real in every row.
            real: (rows, columns) False for padding; None: no padding.

        Returns:
            (rows, vocabulary) logits after the last column.
        """
        if real is None:
            hide = torch.zeros_like(ids, dtype=self._mask.dtype)
            places = self._counts[:, None] + torch.arange(ids.shape[1], device=ids.device)
        else:
            hide = torch.where(real, 0.0, self._hidden).to(self._mask.dtype)
            places = (self._counts[:, None] + real.cumsum(1) - 1).clamp(min=0)
            self._padded = True
        self._counts = places[:, -1] + 1
        self._mask = torch.cat([self._mask, hide], 1)
        self._places = torch.cat([self._places, places], 1)
        masks = {name: self._view(ids, window) for name, window in self._windows.items()}
        reply = model(
            input_ids=ids,
            attention_mask=masks.get("", masks),
            position_ids=places,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = reply.logits[:, -1]
        return logits

    def _view(self, ids: torch.Tensor, window: int | None) -> torch.Tensor | None:
        """Return what the newest columns may see, to be added to attention scores; None: all.

        Shape (rows, 1, newest columns, columns). A padded column sees some padding, so that no
        row of a softmax is empty; nobody reads what comes of it.
        """
        new, all_ = ids.shape[1], self._mask.shape[1]
        if window is None and new == 1:
            return self._mask[:, None, None] if self._padded else None
        if window is None and not self._padded and new == all_:
            return None
        columns = torch.arange(all_, device=ids.device)
        unseen = columns > columns[all_ - new :, None]
        if window is not None:
            ahead = self._places[:, all_ - new :, None] - self._places[:, None]
            unseen = unseen | (ahead >= window)
        hidden = torch.full_like(self._mask[:, None], self._hidden)
        return torch.where(unseen, hidden, self._mask[:, None])[:, None]


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
