"""Finding a model's files and saying what they are: for policies and PRMs alike.

A target is ``embedded:NAME`` (ships with the package), a folder, or ``ORG/NAME`` on the hub (with
``revision=``; the commit that it resolves to is the identity). Only safetensors weights are read:
other formats are pickles, which may run code. No code of a repository is run either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters import shape
from harness.cost import Architecture
from harness.digest import digest, file_digest
from harness.errors import ConfigError, DataError, MissingDependency, nearest
from harness.types import Json

EMBEDDED = Path(__file__).parent.parent / "embedded" / "weights"
"""Where the models that ship with the package live."""

_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with a model and what identifies its content."""

    folder: Path
    identity: dict[str, Json]
    """``files``: digest of the files' digests; or ``repo`` and ``commit`` of the hub."""
    name: str
    """The target."""


def locate(target: str, revision: str | None = None, *, weights: bool = True) -> Checkpoint:
    """Return the checkpoint of a target, downloading it from the hub if it is not there yet.

    Without `weights` only configuration and tokenizer are looked for, and identified.

    Raises:
        ConfigError: an unknown embedded model, a target that is nothing of the three.
        DataError: a folder without a model, weights in another format, no way to the hub.
        MissingDependency: a hub model without the extra ``hf``.
    """
    if target.startswith("embedded:"):
        folder = EMBEDDED / target.removeprefix("embedded:")
        known = sorted(path.name for path in EMBEDDED.glob("*") if path.is_dir())
        if folder.name not in known or folder.parent != EMBEDDED:
            raise ConfigError(f"no embedded model {folder.name!r}; {nearest(folder.name, known)}")
    elif Path(target).is_dir():
        folder = Path(target)
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", target):
        return _download(target, revision, weights)
    else:
        raise ConfigError(f"{target!r} is neither a folder nor a hub name (ORG/NAME)")
    if revision is not None:
        raise ConfigError(f"{target!r} is a folder; revision= is for hub names")
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no model: config.json is missing")
    if weights:
        _check_weights(folder)
    patterns = _FILES if weights else _FILES[1:]
    files = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    identity: dict[str, Json] = {"files": digest([[f.name, file_digest(f)] for f in files])}
    return Checkpoint(folder, identity, target)


def _download(repo: str, revision: str | None, weights: bool) -> Checkpoint:
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingDependency(f"the hub model {repo}", "hf") from error
    try:
        path = huggingface_hub.snapshot_download(
            repo, revision=revision, allow_patterns=list(_FILES if weights else _FILES[1:])
        )
    except (OSError, ValueError) as error:  # the hub's own errors are kinds of these two
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"cannot get {repo} from the hub ({why}); check the name and the network, or give the "
            "folder of a copy"
        ) from error
    folder = Path(path)
    if weights:
        _check_weights(folder)
    return Checkpoint(folder, {"repo": repo, "commit": folder.name}, repo)


def _check_weights(folder: Path) -> None:
    if not any(folder.glob("*.safetensors")):
        raise DataError(
            f"{folder} holds no safetensors weights; other formats are not read, because they "
            "may run code: convert them first"
        )


def place(device: str | None, dtype: str) -> tuple[Any, Any]:
    """Return the torch device and number format for the options ``device`` and ``dtype``.

    Args:
        device: As torch writes it; None: a GPU if there is one.
        dtype: ``auto`` (float32 on a CPU, bfloat16 elsewhere) or a torch name.

    Raises:
        ConfigError: no such device.
        MissingDependency: torch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingDependency("the transformers adapter", "hf") from error
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {name!r} is not there; try device=cpu") from error
    if dtype == "auto":
        dtype = "float32" if found.type == "cpu" else "bfloat16"
    return found, getattr(torch, dtype)


DTYPES = ("auto", "float32", "bfloat16", "float16")


def load(kind: Any, checkpoint: Checkpoint, **settings: Any) -> Any:
    """Return `kind`.from_pretrained of a checkpoint, in evaluation mode where that exists.

    Raises:
        DataError: the files do not make such a model, or need code of their own.
    """
    try:
        with _quiet():
            loaded = kind.from_pretrained(
                checkpoint.folder, local_files_only=True, trust_remote_code=False, **settings
            )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{checkpoint.folder} does not load with {kind.__name__}: {why}") from error
    return loaded.eval() if hasattr(loaded, "eval") else loaded


def load_model(kind: Any, checkpoint: Checkpoint, **settings: Any) -> Any:
    """Return a model all of whose weights come from the checkpoint.

    Raises:
        DataError: as `load`, and for weights that are not there: the library would make them up.
    """
    model, report = load(
        kind, checkpoint, use_safetensors=True, output_loading_info=True, **settings
    )
    missing = sorted({*report["missing_keys"], *map(str, report["mismatched_keys"])})
    if missing:
        shown = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
        raise DataError(
            f"{checkpoint.name} is no {type(model).__name__}: it lacks {len(missing)} of the "
            f"weights, or has them in another shape ({shown})"
        )
    return model.eval()


def architecture(config: Any, target: str, head: str = "lm") -> Architecture | None:
    """Return the shape of the model that a config describes, without its weights.

    Raises:
        DataError: transformers knows no such model for this use.
    """
    try:
        return shape.architecture(config, head)
    except ValueError as error:
        why = str(error).strip().splitlines()[0]
        raise DataError(f"{target} is no model of this kind: {why}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars and load reports off the user's terminal."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
