"""A LoRA adapter in a folder, as peft saves it: its files, and what identifies their content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from harness.digest import digest, file_digest
from harness.errors import DataError

_FILES = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class Lora:
    """An adapter."""

    folder: Path
    digest: str
    """Of its files."""
    rank: int


def locate(folder: str) -> Lora:
    """Return the adapter in a folder; its weights are not read.

    Raises:
        DataError: there is none, it is a pickle, or it is no LoRA.
    """
    path = Path(folder)
    for name in _FILES:
        if not (path / name).is_file():
            raise DataError(
                f"lora={folder} holds no adapter: {name} is missing (no pickle is read)"
            )
    said = (path / _FILES[0]).read_text(encoding="utf-8")
    try:
        config = json.loads(said)
        kind, rank = config["peft_type"], int(config["r"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"lora={folder}: {_FILES[0]} names no kind or rank ({error})") from error
    if kind != "LORA" or rank < 1:
        raise DataError(f"lora={folder} is an adapter of kind {kind}, not LORA")
    return Lora(path, digest([file_digest(path / name) for name in _FILES]), rank)
