"""Forward passes of a value-head model: which inputs go together, and what is read from them.

Two ways, chosen per request by their cost in operations, and equal up to rounding:

* **packed**: the solutions of a problem as a tree of tokens (`harness.prms.packing`), which
  computes shared beginnings once; trees of several problems share a pass;
* **plain**: one row per solution, sorted by length and padded on the right. Causal attention never
  looks there, so no mask is needed and the fastest kernels apply.

When a model is opened, both are tried on a few tokens: a model that looks ahead is refused, and one
whose packed numbers differ from its plain ones is never packed.

On a CPU, a small model makes one pass per processor at a time: its matrices are too small to be
worth sharing between processors, and what a pass gives does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from harness.adapters.kernels import attention_kernels
from harness.adapters.memory import plan
from harness.cost import Architecture
from harness.errors import ConfigError
from harness.prms.likelihood import Likelihood
from harness.prms.packing import BLOCK, Pack, Tree, blocks, pack
from harness.prms.render import Encoded

Floats = NDArray[np.float64]

ATTENTION = "prm_harness_tree"
"""The name under which transformers knows `tree_attention`."""

_SMALL = 30_000_000
"""Parameters of a model that makes one pass per processor on a CPU."""


class Forward:
    """An open model.

    Raises:
        ConfigError: the model looks ahead.
    """

    def __init__(self, model: Any, tokens: int, shape: Architecture | None) -> None:
        """Args: the model, the most tokens of one pass (padding included), what a token costs."""
        self.model = model
        self._tokens = tokens
        self._shape = shape
        small = shape is not None and shape.matrices <= _SMALL and model.device.type == "cpu"
        self._passes = torch.get_num_threads() if small else 1
        self._packs = self._check()

    @torch.inference_mode()
    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the head's numbers of each input, and the tokens computed.

        Args:
            requests: Different inputs of one problem each.

        Returns:
            Per request: (steps, labels) float64 per input in order; tokens without padding.
        """
        found: list[list[Floats]] = [[np.empty((0, 0))] * len(inputs) for inputs in requests]
        computed = [0] * len(requests)
        trees, alone = self._sort(requests)
        plain = [requests[number][member] for number, member in alone]
        packs = pack(trees, self._tokens)
        batches = list(plan([len(one.ids) for one in plain], self._tokens))
        with _side_by_side(self._passes) as begin:
            packed = [(one, begin(partial(self._read_pack, one))) for one in packs]
            rows = [
                (batch, begin(partial(self._read_rows, [plain[i] for i in batch])))
                for batch in batches
            ]
            for one, reading in packed:
                values = reading()
                for (number, member), reads in zip(one.members, one.reads, strict=True):
                    found[number][member] = values[reads]
            for batch, reading_rows in rows:
                for i, values in zip(batch, reading_rows(), strict=True):
                    number, member = alone[i]
                    found[number][member] = values
        for one, _ in packed:
            for (number, _), spent in zip(one.members, one.spent, strict=True):
                computed[number] += spent
        for (number, _), one_ in zip(alone, plain, strict=True):
            computed[number] += len(one_.ids)
        return list(zip(found, computed, strict=True))

    def _sort(
        self, requests: Sequence[Sequence[Encoded]]
    ) -> tuple[list[tuple[int, Tree]], list[tuple[int, int]]]:
        """Return the trees to pack, and (request, place) of the inputs that are read alone."""
        trees: list[tuple[int, Tree]] = []
        alone: list[tuple[int, int]] = []
        for number, inputs in enumerate(requests):
            tree = Tree.of(inputs) if self._packs and len(inputs) > 1 else None
            if tree is not None and self._shape is not None and tree.pays(self._shape):
                trees.append((number, tree))
            else:
                alone.extend((number, member) for member in range(len(inputs)))
        return trees, alone

    @torch.inference_mode()
    def _read_pack(self, one: Pack) -> Floats:
        """Return the head's numbers at every token of a pack: (tokens, labels)."""
        device, dtype = self.model.device, self.model.dtype
        keys, sees = blocks(one)
        mask = torch.zeros(sees.shape, dtype=dtype)
        mask.masked_fill_(~torch.from_numpy(sees), torch.finfo(dtype).min)
        more = {}
        if isinstance(self.model, Likelihood):
            more["parents"] = torch.from_numpy(one.parents).to(device)
        with attention_kernels(self.model):
            logits = self.model(
                input_ids=torch.from_numpy(one.ids)[None].to(device),
                position_ids=torch.from_numpy(one.places)[None].to(device),
                attention_mask=mask[:, None].to(device),
                use_cache=False,
                tree_keys=torch.from_numpy(keys).to(device),
                **more,
            ).logits[0]
        values: Floats = logits.double().cpu().numpy()
        return values

    @torch.inference_mode()
    def _read_rows(self, part: Sequence[Encoded]) -> list[Floats]:
        """Return the head's numbers of one padded batch at the places read."""
        ids = np.zeros((len(part), max(len(one.ids) for one in part)), np.int64)
        for row, one in enumerate(part):
            ids[row, : len(one.ids)] = one.ids
        lengths = [len(one.reads) for one in part]
        rows = np.repeat(np.arange(len(part)), lengths)
        columns = np.concatenate([one.reads for one in part])
        logits = self._plain(torch.from_numpy(ids).to(self.model.device))
        values = logits[torch.from_numpy(rows), torch.from_numpy(columns)].double().cpu().numpy()
        return np.split(values, np.cumsum(lengths)[:-1])

    def _plain(self, ids: torch.Tensor) -> torch.Tensor:
        with attention_kernels(self.model):
            logits: torch.Tensor = self.model(input_ids=ids, use_cache=False).logits
        return logits

    @torch.inference_mode()
    def _check(self) -> bool:
        """Return whether packing works for this model; refuse one that looks ahead."""
        size = self.model.config.get_text_config().vocab_size
        tokens = [int(i) for i in (np.arange(9) * 7919 + 11) % size]
        branch = [*tokens[:3], *tokens[6:]]
        inputs = [Encoded(tuple(ids), tuple(range(len(ids)))) for ids in (tokens, branch)]
        long, short = (
            self._plain(torch.tensor([ids], device=self.model.device))
            for ids in (tokens, tokens[:4])
        )
        if not self._close(long[:, :4], short):
            raise ConfigError(
                f"{type(self.model).__name__} looks ahead of the step that it scores; a causal "
                "model is needed"
            )
        if windowed(self.model.config.get_text_config()):
            return False
        (tree,) = pack([(0, Tree.of(inputs))], 99)
        rows = [inputs[member] for _, member in tree.members]
        # By the model's own attention, which may do more than ours: caps, sinks, biases.
        own, usual = self._read_rows(rows), self.model.config._attn_implementation
        try:
            self.model.set_attn_implementation(ATTENTION)
            values, plain = self._read_pack(tree), self._read_rows(rows)
            packed = [values[reads] for reads in tree.reads]
            if all(
                self._close(torch.from_numpy(read), torch.from_numpy(alone))
                for found in (packed, plain)
                for read, alone in zip(found, own, strict=True)
            ):
                return True
        except (TypeError, ValueError, RuntimeError):  # it takes no such mask, keys or positions
            pass
        self.model.set_attn_implementation(usual)
        return False

    def _close(self, a: torch.Tensor, b: torch.Tensor) -> bool:
        """Whether two readings are equal up to the rounding of the model's number format."""
        tolerance = 1e-3 if self.model.dtype == torch.float32 else 0.1
        return bool((a - b).abs().max() <= tolerance * (1 + b.abs().max()))


def windowed(config: Any) -> bool:
    """Whether some layers look back a limited way, which our own masks do not say."""
    types = set(getattr(config, "layer_types", None) or ("full_attention",))
    window = getattr(config, "sliding_window", None)
    used = bool(window) and getattr(config, "use_sliding_window", True)
    return types != {"full_attention"} or (used and not hasattr(config, "layer_types"))


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    tree_keys: torch.Tensor | None = None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Attention as the library calls it; the tokens of a pack look at the keys of their block.

    Shapes: query (1, heads, tokens, width), key and value (1, key heads, tokens, width); of a pack:
    tree_keys (blocks, keys), mask (blocks, 1, `BLOCK`, keys), see `harness.prms.packing.blocks`.
    """
    if tree_keys is None:
        done: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **settings
        )
        return done
    tokens, (count, keys) = query.shape[2], tree_keys.shape
    padded = torch.nn.functional.pad(query[0], (0, 0, 0, count * BLOCK - tokens))
    of_blocks = padded.view(-1, count, BLOCK, query.shape[3]).transpose(0, 1)
    seen = (
        of[0].index_select(1, tree_keys.flatten()).view(-1, count, keys, of.shape[3])
        for of in (key, value)
    )
    out, _ = sdpa_attention_forward(
        module, of_blocks, *(of.transpose(0, 1) for of in seen), attention_mask, **settings
    )
    return out.flatten(0, 1)[None, :tokens], None


AttentionInterface.register(ATTENTION, tree_attention)


T = TypeVar("T")


@contextmanager
def _side_by_side(passes: int) -> Iterator[Callable[[Callable[[], T]], Callable[[], T]]]:
    """Give a function that begins some work and returns what waits for it.

    Args:
        passes: At work at the same time, each on one processor; 1: begun and ended at once.
    """
    if passes == 1:
        yield lambda work: partial(lambda done: done, work())
        return
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(passes, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield lambda work: pool.submit(work).result
    finally:
        torch.set_num_threads(threads)
