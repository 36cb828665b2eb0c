"""Finding a model's files and saying what they are: for policies and PRMs alike.

A target is ``embedded:NAME`` (ships with the package), a folder, or ``ORG/NAME`` on the hub (with
``revision=``; the commit that it resolves to is the identity). Only safetensors weights are read:
other formats are pickles, which may run code. Code of a checkpoint is not run either, unless the
library lacks the model and the user agrees (`harness.adapters.code`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters import code, shape
from harness.cost import Architecture
from harness.digest import digest, file_digest
from harness.errors import ConfigError, DataError, InfrastructureError, MissingDependency, nearest
from harness.types import Json

EMBEDDED = Path(__file__).parent.parent / "embedded" / "weights"
"""Where the models that ship with the package live."""

_FILES = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")

_COMMIT = re.compile("[0-9a-f]{40}")

_CONVERT = (
    "import glob, torch, safetensors.torch as s; s.save_file({{k: v.clone() for f in "
    "sorted(glob.glob('{pattern}')) for k, v in torch.load(f, map_location='cpu', "
    "weights_only=True).items()}}, 'model.safetensors', {{'format': 'pt'}})"
)
"""Makes one file of pickled ones; ``weights_only`` reads tensors and calls nothing."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with a model and what identifies its content."""

    folder: Path
    identity: dict[str, Json]
    """``files``: digest of the files' digests; or ``repo`` and ``commit`` of the hub."""
    name: str
    """The target."""
    revision: str | None = None
    """What the user asked the hub for."""
    foreign: code.Foreign | None = None
    """What needs code of the checkpoint, which the user agreed to run."""

    def describe(self) -> dict[str, Json]:
        """Where the model came from, for the provenance record."""
        facts: dict[str, Json] = {"model": self.name, **self.identity}
        if self.revision is not None:
            facts["revision"] = self.revision
        if self.foreign is not None:
            facts["remote_code"] = self.foreign.name
        return facts


def locate(
    target: str,
    revision: str | None = None,
    trust_remote_code: bool = False,
    *,
    weights: bool = True,
) -> Checkpoint:
    """Return the checkpoint of a target, downloading it from the hub if it is not there yet.

    Without `weights` only configuration and tokenizer are looked for, and identified.

    Raises:
        ConfigError: an unknown embedded model, a target that is nothing of the three, a model that
            needs code which the user did not agree to run.
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
        return _download(target, revision, trust_remote_code, weights)
    else:
        raise ConfigError(f"{target!r} is neither a folder nor a hub name (ORG/NAME)")
    if revision is not None:
        raise ConfigError(f"{target!r} is a folder; revision= is for hub names")
    _check_no_adapter(folder)
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no model: config.json is missing")
    needed = code.foreign(folder)
    if needed is not None:
        code.check(needed, target, trust_remote_code, commit=None, pinned=False)
    if weights:
        _check_weights(folder)
    patterns = _FILES if weights else _FILES[1:]
    files = {path for pattern in patterns for path in folder.glob(pattern)}
    if needed is not None:
        files |= set(folder.rglob(code.FILES))
    named = sorted((path.relative_to(folder).as_posix(), path) for path in files)
    identity: dict[str, Json] = {"files": digest([[name, file_digest(f)] for name, f in named])}
    return Checkpoint(folder, identity, target, foreign=needed)


def _download(
    repo: str, revision: str | None, trust_remote_code: bool, weights: bool
) -> Checkpoint:
    """Get what describes a model, decide whether it may be used, then get the rest."""
    folder = _snapshot(repo, revision, ["*.json"])
    commit = folder.name
    if not _COMMIT.fullmatch(commit):
        raise DataError(f"the hub gives no commit of {repo} but {commit!r}")
    _check_no_adapter(folder)
    needed, files = code.foreign(folder), list(_FILES if weights else _FILES[1:])
    if needed is not None:
        code.check(needed, repo, trust_remote_code, commit, pinned=revision == commit)
        files.append(code.FILES)
    folder = _snapshot(repo, commit, files)
    if weights:
        _check_weights(folder)
    identity: dict[str, Json] = {"repo": repo, "commit": commit}
    return Checkpoint(folder, identity, repo, revision, needed)


def _snapshot(repo: str, revision: str | None, files: list[str]) -> Path:
    """Return the folder of a repository's files, downloaded if they are not there yet."""
    try:
        import huggingface_hub
    except ImportError as error:
        raise MissingDependency(f"the hub model {repo}", "hf") from error
    try:
        return Path(
            huggingface_hub.snapshot_download(repo, revision=revision, allow_patterns=files)
        )
    except (OSError, ValueError) as error:  # the hub's own errors are kinds of these two
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"cannot get {repo} from the hub ({why}); check the name and the network, or name the "
            "folder of a copy in its place: transformers:FOLDER"
        ) from error


def _check_no_adapter(folder: Path) -> None:
    """Refuse changes to another model: which one, and which version of it, is not in the digest."""
    if (folder / "adapter_config.json").is_file():
        raise DataError(
            f"{folder} holds an adapter (adapter_config.json), not a model: merge it into its base "
            "with peft's merge_and_unload() and save_pretrained()"
        )


def _check_weights(folder: Path) -> None:
    if any(folder.glob("*.safetensors")):
        return
    pickles = [p.name for p in sorted(folder.iterdir()) if p.suffix in (".bin", ".pt", ".pth")]
    usual = [name for name in pickles if name.startswith("pytorch_model")]
    pattern = "pytorch_model*.bin" if usual else (pickles or ["pytorch_model*.bin"])[0]
    found = f"; {pickles[0]} is a pickle, which may run code, and is never read" if pickles else ""
    raise DataError(
        f"{folder} holds no safetensors weights{found}. Convert a copy, there: "
        f'python -c "{_CONVERT.format(pattern=pattern)}"'
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
        DataError: the files do not make such a model, or their own code fails.
    """
    needed = checkpoint.foreign
    words = kind.__name__ == "AutoTokenizer"
    trusted = needed is not None and (needed.tokenizer if words else needed.model)
    try:
        with _quiet():
            loaded = kind.from_pretrained(
                checkpoint.folder, local_files_only=True, trust_remote_code=trusted, **settings
            )
            if words and not trusted:
                loaded = _as_written(loaded, checkpoint.folder)
    except Exception as error:
        usual = isinstance(error, OSError | ValueError | KeyError | TypeError | RuntimeError)
        if not usual and not trusted:  # code of other people may raise anything
            raise
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{checkpoint.folder} does not load with {kind.__name__}: {why}") from error
    return loaded.eval() if hasattr(loaded, "eval") else loaded


def _as_written(tokenizer: Any, folder: Path) -> Any:
    """Return the tokenizer that ``tokenizer.json`` describes, where that is one by bytes.

    transformers 5 builds every tokenizer that is labelled as Llama's in Llama 2's shape. One by
    bytes (DeepSeek's 7B models have that label) would lose spaces and line breaks without a word.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    file = folder / "tokenizer.json"
    if not tokenizer.is_fast or _by_bytes(tokenizer.backend_tokenizer) or not file.is_file():
        return tokenizer
    if not _by_bytes(Tokenizer.from_file(str(file))):
        return tokenizer
    return PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)


def _by_bytes(core: Any) -> bool:
    """Whether the letters of a tokenizer's vocabulary are bytes."""
    return "ByteLevel" in f"{core.pre_tokenizer} {core.decoder}"


def load_model(kind: Any, checkpoint: Checkpoint, device: Any, **settings: Any) -> Any:
    """Return a model on a device, all of whose weights come from the checkpoint.

    Raises:
        DataError: as `load`, and for weights that are not there: the library would make them up.
        InfrastructureError: the device has no room for them.
    """
    import torch

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
    try:
        return model.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise InfrastructureError(
            f"{checkpoint.name}: out of memory while its weights go to {device}; give dtype="
            "bfloat16, a device with more room, or --engine vllm with tensor_parallel_size="
        ) from error


def architecture(config: Any, checkpoint: Checkpoint, head: str = "lm") -> Architecture | None:
    """Return the shape of the model that a config describes, without its weights.

    Raises:
        DataError: transformers knows no such model for this use.
    """
    try:
        needed = checkpoint.foreign
        return shape.architecture(config, head, needed is not None and needed.model)
    except ValueError as error:
        why = str(error).strip().splitlines()[0]
        raise DataError(f"{checkpoint.name} is no model of this kind: {why}") from error


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
