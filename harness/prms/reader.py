"""One model of a PRM: opened without its weights, loaded when it first reads, let go on request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import transformers

from harness.adapters import checkpoint
from harness.adapters.checkpoint import Checkpoint
from harness.adapters.memory import usual_tokens
from harness.cost import Architecture
from harness.prms.forward import Forward, windowed
from harness.prms.heads import Head
from harness.prms.numbers import NUMBERS, Floats
from harness.prms.recipe import Recipe
from harness.prms.remembering import Remembering, works
from harness.prms.render import Encoded


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how a model runs."""

    device: torch.device
    dtype: torch.dtype
    tokens: int
    """Of a forward pass, padding included."""
    cache: int | None
    """Tokens that are remembered; None: what fits."""


@dataclass(frozen=True, slots=True)
class Opened:
    """All of a checkpoint but its weights."""

    found: Checkpoint
    tokenizer: Any
    config: Any

    @staticmethod
    def of(target: str, revision: str | None, trusted: bool, weights: bool = True) -> Opened:
        """Open a checkpoint; without `weights` they need not be there.

        Raises:
            UserError: there is none, or its files do not load.
        """
        found = checkpoint.locate(target, revision, trusted, weights=weights)
        tokenizer = checkpoint.load(transformers.AutoTokenizer, found)
        tokenizer.model_max_length = 2**31  # what is too long is said by us, with its problem
        return Opened(found, tokenizer, checkpoint.load(transformers.AutoConfig, found))

    @property
    def context(self) -> int | None:
        """Tokens that the model can read; None if it does not say."""
        found: int | None = getattr(self.config.get_text_config(), "max_position_embeddings", None)
        return found


class Reads(Protocol):
    """A checkpoint whose numbers can be read, whatever runs it."""

    @property
    def opened(self) -> Opened:
        """The checkpoint."""
        ...

    @property
    def architecture(self) -> Architecture | None:
        """What a token costs."""
        ...

    @property
    def cache(self) -> int | None:
        """Tokens that are remembered; None: as many as its engine says."""
        ...

    def load(self) -> None:
        """Load the model, or start its engine."""
        ...

    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the numbers of each input, and the tokens computed; see `Forward`."""
        ...

    def remember(self, on: bool) -> None:
        """Keep what is read from now on, or forget."""
        ...

    def close(self) -> None:
        """Let the model go; it is loaded again if it is asked again."""
        ...


class Reader:
    """A checkpoint with the head that a recipe reads.

    Raises:
        ConfigError: a head that does not fit the model; when it first reads, a model that is not
            causal.
        DataError: files that do not load.
    """

    def __init__(self, recipe: Recipe, own: Opened, machine: Machine, models: int) -> None:
        """Args: besides the obvious, how many models share the machine's memory."""
        self._recipe, self._machine = recipe, machine
        self.opened = own
        self._head = Head(recipe, own.found, own.config, own.tokenizer)
        self.architecture: Architecture | None = self._head.architecture()
        usual = usual_tokens(own.config, machine.dtype, machine.device) // models
        self._kept = usual if machine.cache is None else machine.cache
        self.cache: int | None = self._kept
        self._forward: Forward | None = None
        self._remember = False
        self._remembering: Remembering | None = None

    def load(self) -> None:
        """Load the model."""
        self._open()

    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the numbers of each input, and the tokens computed; see `Forward`."""
        if not any(requests):
            return [([], 0)] * len(requests)
        try:
            return self._reads().read(requests)
        except torch.OutOfMemoryError:
            self._remembering = None
            raise

    def remember(self, on: bool) -> None:
        """Keep what is read, or forget.

        A model with sliding windows, or one whose numbers come out otherwise when it goes on, reads
        everything again.
        """
        self._remember, self._remembering = on, None

    def close(self) -> None:
        """Let the model go; it is loaded again if it is asked again."""
        self._forward = self._remembering = None

    def _reads(self) -> Forward | Remembering:
        """Return what reads: from the start, or on from what is remembered."""
        if not self._remember:
            return self._open()
        if self._remembering is None:
            model = self._open().model
            numbers = NUMBERS[self._recipe.head]
            if windowed(model.config.get_text_config()) or not works(model, numbers):
                self._remember = False
                return self._open()
            self._remembering = Remembering(model, numbers, self._machine.tokens, self._kept)
        return self._remembering

    def _open(self) -> Forward:
        """Return the model, loaded when it is first asked to score: a plan needs no weights."""
        if self._forward is None:
            model = self._head.load(self._machine.device, self._machine.dtype)
            self._forward = Forward(model, self._machine.tokens, self.architecture)
        return self._forward
