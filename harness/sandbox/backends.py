"""Chooses what isolates: the only door through which others open a sandbox."""

from __future__ import annotations

from harness.errors import ConfigError, InfrastructureError, unknown
from harness.sandbox import containers, local, namespaces, remote
from harness.sandbox.job import Availability, Sandbox

NAMES = ("auto", "namespaces", "docker", "podman", "gvisor", "remote", "unsafe-local")


def open_sandbox(
    name: str = "auto",
    workers: int | None = None,
    unsafe_local: bool = False,
    url: str | None = None,
) -> Sandbox:
    """Return a sandbox; ``auto`` is namespaces, and never anything without isolation.

    Raises:
        ConfigError: a name that does not exist, unsafe-local or remote not asked for in full, or
            their options beside another name.
        InfrastructureError: the backend does not work on this machine; the message says why and
            what to do.
    """
    if name not in NAMES:
        raise unknown("sandbox", name, NAMES)
    if workers is not None and workers < 1:
        raise ConfigError(f"a sandbox needs at least one worker, not {workers}")
    if url is not None and name != "remote":
        raise ConfigError(f"--sandbox {name} has no address; --sandbox-url goes with remote")
    if unsafe_local and name != "unsafe-local":
        raise ConfigError(f"--sandbox {name} isolates; --unsafe-local-code goes with unsafe-local")
    if name == "remote":
        return remote.RemoteSandbox(remote.address(url), workers)
    if name == "unsafe-local":
        return local.open_pool(workers, unsafe_local)
    if name in containers.ENGINES:
        _require(containers.probe(name))
        return containers.open_pool(name, workers)
    found = namespaces.probe()
    _require(found)
    return namespaces.open_pool(workers, found.layers)


def available() -> list[Availability]:
    """Return what works on this machine, in the order in which to prefer it; takes a second."""
    engines = [containers.probe(name) for name in containers.ENGINES]
    return [namespaces.probe(), *engines, remote.probe(), local.probe()]


def _require(found: Availability) -> None:
    """Refuse to go on without isolation."""
    if found.works:
        return
    others = [name for name in ("namespaces", *containers.ENGINES) if name != found.backend]
    raise InfrastructureError(
        "no sandbox available, refusing to run model-written code.\n"
        f"  {found.backend}  failed: {found.why}\n"
        f"Choose another: --sandbox {' | '.join(others)} | remote with --sandbox-url URL; "
        "last resort, NO isolation: --sandbox unsafe-local --unsafe-local-code"
    )
