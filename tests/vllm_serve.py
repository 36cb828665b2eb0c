"""A real ``vllm serve`` on loopback, for the tests of policies and PRMs behind servers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
SERVER = "vllm.entrypoints.openai.api_server"
"""What ``vllm serve`` starts. The command itself looks for a package called vllm, which the build
for CPUs is not."""
PATIENCE = 1000
"""Seconds for which a start is waited for: on a busy machine the imports alone take a minute."""


@contextmanager
def vllm_serve(model: Path, log: Path, *options: str) -> Iterator[str]:
    """Serve a model in 32-bit floats under the name ``m``; yield the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    usual = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "m"]
    usual += ["--dtype", "float32", "--enforce-eager", "--load-format", "safetensors"]
    paths = [str(ROOT), os.environ.get("PYTHONPATH")]
    settings = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }
    with log.open("wb") as said:
        server = subprocess.Popen(
            [sys.executable, "-m", SERVER, "--model", str(model), *usual, *options],
            env={**os.environ, **settings},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    url, end = f"http://127.0.0.1:{port}", time.monotonic() + PATIENCE
    try:
        while not _answers(url):
            if server.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"vllm serve does not answer:\n{log.read_text()[-4000:]}")
            time.sleep(0.5)
        yield url
    finally:
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(server.pid, how)
                server.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
