"""Keys and values of many sequences of different lengths, which come and go row by row.

Every row begins in column 0 and writes its next token where it ends, so a column is a position and
a mask needs nothing but lengths. A row that leaves makes a hole that the next one fills; the table
is as wide as its longest row at the moment.

Two costs of the library's own cache and attention matter when a small model writes hundreds of
drafts at once. Its cache is copied whole for every token; here columns are written in place. And
for grouped-query attention it copies each key head once per query head in the group; here the query
heads of a group become rows of one small matrix product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AttentionInterface, Cache, DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from harness.adapters.kernels import attention_kernels

BLOCK = 64
"""Columns added at once."""

ATTENTION = "prm_harness_grouped"
"""The name under which transformers knows `grouped_attention`."""

Ints = NDArray[np.int64]


class _Room:
    """The size of a table and where its next tokens go: shared by its layers."""

    rows = 0
    """Rows in use."""
    width = 0
    """Columns in use, with those that are being written."""
    past = 0
    """Columns before those, where all rows are alike; elsewhere a mask says more."""
    capacity = (0, 0)
    """Rows and columns that there is room for."""
    at: tuple[torch.Tensor, torch.Tensor]
    """Row and column of the next tokens: (rows, 1) and (rows, new columns)."""


class TableLayer(DynamicLayer):  # type: ignore[misc]  # the library has no types
    """Keys and values of one layer, each (rows, columns, key heads, width)."""

    def __init__(self, room: _Room) -> None:
        super().__init__()
        self._room = room

    def make(self, key: torch.Tensor, value: torch.Tensor) -> None:
        """Make room for keys and values like these: (…, key heads, width)."""
        self.dtype, self.device = key.dtype, key.device
        # Zeros, because padding is multiplied (by 0), and what memory held before may be NaN.
        self.keys = key.new_zeros(*self._room.capacity, *key.shape[-2:])
        self.values = value.new_zeros(*self._room.capacity, *value.shape[-2:])
        self.is_initialized = True

    def grow(self) -> None:
        """Make more room for what is there."""
        self.keys, self.values = (_grown(t, self._room.capacity) for t in (self.keys, self.values))

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (rows, key heads, new columns, width); return views of all columns in use."""
        new_keys, new_values = key_states.transpose(1, 2), value_states.transpose(1, 2)
        if not self.is_initialized:
            self.make(new_keys, new_values)
        room = self._room
        self.keys.index_put_(room.at, new_keys)
        self.values.index_put_(room.at, new_values)
        keys = self.keys[: room.rows, : room.width].transpose(1, 2)
        return keys, self.values[: room.rows, : room.width].transpose(1, 2)

    def get_seq_length(self) -> int:
        """Columns that were there before this pass."""
        return self._room.past


class Table:
    """Sequences in all layers of a model, and how the model sees them."""

    def __init__(self, model: Any, windows: Mapping[str, int | None]) -> None:
        """An empty table.

        Args:
            model: A causal model.
            windows: Layer type -> how far back such layers look (None: to the start); the only
                key is "" where all layers are alike.
        """
        self.lengths: Ints = np.empty(0, np.int64)
        """Tokens of each row."""
        self._model, self._windows = model, windows
        self._hidden = torch.finfo(model.dtype).min
        self._room = _Room()
        self._cache = Cache(layer_class_to_replicate=partial(TableLayer, self._room))

    def layers(self) -> list[torch.Tensor]:
        """Return keys and values of each layer in turn, one row per place: see `flat`."""
        found = [t for layer in self._cache.layers for t in (layer.keys, layer.values)]
        return [t.view(-1, *t.shape[2:]) for t in found]

    def flat(self, row: int, start: int, end: int) -> Ints:
        """Return the numbers of a row's places from column `start` to before `end`."""
        first = row * self._room.capacity[1]
        return np.arange(first + start, first + end)

    def put(self, rows: Ints, lengths: Sequence[int], like: Sequence[torch.Tensor]) -> None:
        """Make room for sequences in these rows, old or next to the last; the caller fills them.

        Args:
            rows: Different rows.
            lengths: Tokens of each.
            like: Tensors of the shape and kind of `layers`, of any number of places.
        """
        more = int(rows.max()) + 1 - len(self.lengths)
        self.lengths = np.pad(self.lengths, (0, max(0, more)))
        self.lengths[rows] = lengths
        self._reserve(int(self.lengths.max()))
        while len(self._cache.layers) < len(like) // 2:
            at = 2 * len(self._cache.layers)
            self._cache.layers.append(TableLayer(self._room))
            self._cache.layers[-1].make(like[at], like[at + 1])

    def move(self, sources: Ints, targets: Ints, rows: int) -> None:
        """Copy rows to the places of others, and go on with the first `rows`."""
        self.lengths[targets] = self.lengths[sources]
        self.lengths = self.lengths[:rows]
        device = self._model.device
        of, to = torch.from_numpy(sources).to(device), torch.from_numpy(targets).to(device)
        width = int(self.lengths.max(initial=0))
        for layer in self._cache.layers:
            for buffer in (layer.keys[:, :width], layer.values[:, :width]):
                buffer[to] = buffer[of]

    def feed(self, ids: Ints, sizes: Ints | None = None, **settings: Any) -> torch.Tensor:
        """Read more tokens in every row.

        Args:
            ids: (rows, columns) tokens; rows with fewer are padded on the left.
            sizes: (rows,) tokens of each row, at least 1; None: no padding.
            settings: For the model.

        Returns:
            The model's logits: (rows, columns or as many as it was told to keep, numbers).
        """
        rows, new = ids.shape
        begin = self.lengths if len(self.lengths) else np.zeros(rows, np.int64)
        padding = new - (np.full(rows, new) if sizes is None else sizes)
        self.lengths = begin + new - padding
        # A padded token goes beyond its row's end, where it is not seen and soon overwritten.
        self._reserve(int(begin.max()) + new)
        steps = np.arange(new) - padding[:, None]
        columns = np.where(steps >= 0, begin[:, None] + steps, self.lengths[:, None] - 1 - steps)
        places = np.where(steps >= 0, columns, 0)
        device = self._model.device
        self._room.rows, self._room.width = rows, int(self.lengths.max())
        self._room.past = int(begin.max())
        line = torch.arange(rows, device=device)[:, None]
        self._room.at = (line, torch.from_numpy(columns).to(device))
        seen = torch.from_numpy(places).to(device)
        even = bool((self.lengths == self._room.width).all())
        masks = {name: self._view(seen, even, far) for name, far in self._windows.items()}
        with attention_kernels(self._model):
            reply = self._model(
                input_ids=torch.from_numpy(ids).to(device),
                attention_mask=masks.get("", masks),
                position_ids=seen,
                past_key_values=self._cache,
                use_cache=True,
                **settings,
            )
        logits: torch.Tensor = reply.logits
        return logits

    def _view(self, places: torch.Tensor, even: bool, window: int | None) -> torch.Tensor | None:
        """Return what tokens at these places may see, to be added to attention scores; None: all.

        Shape (rows, 1, new columns, columns). Padding sees column 0, so that no row of a softmax
        is empty; nobody reads what comes of it.
        """
        new, width = places.shape[1], self._room.width
        if window is None and even and new in (1, width):
            return None
        columns = torch.arange(width, device=places.device)
        seen = columns <= places[:, :, None]
        if window is not None:
            seen &= places[:, :, None] - columns < window
        zero = torch.zeros((), device=places.device, dtype=self._model.dtype)
        return torch.where(seen, zero, self._hidden)[:, None]

    def _reserve(self, columns: int) -> None:
        """Make room for all rows, with so many columns."""
        rows, width = self._room.capacity
        if len(self.lengths) <= rows and columns <= width:
            return
        if len(self.lengths) > rows:
            rows = max(len(self.lengths), rows * 5 // 4)
        if columns > width:
            # A quarter more, and at least a block, keeps copying below one copy per token read.
            width = max(columns + BLOCK, columns * 5 // 4)
        self._room.capacity = (rows, width)
        for layer in self._cache.layers:
            layer.grow()


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
    if key_heads == 1 and query.device.type == "cpu" and query.dtype == torch.float32:
        # Two small matrix products for each row spread better over processors than the kernel for
        # long sequences: a tenth more tokens per second of the embedded policy at 512 rows.
        scale = width**-0.5 if scaling is None else scaling
        bias = query.new_zeros(()) if attention_mask is None else attention_mask[:, 0]
        scores = torch.baddbmm(bias, grouped[:, 0], key[:, 0].transpose(1, 2), alpha=scale)
        out = torch.bmm(scores.softmax(-1), value[:, 0])
        return out.reshape(rows, 1, heads, value.shape[3]), None
    out = torch.nn.functional.scaled_dot_product_attention(
        grouped, key, value, attn_mask=attention_mask, scale=scaling
    )
    return out.reshape(rows, 1, heads, value.shape[3]), None


def _grown(old: torch.Tensor, capacity: tuple[int, int]) -> torch.Tensor:
    rows, columns = old.shape[:2]
    new = old.new_empty(*capacity, *old.shape[2:])
    new[:rows, :columns] = old
    new[rows:].zero_()
    new[:rows, columns:].zero_()
    return new


AttentionInterface.register(ATTENTION, grouped_attention)
