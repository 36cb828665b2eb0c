"""`doctor`: what works on this machine, and what to type where something does not."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import typer

from harness.cli import options


class Check(NamedTuple):
    """One line of the examination."""

    name: str
    state: str
    """``ok``, ``missing`` (an optional part) or ``failed``."""
    detail: str


_EXTRAS = {
    "torch": ("local models", "hf"),
    "transformers": ("local models", "hf"),
    "vllm": ("engine=vllm", "vllm"),
    "evalplus": ("the comparison with its own grader", "code"),
    "ray": ("many machines", "ray"),
}


def doctor(data_dir: options.DataDir = None, as_json: options.AsJson = False) -> None:
    """Say what works here: packages, devices, data, disk."""
    checks = [
        _python(),
        *(_package(name, what, extra) for name, (what, extra) in _EXTRAS.items()),
        _device(),
        _weights(),
        _data(data_dir),
        _hub(),
        _disk(),
        *_sandboxes(),
    ]
    if as_json:
        typer.echo(json.dumps([check._asdict() for check in checks], indent=2))
    else:
        marks = {"ok": "✓", "missing": "–", "failed": "✗"}
        for check in checks:
            typer.echo(f"{marks[check.state]} {check.name:<20} {check.detail}")
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(2)


def _python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} on {platform.platform()}")


def _package(name: str, what: str, extra: str) -> Check:
    if find_spec(name) is None:
        hint = f"not installed; {what} needs: pip install 'prm-harness[{extra}]'"
        return Check(name, "missing", hint)
    for distribution in (name, f"{name}-cpu"):
        with suppress(PackageNotFoundError):
            return Check(name, "ok", f"{version(distribution)}{distribution.removeprefix(name)}")
    return Check(name, "ok", "installed, version unknown")


def _device() -> Check:
    if find_spec("torch") is None:
        return Check("device", "missing", f"{os.cpu_count()} CPU cores; torch is not installed")
    import torch

    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        return Check("device", "ok", f"{torch.cuda.device_count()} × {', '.join(sorted(names))}")
    return Check("device", "ok", f"{os.cpu_count()} CPU cores, no GPU that torch can use")


def _weights() -> Check:
    import harness.embedded

    folder = Path(harness.embedded.__file__).parent / "weights"
    files = sorted(folder.glob("*/model.safetensors"))
    if not files:
        return Check("embedded", "failed", f"no weights under {folder}; install the package again")
    size = sum(file.stat().st_size for file in files) / 2**20
    return Check(
        "embedded", "ok", f"{len(files)} models, {size:.1f} MiB: run-benchmark run embedded"
    )


def _data(given: Path | None) -> Check:
    from harness.paths import data_folder

    folder = data_folder(given)
    if folder is None:
        return Check("data", "missing", "no local data sets (--data-dir, HARNESS_DATA): the hub's")
    return Check("data", "ok", f"local data sets under {folder}")


def _sandboxes() -> list[Check]:
    from harness.sandbox.backends import available

    return [
        Check(f"{one.backend} sandbox", "ok" if one.works else "missing", one.why)
        for one in available()
    ]


def _hub() -> Check:
    if os.environ.get("HF_HUB_OFFLINE") or os.environ.get("HF_DATASETS_OFFLINE"):
        return Check("hub", "missing", "offline by HF_HUB_OFFLINE: only cached models and data")
    return Check(
        "hub", "ok", "models and data sets are fetched from the hub when they are asked for"
    )


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    if not os.access(Path.cwd(), os.W_OK):
        return Check("disk", "failed", f"{Path.cwd()} cannot be written; use --out elsewhere")
    state = "ok" if free > 1 else "failed"
    return Check("disk", state, f"{free:.0f} GiB free here; {sys.getfilesystemencoding()} names")
