"""What a worker on this machine is started with: interpreter, files it may see, its environment."""

from __future__ import annotations

import importlib.util
import marshal
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from harness.sandbox.inside.encoding import VERSION
from harness.types import Json

Preload = Literal["lean", "numpy"]
"""What a worker has loaded. numpy triples the time of a fork, so that only code that mentions it
goes to a worker that has it."""

SCRATCH = 16 * 2**20
"""Bytes of a worker's private /tmp."""
PACKAGES = "/run/packages"
INSIDE = Path(__file__).with_name("inside")
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",  # the same order of sets in every execution
    "PYTHONDONTWRITEBYTECODE": "1",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Files:
    """What of the machine is seen inside."""

    binds: tuple[tuple[str, str], ...]
    """Read-only: path outside, path inside."""
    links: tuple[tuple[str, str], ...]
    """Symbolic links: path, target."""
    masks: tuple[str, ...]
    """Folders in what is bound that appear empty: installed packages."""


def interpreter() -> str:
    """Return the real path of the interpreter, outside any virtual environment."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base = Path(sys.base_prefix) / "bin" / name
    return str(base.resolve() if base.exists() else Path(sys.executable).resolve())


@cache
def numpy_folders() -> tuple[Path, ...]:
    """Return the folders of numpy and of the libraries in its wheel; () if it is not installed."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or not spec.origin:
        return ()
    package = Path(spec.origin).parent
    libraries = package.with_name("numpy.libs")
    return (package, libraries) if libraries.is_dir() else (package,)


@cache
def files(preload: Preload) -> Files:
    """Return what a worker sees: system libraries, the interpreter's, and numpy if it is to."""
    binds, links = [("/usr", "/usr")], []
    for name in ("lib", "lib32", "lib64", "libx32"):
        path = Path("/") / name
        if path.is_symlink():
            links.append((str(path), os.readlink(path)))
        elif path.is_dir():
            binds.append((str(path), str(path)))
    roots = ["/usr", "/usr/local"]
    prefix = Path(sys.base_prefix).resolve()
    python = interpreter()
    if not prefix.is_relative_to("/usr"):
        # No more than it needs: the prefix of a conda may hold other environments, and data.
        binds += [(str(prefix / "lib"), str(prefix / "lib")), (python, python)]
        roots.append(str(prefix))
    if os.path.exists("/etc/ld.so.cache"):
        binds.append(("/etc/ld.so.cache", "/etc/ld.so.cache"))
    masks = {
        str(found)
        for root in roots
        for pattern in ("lib*/python3*/site-packages", "lib*/python3*/dist-packages")
        for found in Path(root).glob(pattern)
        if found.is_dir() and not found.is_symlink()
    }
    if preload == "numpy":
        binds += [(str(path), f"{PACKAGES}/{path.name}") for path in numpy_folders()]
    return Files(tuple(binds), tuple(links), tuple(sorted(masks)))


def setup(preload: Preload, isolated: bool, filtered: bool) -> dict[str, object]:
    """Return the first message to a zygote."""
    from harness.sandbox import seccomp

    names = ["numpy"] if preload == "numpy" else []
    outside = [str(path.parent) for path in numpy_folders()[:1]]
    packages = ([PACKAGES] if isolated else outside) if names else []
    # For any machine: a container may have another than this one.
    programs = {machine: seccomp.build(machine) for machine in seccomp.MACHINES}
    return {
        "filters": {
            machine: (program.program, list(program.own_pid))
            for machine, program in programs.items()
            if filtered
        },
        "preload": names,
        "packages": packages,
        "scratch": "/tmp" if isolated else None,
    }


def launch(preload: Preload, isolate: bool, files_: tuple[int, ...], groups: list[str]) -> Json:
    """Return the plan for `harness.sandbox.inside.launch`."""
    seen = files(preload)
    return {
        "isolate": isolate,
        "files": list(files_),
        "cgroups": list(groups),
        "base": "/tmp",
        "home": str(INSIDE.parent),
        "python": interpreter(),
        "environment": dict(ENVIRONMENT),
        "binds": [list(pair) for pair in seen.binds] if isolate else [],
        "links": [list(pair) for pair in seen.links] if isolate else [],
        "masks": list(seen.masks) if isolate else [],
        "scratch": SCRATCH,
    }


def threads_counted() -> bool:
    """Whether the kernel counts threads per user namespace: since Linux 5.14."""
    release = platform.release().split(".")
    try:
        return (int(release[0]), int(release[1].split("-")[0])) >= (5, 14)
    except (ValueError, IndexError):
        return False


@cache
def marshalled_setup(preload: Preload, isolated: bool, filtered: bool) -> bytes:
    """Return the first message to a zygote as bytes."""
    return marshal.dumps(cast("Any", setup(preload, isolated, filtered)), VERSION)
