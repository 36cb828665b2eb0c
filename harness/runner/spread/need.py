"""What a worker needs, and whether this machine has it.

Ray waits for what a cluster lacks, as a node that has it may still join. A cluster of our own is
this machine: what it lacks never comes, so it is refused before anything is started or written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec

from harness.config import RayConfig
from harness.errors import ConfigError, MissingDependency
from harness.runner.spread.cluster import address_of, prepare
from harness.sandbox.pool import cores


def need_of(config: RayConfig) -> dict[str, float]:
    """Return how much ``CPU`` and ``GPU`` a worker or a pair takes; what it takes none of is
    left out."""
    need = {"CPU": config.cpus, "GPU": config.gpus}
    if config.prm_gpus is not None:
        need = {"CPU": 2 * config.cpus, "GPU": config.gpus + config.prm_gpus}
    return {key: value for key, value in need.items() if value}


def fit(there: Mapping[str, float], need: Mapping[str, float]) -> int:
    """Return how many workers have place in what is there."""
    return int(min(there.get(key, 0.0) / value + 1e-9 for key, value in need.items()))


def check_room(engine: str, config: RayConfig) -> None:
    """Make sure that the workers that are asked for can be: at once, and without starting any.

    Raises:
        MissingDependency: Ray is asked for and not installed.
        ConfigError: a cluster of our own is asked for more than this machine has.
    """
    if engine != "ray":
        return
    if find_spec("ray") is None:
        raise MissingDependency("--engine ray", "ray")
    if address_of(config) is None:
        check_fit(config, {"CPU": cores(), "GPU": gpus() if need_of(config).get("GPU") else 0})


def check_fit(config: RayConfig, there: Mapping[str, float]) -> None:
    """Raise a ConfigError if a machine with so much has no room for what is asked.

    Args:
        config: how many workers, and what each takes.
        there: ``CPU`` and ``GPU`` → how many.
    """
    need, wanted = need_of(config), config.workers or 1
    rooms = {key: fit(there, {key: value}) for key, value in need.items()}
    key, most = min(rooms.items(), key=lambda room: room[1])
    if most >= wanted:
        return
    workers = f"ray.workers={wanted} with " if most else ""
    remedy = f"--set ray.workers={most} at most" if most else _less(config, key, there[key])
    raise ConfigError(
        f"no room for {workers}{_asked(config, key)} on this machine, which has "
        f"{_count(key, there[key])}: {remedy}, or --ray-address HOST:PORT of a larger cluster"
    )


def _asked(config: RayConfig, key: str) -> str:
    """Return the settings by which a worker takes so much."""
    pair = config.prm_gpus is not None
    if key == "CPU":
        return f"ray.cpus={config.cpus:g}{' for each of a pair' if pair else ''}"
    return f"ray.gpus={config.gpus:g}" + (f" and ray.prm_gpus={config.prm_gpus:g}" if pair else "")


def _less(config: RayConfig, key: str, there: float) -> str:
    """Return what to type where not even one worker has room."""
    pair = config.prm_gpus is not None
    if key == "CPU":
        return f"--set ray.cpus={there / (2 if pair else 1):g} at most"
    names = "ray.gpus and ray.prm_gpus" if pair else "ray.gpus"
    if not there:
        return f"leave {names} out to work on its cores"
    return f"less of {names}" if pair else f"--set ray.gpus={there:g} at most"


def _count(key: str, number: float) -> str:
    word = "core" if key == "CPU" else "GPU"
    return f"{number:g} {word}{'s' if number > 1 else ''}" if number else f"no {word}"


def gpus() -> float:
    """Return how many GPUs Ray is going to find here; more than any number if it does not tell."""
    prepare(None)
    try:  # not of Ray's public interface, which tells it of a running cluster only
        from ray._private.accelerators import get_accelerator_manager_for_resource
    except ImportError:
        return math.inf
    found = get_accelerator_manager_for_resource("GPU")
    visible = found.get_current_process_visible_accelerator_ids()
    count = found.get_current_node_num_accelerators()
    return float(count if visible is None else min(count, len(visible)))
