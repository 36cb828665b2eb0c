"""``http://HOST:PORT/PATH`` is a PRM behind a server of anybody's.

Per problem one ``POST`` of ``{"prompt": …, "solutions": [[step, …], …]}``, answered by
``{"scores": [[number per step], …]}``; null in the place of a list: no score for this solution.
Options: ``model`` (what the server serves, a part of the identity: an address does not say it),
``connections`` (requests at the same time), ``timeout`` (seconds of one), ``semantics``,
``aggregation``.

A server that does not answer, or says 429 or 5xx, is asked again, later each time; then it has
failed, and the unit of work is owed. What it says is checked like a file.
"""

from __future__ import annotations

from typing import Any

import httpx
import tenacity

from harness.adapters.options import Options
from harness.errors import DataError, InfrastructureError
from harness.prms.function import FunctionPrm
from harness.types import Spec

TRIES = 6
_BUSY = (429, 500, 502, 503, 504)


class HttpPrm(FunctionPrm):
    """A server as a PRM; no request is sent before the first draft is to be scored."""

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "PRM")
        connections = options.integer("connections", 8) or 8
        model = options.text("model", "") or ""
        timeout = options.number("timeout", 600.0, 0.1, 1e6)
        self._url = f"{spec.adapter}:{spec.target}"
        # Proxies of the environment are for the world; a PRM's server is named by the user.
        self._client = httpx.Client(timeout=timeout, trust_env=False)
        identity: dict[str, Any] = {"adapter": "http", "url": self._url, "model": model}
        super().__init__(spec, options, self._post, identity, connections)
        self._wait: Any = tenacity.wait_exponential_jitter(initial=0.5, max=30)

    def _post(self, prompt: str, solutions: list[list[str]]) -> object:
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((httpx.TransportError, _Busy)),
            stop=tenacity.stop_after_attempt(TRIES),
            wait=self._wait,
            reraise=True,
        )
        try:
            return tries(self._once, {"prompt": prompt, "solutions": solutions})
        except (httpx.TransportError, _Busy) as error:
            why = str(error) or type(error).__name__
            raise InfrastructureError(f"PRM {self._url} did not answer: {why}") from error

    def _once(self, question: dict[str, Any]) -> object:
        reply = self._client.post(self._url, json=question)
        if reply.status_code in _BUSY:
            raise _Busy(f"status {reply.status_code}")
        if reply.status_code != 200:
            raise DataError(f"PRM {self._url}: status {reply.status_code}: {reply.text[:200]}")
        try:
            return reply.json()["scores"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f'PRM {self._url} answers {reply.text[:80]!r}, not {{"scores": [[…], …]}}'
            ) from error

    def close(self) -> None:
        """Close the connections; they open again if it is asked again."""
        timeout = self._client.timeout
        self._client.close()
        self._client = httpx.Client(timeout=timeout, trust_env=False)


class _Busy(Exception):
    """The server said: later."""
