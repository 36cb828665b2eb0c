"""Sentences of vLLM become one line that says what to change."""

from __future__ import annotations

import pytest

from harness.adapters import complaints
from harness.errors import ConfigError, HarnessError, InfrastructureError


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        (
            "ValueError: To serve at least one request with the model's max seq len (4096), (0.5 "
            "GiB KV cache is needed, which is larger than the available KV cache memory (0.25 GiB)",
            InfrastructureError,
            "m: keys and values of 4096 tokens need 0.5 GiB and have 0.25; lower max_length=",
        ),
        (
            "ValueError: Free memory on device cuda:0 (10.5/79.2 GiB) on startup is less",
            InfrastructureError,
            r"m: out of memory \(10.5 GiB are free\); lower batch=.* go on;.*quantization=",
        ),
        ("No available memory for the cache blocks. Try", InfrastructureError, "out of memory;"),
        (
            "EngineGone: the engine's process ended with code [-9]",
            InfrastructureError,
            "m: its process was killed, as systems do when memory runs out; lower batch=",
        ),
        (
            "Value error, torch.float32 is not supported for quantization method fp8. Supported "
            "dtypes: [torch.bfloat16, torch.float16] [type=value_error",
            ConfigError,
            "quantization=fp8 does not work in dtype=float32; write dtype=bfloat16",
        ),
        (
            "  Value error, Cannot find the config file for inc [type=value_error, input_value=Arg",
            ConfigError,
            "m: its weights were not saved with quantization=inc; leave it out",
        ),
        ("torch.OutOfMemoryError: CUDA out of memory.", InfrastructureError, "out of memory;"),
        (
            "Model architectures ['FooForCausalLM'] are not supported for now. Supported",
            ConfigError,
            "m: FooForCausalLM: .* use engine=transformers",
        ),
        (
            "Total number of attention heads (32) must be divisible by tensor parallel size (3).",
            ConfigError,
            "32 attention heads cannot be spread over tensor_parallel_size=3",
        ),
        (
            "RuntimeError: Unsupported CPU attention configuration: head_dim=8 isa=1",
            ConfigError,
            "attention heads of 8 numbers",
        ),
        (
            "ValueError: There is no module or parameter named 'model.x' in Qwen2ForEmbedding. The",
            ConfigError,
            "no part of Qwen2ForEmbedding is called model.x",
        ),
        (
            "Following weights were not initialized from checkpoint: {'model.norm.weight'}",
            ConfigError,
            "it lacks the tensor model.norm.weight",
        ),
    ],
)
def test_known_causes(said: str, kind: type[HarnessError], message: str) -> None:
    found = complaints.known(f"(EngineCore) INFO start\n(EngineCore) ERROR {said}\nbye", "m")
    assert type(found) is kind
    with pytest.raises(kind, match=message):
        raise found


def test_unknown_causes_show_the_last_error() -> None:
    assert complaints.known("all is well", "m") is None
    assert complaints.last("Traceback\nKeyError: 'a'\n  at x\nRuntimeError: worse\nbye") == (
        "RuntimeError: worse"
    )
    shown = "  Value error, no such part [type=value_error, input_value=ArgsKwargs((), {'model"
    assert complaints.last(shown) == "Value error, no such part"
    assert complaints.last("all is well") == ""
