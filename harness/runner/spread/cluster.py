"""A connection to a Ray cluster: one that is there, or one of our own on this machine.

A cluster of our own listens on the loopback interface alone, asks for a token that nobody else has,
shows no dashboard, reports nothing to anybody, and ends with this process, however that ends.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.config import RayConfig
from harness.errors import ConfigError, InfrastructureError
from harness.runner.spread.scratch import Scratch

logger = logging.getLogger(__name__)

_ALWAYS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # its paragraphs on standard output, where results go
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO_NUM_GPUS": "0",  # what a later version does, and no warning
}
_OWN = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on any system: one machine, loopback only
    "RAY_AUTH_MODE": "token",
    "RAY_worker_niceness": "0",  # the workers are the run, not its background
}
_QUIET: dict[str, Any] = {
    "log_to_driver": False,
    "logging_level": logging.ERROR,
    "configure_logging": False,
}
_STARTS = 3
_KNOCK = 10.0
"""Seconds that a head may take to accept a connection."""
_STORE = 2**28
"""Bytes of shared memory: units and their records pass through it."""


def address_of(config: RayConfig) -> str | None:
    """Return where the cluster is; None: one of our own is to be started here."""
    return config.address or os.environ.get("RAY_ADDRESS") or None


def prepare(address: str | None) -> None:
    """Set what Ray reads from the environment; call it before Ray is imported."""
    os.environ.update(_ALWAYS)
    if address is None and "ray" not in sys.modules:  # which reads them when it is imported
        for key, value in {**_OWN, "RAY_AUTH_TOKEN": secrets.token_hex(32)}.items():
            os.environ.setdefault(key, value)


def connect(address: str | None, cores: int) -> Cluster:
    """Connect to the cluster at `address`, or start one with `cores`.

    Raises:
        ConfigError: there is no cluster at that address.
        InfrastructureError: none can be started.
    """
    prepare(address)
    with _own_signals():
        return Cluster(address, cores)


class Cluster:
    """A connection; ends with `close`."""

    def __init__(self, address: str | None, cores: int) -> None:
        import ray

        self.own = address is None
        self._scratch: Scratch | None = None
        if address is None:
            self._start(cores)
            return
        try:
            _knock(address)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address=address, **_QUIET)
        except Exception as error:
            raise ConfigError(
                f"no Ray cluster at {address!r}: {_first(error)}; leave --ray-address and "
                "RAY_ADDRESS out to start one here"
            ) from error

    def _start(self, cores: int) -> None:
        """Start a cluster; on a busy machine this may take longer than Ray waits for itself."""
        import ray

        for left in reversed(range(_STARTS)):
            self._scratch = Scratch()
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ray.init(
                        address="local",
                        num_cpus=cores,
                        include_dashboard=False,
                        object_store_memory=_STORE,
                        _node_ip_address="127.0.0.1",
                        _temp_dir=str(self._scratch.path),
                        **_QUIET,
                    )
                return
            except Exception as error:
                self.close()
                if not left:
                    raise InfrastructureError(
                        f"Ray does not start here: {_first(error)}"
                    ) from error
                logger.warning("Ray did not start: %s; trying again", _first(error))

    def resources(self) -> list[dict[str, float]]:
        """Return what every node has, in use or not."""
        import ray

        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    def close(self) -> None:
        """Disconnect; a cluster of our own ends."""
        import ray

        ray.shutdown()
        if self._scratch is not None:
            self._scratch.remove()
            self._scratch = None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGTERM does here: Ray would end this process without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _knock(address: str) -> None:
    """Raise OSError, at once, where nobody listens: Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_KNOCK).close()


def _first(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
