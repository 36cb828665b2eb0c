"""A transformer without its output, in whose place a PRM reads numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch


class Numbers(NamedTuple):
    """What a forward pass gives, named as the library names it."""

    logits: torch.Tensor
    """(rows, tokens, numbers) float32."""
    past_key_values: Any


class Body(torch.nn.Module):
    """To its callers, a model of the library."""

    def __init__(self, base: Any) -> None:
        """Args: a model that gives ``last_hidden_state``."""
        super().__init__()
        self.base = base

    @property
    def config(self) -> Any:
        """The transformer's."""
        return self.base.config

    @property
    def device(self) -> torch.device:
        """The transformer's."""
        device: torch.device = self.base.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """The transformer's; numbers are float32."""
        dtype: torch.dtype = self.base.dtype
        return dtype

    def set_attn_implementation(self, name: str) -> None:
        """Choose how the transformer attends."""
        self.base.set_attn_implementation(name)
