"""How much memory a model's weights take: bits per weight, as far as its options and name tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FORMATS = {"auto": 16, "bfloat16": 16, "float16": 16, "half": 16, "float32": 32}
"""Number formats of a GPU; ``auto`` is bfloat16 there."""

_SCHEMES = {
    "awq": 4,
    "auto_awq": 4,
    "awq_marlin": 4,
    "fp8": 8,
    "fp8_per_block": 8,
    "fp8_per_channel": 8,
    "fp8_per_tensor": 8,
    "fbgemm_fp8": 8,
    "int8_per_channel_weight_only": 8,
}
"""vLLM's quantizations that have one width, scales left out. The others are read from a checkpoint
(GPTQ has several widths) or are of a part of the matrices."""

_WIDTH = re.compile(r"(?<![a-z0-9])(?:int(\d)|(\d)-?bits?|w(\d)a\d+)(?![a-z0-9])", re.I)
_PACKED = re.compile(r"(?<![a-z0-9])(awq|gptq|fp8|fp4|nvfp4|mxfp4|gguf|bnb|nf4)(?![a-z0-9])", re.I)


@dataclass(frozen=True, slots=True)
class Width:
    """Of one weight."""

    bits: int | None
    """None: unknown."""
    words: str
    """The number format or the quantization."""


def width(name: str, options: Mapping[str, Any]) -> Width:
    """Return the width of a model's weights on a GPU.

    Args:
        name: The model's, which may state how it was packed: ``…-AWQ``, ``…-GPTQ-Int4``.
        options: Of the policy or PRM; ``quantization`` and ``dtype`` count.
    """
    stated = _WIDTH.search(name)
    bits = next((int(digits) for digits in stated.groups() if digits), None) if stated else None
    packed = _PACKED.search(name)
    scheme = options.get("quantization")
    if scheme is None and packed:
        scheme = packed[1].lower()
    if scheme is not None:
        return Width(bits or _SCHEMES.get(str(scheme)), str(scheme))
    if bits is not None:
        return Width(bits, f"{bits} bits")
    format_ = str(options.get("dtype", "auto"))
    return Width(_FORMATS.get(format_), "bfloat16" if format_ == "auto" else format_)
