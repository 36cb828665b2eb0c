"""``http://HOST:PORT/PATH`` is a PRM behind a server of anybody's.

Per problem one ``POST`` of ``{"prompt": …, "solutions": [[step, …], …]}``, answered by
``{"scores": [[number per step], …]}``; null in the place of a list: no score for this solution.
With ``protocol=vllm`` the server is a vLLM with a classifier (`harness.prms.pooling`).

Options of our own protocol: ``model`` (what the server serves, a part of the identity: an address
does not say it), ``connections`` and ``rate`` (requests at the same time, and per second),
``timeout`` (seconds of one), ``patience`` (seconds for which it is waited for), ``key``
(environment variable of a bearer token), ``semantics``, ``aggregation``, ``threshold``.

How it is asked, and asked again: `harness.adapters.server`. What it says is checked like a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.adapters.options import Options
from harness.adapters.server import Server
from harness.errors import DataError
from harness.prms.function import FunctionPrm
from harness.types import Spec

if TYPE_CHECKING:
    from harness.prms.prm import Prm

PROTOCOLS = ("steps", "vllm")
"""Steps in, numbers out · tokens in, a classifier's numbers out."""


def open_http(spec: Spec) -> Prm:
    """Open the PRM behind a server, in the protocol that the option ``protocol`` names."""
    if spec.options.get("protocol") == "vllm":
        from harness.prms.pooling import PoolingPrm

        return PoolingPrm(spec)
    return HttpPrm(spec)


def server(spec: Spec, options: Options) -> Server:
    """Return the server of a PRM, as its options say."""
    return Server(
        f"{spec.adapter}:{spec.target}",
        "PRM",
        connections=options.integer("connections", 8) or 8,
        timeout=options.number("timeout", 600.0, 0.1, 1e6),
        patience=options.number("patience", 300.0, 0.0, 1e6),
        rate=options.number_or("rate", None, 1e-3, 1e6),
        key=options.text("key", None),
    )


class HttpPrm(FunctionPrm):
    """A server as a PRM; no request is sent before the first draft is to be scored."""

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "PRM")
        options.choice("protocol", "steps", PROTOCOLS)
        model = options.text("model", "") or ""
        self._server = server(spec, options)
        identity: dict[str, Any] = {"adapter": "http", "url": self._server.url, "model": model}
        super().__init__(spec, options, self._post, identity, self._server.connections)

    def _post(self, prompt: str, solutions: list[list[str]]) -> object:
        reply = self._server.post("", {"prompt": prompt, "solutions": solutions})
        try:
            return reply["scores"]
        except (KeyError, TypeError) as error:
            raise DataError(
                f'PRM {self._server.url} answers {str(reply)[:80]!r}, not {{"scores": [[…], …]}}'
            ) from error

    def close(self) -> None:
        """Close the connections; they open again if it is asked again."""
        self._server.close()
