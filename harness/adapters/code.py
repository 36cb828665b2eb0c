"""Code that a checkpoint brings along: when a model needs it, and who agreed to run it.

Nearly all checkpoints are data for classes of the library. Where the library has the class, the
checkpoint's own code is never run, whatever was agreed to. Where it has not, code is run only if
the user says ``trust_remote_code=true`` of this very model, and only such code as can be named
afterwards: a folder's, which is part of the digest, or a pinned commit's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, DataError

FILES = "*.py"


@dataclass(frozen=True, slots=True)
class Foreign:
    """What the library has no class for."""

    name: str
    """The architecture, or the tokenizer's class."""
    model: bool
    """Whether configuration and model need code."""
    tokenizer: bool
    elsewhere: str
    """The repository that holds the code, if it is another one."""
    there: bool
    """Whether the checkpoint says where its code is."""


def foreign(folder: Path) -> Foreign | None:
    """Return what a checkpoint needs code of its own for; None if the library has it all.

    Raises:
        DataError: a configuration that is no JSON mapping.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.tokenization_auto import (
        TOKENIZER_MAPPING_NAMES,
        tokenizer_class_from_name,
    )

    config, words = (_read(folder / name) for name in ("config.json", "tokenizer_config.json"))
    kind, named = str(config.get("model_type")), str(words.get("tokenizer_class") or "")
    of_model, of_tokenizer = _references(config), _references(words)
    model = kind not in CONFIG_MAPPING_NAMES
    known = kind in TOKENIZER_MAPPING_NAMES or (named and tokenizer_class_from_name(named))
    tokenizer = bool(of_tokenizer) and not known
    if not model and not tokenizer:
        return None
    used = [*(of_model if model else ()), *(of_tokenizer if tokenizer else ())]
    others = [reference.split("--")[0] for reference in used if "--" in reference]
    classes = config.get("architectures")
    name = str(classes[0]) if isinstance(classes, list) and classes else kind
    return Foreign(name if model else named, model, tokenizer, "".join(others[:1]), bool(used))


def check(needed: Foreign, target: str, trusted: bool, commit: str | None, pinned: bool) -> None:
    """Refuse code that nobody agreed to run, or that could be another tomorrow.

    Args:
        needed: What the code is for.
        target: The folder or repository.
        trusted: Whether the user agreed.
        commit: The repository's; None for a folder.
        pinned: Whether the user named that commit.

    Raises:
        ConfigError: says how to agree.
        DataError: there is no code that could be run.
    """
    import transformers

    what = "model" if needed.model else "tokenizer"
    missing = (
        f"{target} needs the {what} {needed.name}, which transformers {transformers.__version__} "
        "has not"
    )
    if not needed.there:
        raise DataError(f"{missing}, and it brings no code for it; a newer version may have it")
    if needed.elsewhere:
        raise DataError(
            f"{missing}; its code is in another repository, {needed.elsewhere}, and would not be "
            "pinned with it: make a folder of both, with plain names in auto_map"
        )
    pin = f"revision={commit}" if commit else ""
    if not trusted:
        way = ",".join(filter(None, ("trust_remote_code=true", pin)))
        raise ConfigError(f"{missing}; code of a checkpoint is not run: read it, then add {way}")
    if commit and not pinned:
        raise ConfigError(
            f"{target}: trust_remote_code=true is for code that you have read; pin it: {pin}"
        )


def _references(data: dict[str, Any]) -> list[str]:
    """Return where ``auto_map`` says that classes are: ``[REPOSITORY--]file.Class``."""
    found = data.get("auto_map") or {}
    listed = list(found.values()) if isinstance(found, dict) else [found]
    flat = [one for part in listed for one in (part if isinstance(part, list) else [part])]
    return [reference for reference in flat if isinstance(reference, str)]


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path}: not a mapping")
    return data
