"""What vLLM says when it fails, in one line with what to do about it.

An engine's processes print tracebacks of hundreds of lines, in which the cause is one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import ConfigError, HarnessError, InfrastructureError

_SMALLER = (
    "lower batch=, cache= or (on a GPU) gpu_memory_utilization=, or raise tensor_parallel_size=, "
    "and go on; max_length= and quantization= help too, and begin anew"
)
_OTHER = "this machine's vLLM does not run it: use engine=transformers"

_KNOWN: Sequence[tuple[str, type[HarnessError], str]] = (
    (
        r"max seq len \((\d+)\), \(([\d.]+) GiB KV cache is needed, which is larger than the "
        r"available KV cache memory \(([\d.]+) GiB\)",
        InfrastructureError,
        "keys and values of {} tokens need {} GiB and have {}; lower max_length=, or raise cache= "
        "or gpu_memory_utilization=",
    ),
    (
        r"No available memory for the cache blocks",
        InfrastructureError,
        f"out of memory; {_SMALLER}",
    ),
    (
        r"(?:Free|Available) memory on (?:device|node) \S+ \(([\d.]+)/[\d.]+ GiB\)",
        InfrastructureError,
        f"out of memory ({{}} GiB are free); {_SMALLER}",
    ),
    (
        r"the engine's process ended with code \[-9\]",
        InfrastructureError,
        f"its process was killed, as systems do when memory runs out; {_SMALLER}",
    ),
    (r"(?i)\bout of memory\b|OutOfMemoryError", InfrastructureError, f"out of memory; {_SMALLER}"),
    (
        r"World size \((\d+)\) is larger than the number of available GPUs \((\d+)\)",
        ConfigError,
        "tensor_parallel_size={} with {} GPUs; lower it",
    ),
    (
        r"(?i)attention heads \((\d+)\) must be divisible by tensor parallel size \((\d+)\)",
        ConfigError,
        "{} attention heads cannot be spread over tensor_parallel_size={}",
    ),
    (
        r"Model architectures? \[?'?(\w+)'?\]? (?:is|are) not supported",
        ConfigError,
        f"{{}}: {_OTHER}",
    ),
    (
        r"torch\.(\w+) is not supported for quantization method (\w+)\. Supported dtypes: "
        r"\[torch\.(\w+)",
        ConfigError,
        "quantization={1} does not work in dtype={0}; write dtype={2}",
    ),
    (
        r"Cannot find the config file for (\w+)",
        ConfigError,
        "its weights were not saved with quantization={}; leave it out, or name a model that was",
    ),
    (r"(\w+) has no vLLM implementation", ConfigError, f"{{}}: {_OTHER}"),
    (
        r"Unsupported CPU attention configuration: head_dim=(\d+)",
        ConfigError,
        f"attention heads of {{}} numbers: {_OTHER}",
    ),
    (
        r"There is no module or parameter named '([\w.]+)' in (\w+)",
        ConfigError,
        "no part of {1} is called {0}; are its weights those of the model that config.json names?",
    ),
    (
        r"Following weights were not initialized from checkpoint: \{'([\w.]+)'",
        ConfigError,
        "it lacks the tensor {}; are its weights those of the model that config.json names?",
    ),
)
"""A sentence of vLLM's, whose fault it is, and what to do; ``{}`` are the groups of the pattern."""


def known(said: str, name: str) -> HarnessError | None:
    """Return the error for a cause that is known; None if there is none in what was said."""
    for pattern, kind, sentence in _KNOWN:
        if match := re.search(pattern, said):
            return kind(f"{name}: {sentence.format(*match.groups())}")
    return None


def last(said: str) -> str:
    """Return the last error that was said, as a traceback ends; "" if there is none."""
    causes = re.findall(r"(?m)((?:\w+(?:Error|Exception): |Value error, ).+)$", said)
    # pydantic shows all that it was given behind the sentence
    return re.sub(r" \[type=\w+, input_value=.*", "", causes[-1]) if causes else ""
