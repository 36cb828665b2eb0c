"""``vllm:MODEL`` samples as ``transformers:MODEL`` does, on the vLLM engine.

Prompts, ends and random numbers are the same: our own encoder makes token ids, the engine writes
token ids, each draft is one of its requests, and the number that decides a token is ours
(`harness.policies.draws`). So in the same number format greedy texts are equal token for token, and
samples but for the rare token that hangs on the last bits of floating-point arithmetic.

``chat``, ``system``, ``revision``, ``max_length``, ``logprobs``, ``dtype`` and ``batch`` (drafts at
once) are as for ``transformers``. ``lora=FOLDER`` puts an adapter, as peft saves it, on the model.
The machine's options (`harness.adapters.vllm_settings`) are ``cache`` (tokens whose keys and values
it holds), and vLLM's ``gpu_memory_utilization``, ``tensor_parallel_size``, ``quantization``,
``enforce_eager``, ``max_num_batched_tokens``.

What is read is remembered in whole blocks of the engine's prefix cache, between the drafts of a
stream; a new stream begins with an empty one. ``decode`` counts the tokens of drafts: where a
string spread over several tokens ends a draft, the engine may have written one or two more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import transformers

from harness.adapters import checkpoint, lora
from harness.adapters.options import Options
from harness.adapters.vllm import Engine
from harness.adapters.vllm_settings import settings
from harness.policies import causal, engine_weighing
from harness.policies.ends import Ends
from harness.policies.engine import EngineWriter
from harness.policies.stops import Decoder
from harness.policies.stream import TransformersStream
from harness.policies.transformers import TransformersPolicy
from harness.types import Json, Spec, Weigh, Weighed

_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks of adapters that vLLM makes room for."""


class VllmPolicy(TransformersPolicy):
    """A causal language model as a policy, run by vLLM.

    Raises:
        ConfigError: as `TransformersPolicy`; when it first writes, a model that vLLM does not run.
        DataError: files that do not load.
        InfrastructureError: the engine does not start, or dies.
        MissingDependency: vLLM is not installed.
    """

    usual_rows = 1024, 256

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        ends = causal.ends(_generation(self._found.folder), self._config, self._tokenizer)
        size = self._config.get_text_config().vocab_size
        self._ends = Ends(Decoder(self._tokenizer), ends, size)
        self._engine: Engine | None = None

    def _place(self, options: Options) -> None:
        device, self._dtype = checkpoint.place(
            None, options.choice("dtype", "auto", checkpoint.DTYPES)
        )
        self._settings = settings(options, device, self._dtype, "max_num_batched_tokens")
        folder = options.text("lora", None)
        self._lora = None if folder is None else lora.locate(folder)

    def identity(self) -> dict[str, Json]:
        """Weights, adapter, number format, quantization, prompt form and context."""
        own = {"adapter": "vllm", "quantization": self._settings.quantization}
        added = {"lora": self._lora.digest} if self._lora else {}
        return {**super().identity(), **own, **added}

    def describe(self) -> dict[str, Json]:
        """Device, sizes and library versions."""
        return {
            **self._found.describe(),
            **({"lora": str(self._lora.folder)} if self._lora else {}),
            "type": str(self._config.model_type),
            **self._settings.facts(),
            "batch": self.unit_rows,
            "max_num_batched_tokens": self._settings.batch,
            "transformers": transformers.__version__,
        }

    def load(self) -> None:
        """Start the engine; see `Policy.load`."""
        self._running()

    def weigh(self, requests: Sequence[Weigh]) -> list[Weighed]:
        """Weigh words; see `Weighing.weigh`."""
        asked = self._asked(requests, self._ends.tokens)
        return engine_weighing.weigh(self._running(), asked, self._max_length, self._adapter())

    def stream(self) -> TransformersStream:
        """Open a stream; see `Policy.stream`."""
        return self._stream(self._writer, self._ends.tokens)

    def close(self) -> None:
        """End the engine; it is started again if it is asked again."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None

    def _writer(self) -> EngineWriter:
        """Return a writer that has nothing to do, on an engine that remembers nothing."""
        if self._engine is not None and self._engine.alive:
            self._engine.drop()
            self._engine.forget()
        return EngineWriter(self._running, self._ends, self._adapter)

    def _running(self) -> Engine:
        """Return the engine, started if it does not run."""
        if self._engine is None or not self._engine.alive:
            how = replace(self._settings, rows=self.unit_rows)
            self._engine = Engine(self._found, self._config, how, self._max_length, self._arguments)
        return self._engine

    def _arguments(self) -> dict[str, Any]:
        """Return the engine's arguments for writing."""
        from harness.policies.draws import Draws

        found: dict[str, Any] = {
            "runner": "generate",
            "load_format": "safetensors",
            "generation_config": "vllm",
            "logits_processors": [f"{Draws.__module__}:{Draws.__qualname__}"],
            "max_logprobs": -1,
            "enable_prefix_caching": True,
        }
        if self._lora:
            rank = min((rank for rank in _RANKS if rank >= self._lora.rank), default=_RANKS[-1])
            found |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
        return found

    def _adapter(self) -> Any:
        """Return vLLM's request for the adapter; None without one."""
        if self._lora is None:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest("lora", 1, str(self._lora.folder))


def _generation(folder: Path) -> Any:
    """Return a model's configuration of generation; None if it has none."""
    if not (folder / "generation_config.json").is_file():
        return None
    return transformers.GenerationConfig.from_pretrained(folder, local_files_only=True)
