"""Which attention kernels serve a batch that changes its shape with every token, and are right."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch.nn.attention import SDPBackend, sdpa_kernel

_ANY_SHAPE = [SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
_ONE_KEY_HEAD = [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]


def attention_kernels(model: Any) -> AbstractContextManager[None]:
    """Choose kernels for a model's forward passes on a GPU; on a CPU there is nothing to choose.

    cuDNN's attention is left out: it plans for 12 ms whenever it meets a new number of columns, and
    a batch has a new one with every token. Writing 512 drafts with a small model ran at 6,300
    tokens/s on an H100 that did 64,500 once all shapes were known.

    The memory-efficient kernel is left out for models with one key head. Repeated for all query
    heads, that head is a view without a copy, and with a mask the kernel reads it wrongly (torch
    2.11 on an H100: errors as large as the values; with a copy, and in the other kernels, none).
    """
    if model.device.type != "cuda":
        return nullcontext()
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None)
    chosen: AbstractContextManager[None] = sdpa_kernel(
        _ONE_KEY_HEAD if heads == 1 or getattr(config, "multi_query", False) else _ANY_SHAPE
    )
    return chosen
