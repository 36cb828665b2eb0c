"""The default backend: isolation of our own by Linux namespaces, as root or as anybody.

No tool is needed and nothing is installed. `probe` starts one real worker and runs the self-test
in it, so that it promises only what was seen to hold here.
"""

from __future__ import annotations

import platform
import sys
from functools import cache
from pathlib import Path

from harness.errors import InfrastructureError
from harness.sandbox import cgroups, seccomp
from harness.sandbox.job import Availability, Program
from harness.sandbox.pool import Pool
from harness.sandbox.worker import Worker

NAME = "namespaces"


def open_pool(workers: int | None = None, layers: tuple[str, ...] = ()) -> Pool:
    """Return a sandbox of namespaces; `layers` are those that a probe has seen."""
    cgroups.sweep()
    return Pool(NAME, lambda preload: Worker(preload, isolate=True), workers, layers=layers)


@cache
def probe() -> Availability:
    """Find out whether it works here, by running it."""
    if not sys.platform.startswith("linux"):
        return Availability(NAME, False, f"needs Linux, this is {sys.platform}; use docker")
    if not seccomp.supported():
        why = f"no system call numbers for {platform.machine()}; use docker"
        return Availability(NAME, False, why)
    try:
        with open_pool(1) as pool:
            (found,) = pool.run([Program("print(6 * 7)", b"")])
            facts = pool.describe()
    except InfrastructureError as error:
        return Availability(NAME, False, f"{error}{_fix(str(error))}")
    if found.end != "finished" or found.stdout != b"42\n":
        return Availability(NAME, False, f"a program ended with {found.end}: {found.reason}")
    layers = facts["layers"]
    assert isinstance(layers, list)
    groups = "with control groups" if "cgroups" in layers else "no control groups (not needed)"
    why = f"self-test passed; {groups}"
    return Availability(NAME, True, why, tuple(str(layer) for layer in layers))


_KNOBS = (
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "Ubuntu's AppArmor keeps user namespaces from programs without a profile; "
        "fix: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "user namespaces are off; fix: sudo sysctl kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "user namespaces are off; fix: sudo sysctl user.max_user_namespaces=10000",
    ),
)


def _fix(words: str) -> str:
    """Return what to do about a refusal, as far as the machine says why."""
    for path, bad, text in _KNOBS:
        try:
            if Path(path).read_text().strip() == bad:
                return f" ({text})"
        except OSError:
            continue
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            " (inside a container: start it with --security-opt seccomp=unconfined "
            "--security-opt apparmor=unconfined, or use podman)"
        )
    if "No space left" in words:
        return " (user namespaces are nested too deeply, or too many: user.max_user_namespaces)"
    return ""
