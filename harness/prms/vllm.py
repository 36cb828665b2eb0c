"""``vllm:MODEL`` scores steps as ``transformers:MODEL`` does, on the vLLM engine.

Recipes, their options and what they mean are the same (`harness.prms.recipe`): our own encoder
makes token ids and places, the engine runs the transformer, and our own head in 32-bit floats reads
its hidden states inside the engine's workers (`harness.prms.places`), for every family alike. A log
ratio has an engine for each of its models. The machine's options (`harness.adapters.vllm_settings`)
are ``dtype``, ``revision``, ``batch`` (tokens of a step), ``cache`` (tokens whose keys and values
it holds), and vLLM's ``gpu_memory_utilization``, ``tensor_parallel_size``, ``quantization``,
``enforce_eager``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.adapters import checkpoint
from harness.adapters.checkpoint import Checkpoint
from harness.adapters.options import Options
from harness.adapters.vllm import Engine
from harness.adapters.vllm_settings import Settings, settings
from harness.errors import ConfigError
from harness.prms import layers
from harness.prms.heads import Head, Layers
from harness.prms.numbers import RATIOS, Floats
from harness.prms.reader import Machine, Opened
from harness.prms.recipe import Recipe
from harness.prms.render import Encoded
from harness.prms.transformers import TransformersPrm
from harness.types import Json

_KNOWN = 1_000_000
"""Places whose numbers are remembered while drafts grow."""


class VllmPrm(TransformersPrm):
    """A model as a PRM, run by vLLM.

    Raises:
        ConfigError: as `TransformersPrm`; when it first scores, a model that vLLM does not run.
        DataError: files that do not load.
        InfrastructureError: the engine does not start, or dies.
        MissingDependency: vLLM is not installed.
    """

    def _place(self, options: Options) -> None:
        device, dtype = checkpoint.place(None, options.choice("dtype", "auto", checkpoint.DTYPES))
        self._settings = settings(options, device, dtype)
        self._machine = Machine(device, dtype, self._settings.batch or 0, self._settings.cache)

    def _read_with(self, models: Sequence[Opened]) -> Sequence[EngineReader]:
        share = self._settings.gpu_memory_utilization
        own_share = None if share is None else share / len(models)
        how = replace(self._settings, gpu_memory_utilization=own_share)
        return [EngineReader(self._recipe, own, how, self._max_length) for own in models]

    def identity(self) -> dict[str, Json]:
        """Weights, number format, quantization and recipe."""
        own = {"adapter": "vllm", "quantization": self._settings.quantization}
        return {**super().identity(), **own}

    def describe(self) -> dict[str, Json]:
        """Device, sizes and library versions."""
        return {**super().describe(), **self._settings.facts()}


class EngineReader:
    """A checkpoint with the head that a recipe reads, on an engine that starts when it first reads;
    see `harness.prms.reader.Reads`.

    Raises:
        ConfigError: a head that does not fit the model; when it first reads, a model that vLLM does
            not run.
        InfrastructureError: when it first reads, an engine that does not start.
    """

    def __init__(self, recipe: Recipe, own: Opened, how: Settings, length: int) -> None:
        """Args: besides the obvious, the longest input in tokens."""
        self._recipe, self._how, self._length = recipe, how, length
        self.opened = own
        self.architecture = Head(recipe, own.found, own.config, own.tokenizer).architecture()
        self.cache = how.cache
        self.running: VllmReader | None = None
        self._remember = False

    def load(self) -> None:
        """Start the engine."""
        self.start()

    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the numbers of each input, and the tokens computed."""
        return self.start().read(requests) if any(requests) else [([], 0)] * len(requests)

    def start(self) -> VllmReader:
        """Return the engine, started if it is not running."""
        if self.running is None or not self.running.alive:
            own = self.opened
            head = layers.of_files(self._recipe, own.found, own.config, own.tokenizer)
            likelihoods = self._recipe.head in RATIOS
            self.running = VllmReader(
                own.found, own.config, head, self._how, self._length, likelihoods
            )
            self.running.remember(self._remember)
        return self.running

    def remember(self, on: bool) -> None:
        """Keep what is read, or forget."""
        self._remember = on
        if self.running is not None and self.running.alive:
            self.running.remember(on)

    def close(self) -> None:
        """End the engine; it is started again if it is asked again."""
        if self.running is not None:
            self.running.close()
        self.running = None


class VllmReader:
    """A running engine that gives a head's numbers.

    Tokens that inputs have in common are read once, as far as whole blocks of the engine's prefix
    cache go. A state that is taken from there has no number; so each place is asked of the first
    input that has it, and asked again without the cache if another came first. Unless it remembers,
    a call begins with an empty cache: what earlier calls read decides nothing.
    """

    def __init__(
        self,
        found: Checkpoint,
        config: Any,
        head: Layers,
        how: Settings,
        length: int,
        likelihoods: bool,
    ) -> None:
        """Args: what is run and how; the head's layers; the longest input in tokens; see `put`."""
        self._known: dict[bytes, Floats] = {}
        self._dtype = how.dtype
        self._engine = Engine(
            found, config, how, length, lambda: _arguments(_language_model(found, config))
        )
        self.put(head, likelihoods)

    def put(self, head: Layers, likelihoods: bool = False) -> None:
        """Read by these layers from now on; what was read by others is forgotten.

        With `likelihoods` the one layer holds all rows of an output, and the number of a place is
        the log-probability of its token.
        """
        self._likelihoods, self._numbers = likelihoods, 1 if likelihoods else len(head[-1][0])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "head.safetensors"
            _save(head, self._dtype if likelihoods else torch.float32, path)
            self._engine.call("read_places", str(path), likelihoods)
        self.remember(False)

    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the head's numbers of each input, and the tokens computed.

        As `harness.prms.forward.Forward.read`; tokens that several requests need count for the one
        that was read first.
        """
        if not self._remember or len(self._known) > _KNOWN:
            self._known.clear()
            self._engine.forget()
        marks = [[list(_marks(one)) for one in inputs] for inputs in requests]
        computed = [0] * len(requests)
        owed: list[tuple[int, Encoded, list[tuple[int, bytes]]]] = []
        claimed: set[bytes] = set()
        for number, inputs in enumerate(requests):
            for one, own in zip(inputs, marks[number], strict=True):
                new = {mark: place for mark, place in zip(own, one.reads, strict=True)}
                if self._likelihoods and one.reads[:1] == (0,):
                    self._known[own[0]] = np.zeros(1)  # nothing stands before the first token
                new = {m: p for m, p in new.items() if m not in self._known and m not in claimed}
                claimed.update(new)
                if new:
                    owed.append((number, one, [(place, mark) for mark, place in new.items()]))
        again = False
        while owed:
            owed = self._ask(owed, computed, again)
            again = True
        return [
            ([self._gather(own) for own in marks[number]], computed[number])
            for number in range(len(requests))
        ]

    def remember(self, on: bool) -> None:
        """Keep what is read from now on, or forget."""
        self._remember = on
        self._known.clear()
        self._engine.forget()

    @property
    def alive(self) -> bool:
        """Whether the engine runs still."""
        return self._engine.alive

    def close(self) -> None:
        """End the engine."""
        self._engine.close()

    def _ask(
        self,
        owed: Sequence[tuple[int, Encoded, list[tuple[int, bytes]]]],
        computed: list[int],
        again: bool,
    ) -> list[tuple[int, Encoded, list[tuple[int, bytes]]]]:
        """Read inputs as far as their last place, and return those with places still unknown.

        Args:
            owed: (request, input, (place, mark) pairs).
            computed: Tokens computed by request, added to.
            again: Whether nothing may be taken from the cache, so that no place stays unknown.
        """
        from vllm import PoolingParams

        from harness.prms.places import TASK

        # How likely a token is stands at the one before it.
        back = int(self._likelihoods)
        prompts, params = [], []
        for _, one, wanted in owed:
            places = [place - back for place, _ in wanted]
            after = [one.ids[place] for place, _ in wanted] if back else None
            prompts.append(one.ids[: max(places) + 1])
            params.append(
                PoolingParams(
                    task=TASK,
                    use_activation=False,
                    skip_reading_prefix_cache=again,
                    extra_kwargs={"places": places, "after": after},
                )
            )
        left = []
        for (number, one, wanted), ids, output in zip(
            owed, prompts, self._engine.run(prompts, params), strict=True
        ):
            computed[number] += len(ids) - output.num_cached_tokens
            values = output.outputs.data.double().numpy()
            missing = []
            for pair, row in zip(wanted, values, strict=True):
                if np.isnan(row).all() and not again:
                    missing.append(pair)
                else:
                    self._known[pair[1]] = row
            if missing:
                left.append((number, one, missing))
        return left

    def _gather(self, marks: Sequence[bytes]) -> Floats:
        return np.array([self._known[mark] for mark in marks]).reshape(-1, self._numbers)


def _marks(one: Encoded) -> Iterator[bytes]:
    """Yield for each place the digest of the tokens up to it: all that its number depends on."""
    ids, done, seen = np.array(one.ids, np.int64), 0, blake2b(digest_size=16)
    for place in one.reads:
        seen.update(ids[done : place + 1].tobytes())
        done = place + 1
        yield seen.digest()


def _arguments(model: str) -> dict[str, Any]:
    """Return the engine's arguments for reading hidden states of a kind of language model."""
    from vllm.config import PoolerConfig

    from harness.prms.places import LOADING, TASK, PlacesWorker

    return {
        "runner": "pooling",
        "convert": "embed",
        "hf_overrides": {"architectures": [model]},
        "pooler_config": PoolerConfig(task=TASK, pooling_type="ALL", use_activation=False),
        "load_format": LOADING,
        "worker_extension_cls": f"{PlacesWorker.__module__}.{PlacesWorker.__qualname__}",
        "enable_prefix_caching": True,
    }


def _language_model(found: Checkpoint, config: Any) -> str:
    """Return what vLLM calls the language model whose transformer this is.

    Raises:
        ConfigError: there is none of this type.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as NAMES

    name = NAMES.get(config.model_type)
    if not isinstance(name, str):
        raise ConfigError(f"PRM {found.name}: {config.model_type} is no causal language model")
    return name


def _save(head: Layers, dtype: torch.dtype, path: Path) -> None:
    """Write layers to a safetensors file, as `harness.prms.places` reads them."""
    from safetensors.torch import save_file

    parts = {}
    for number, (weight, bias) in enumerate(head):
        parts[f"{number}.weight"] = weight.to(dtype).contiguous()
        if bias is not None:
            parts[f"{number}.bias"] = bias.to(dtype).contiguous()
    save_file(parts, path)
