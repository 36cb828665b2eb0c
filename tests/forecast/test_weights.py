"""Bits of a weight: stated by an option, by a name, or unknown; never guessed."""

from __future__ import annotations

import pytest

from harness.forecast.weights import width


@pytest.mark.parametrize(
    ("name", "options", "bits", "words"),
    [
        ("Q/X-7B", {}, 16, "bfloat16"),
        ("Q/X-7B", {"dtype": "float32"}, 32, "float32"),
        ("Q/X-7B", {"quantization": "fp8"}, 8, "fp8"),
        ("Q/X-7B", {"quantization": "awq_marlin"}, 4, "awq_marlin"),
        ("Q/X-7B-AWQ", {}, 4, "awq"),
        ("Q/X-7B-FP8", {}, 8, "fp8"),
        ("Q/X-7B-GPTQ-Int8", {}, 8, "gptq"),
        ("Q/X-7B-GPTQ-Int4", {"quantization": "gptq"}, 4, "gptq"),
        ("Q/X-7B-GPTQ", {}, None, "gptq"),
        ("Q/X-7B", {"quantization": "gptq"}, None, "gptq"),
        ("Q/X-7B-bnb-4bit", {}, 4, "bnb"),
        ("Q/X-7B.w4a16", {}, 4, "4 bits"),
        ("Q/X-7B", {"quantization": "experts_int8"}, None, "experts_int8"),
        ("Q/Print8-7B", {}, 16, "bfloat16"),
    ],
)
def test_a_width_is_stated_or_unknown(
    name: str, options: dict[str, str], bits: int | None, words: str
) -> None:
    found = width(name, options)
    assert (found.bits, found.words) == (bits, words)


def test_schemes_are_vllms() -> None:
    pytest.importorskip("vllm")
    from harness.adapters.vllm_settings import quantizations
    from harness.forecast import weights

    assert set(weights._SCHEMES) <= set(quantizations())
