"""``http://HOST:PORT,protocol=vllm,model=NAME,tokenizer=MODEL`` is a PRM that a vLLM server runs.

    vllm serve MODEL --runner pooling

A recipe says how solutions are shown and where they are read (`harness.prms.recipe`); inputs go as
token ids to ``/pooling`` (task ``token_classify``), which answers the numbers of the model's own
head at every token. So the head has to be a classifier that vLLM knows: of transformers' token
classification, or of Qwen2.5-Math-PRM. What reads a language model's output needs the engine in
process (``engine=vllm``).

``tokenizer`` names a folder or ORG/NAME with tokenizer and configuration, ``model`` what the server
calls it; ``connections``, ``rate``, ``timeout``, ``patience`` and ``key`` are as in
`harness.prms.http`.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from harness.adapters import checkpoint
from harness.adapters.options import Options
from harness.adapters.server import Server
from harness.cost import Architecture
from harness.errors import ConfigError, DataError
from harness.prms import http
from harness.prms.numbers import LM_HEADS, NUMBERS, Floats
from harness.prms.reader import Machine, Opened
from harness.prms.recipe import Recipe
from harness.prms.render import Encoded
from harness.prms.transformers import TransformersPrm
from harness.types import Json


class PoolingPrm(TransformersPrm):
    """A classifier behind a vLLM server as a PRM; nothing is sent before the first draft is scored.

    Raises:
        ConfigError: a wrong option, no model or tokenizer named, a recipe that reads no classifier.
        DataError: a tokenizer that does not load; later, an answer that is none, a refusal.
        InfrastructureError: later, a server that stays away.
    """

    unit_rows = 256
    has_weights = False

    def _model(self, options: Options) -> str:
        options.choice("protocol", "vllm", http.PROTOCOLS)
        found = options.text("tokenizer", None)
        if found is None:
            raise ConfigError(
                f"PRM {self.spec.name}: name whose tokenizer makes the inputs: tokenizer=FOLDER or "
                "ORG/NAME"
            )
        return found

    def _place(self, options: Options) -> None:
        name = options.text("model", None)
        if name is None:
            raise ConfigError(f"PRM {self.spec.name} names no model; add model=NAME")
        self._name: str = name
        self._server = http.server(self.spec, options)
        self._machine = Machine(torch.device("cpu"), torch.float32, 0, None)
        if self._recipe.head in LM_HEADS:
            raise ConfigError(
                f"PRM {self.spec.name}: head={self._recipe.head} reads the language model, and a "
                "server gives a classifier's numbers; use vllm:MODEL"
            )

    def _read_with(self, models: Sequence[Opened]) -> Sequence[ServedReader]:
        return [ServedReader(self._recipe, own, self._server, self._name) for own in models]

    def identity(self) -> dict[str, Json]:
        """Address and model, as the user names them, tokenizer and recipe."""
        found = {k: v for k, v in super().identity().items() if k not in ("files", "dtype")}
        tokenizer = self._readers[0].opened.found.identity
        own = {"adapter": "http", "protocol": "vllm", "url": self._server.url, "model": self._name}
        return {**found, **own, "tokenizer": tokenizer}

    def describe(self) -> dict[str, Json]:
        """How many requests at once."""
        return {"connections": self._server.connections}


class ServedReader:
    """A classifier on a server; see `harness.prms.reader.Reads`."""

    cache: int | None = None

    def __init__(self, recipe: Recipe, own: Opened, server: Server, name: str) -> None:
        """Args: besides the obvious, what the server calls the model."""
        self._numbers, self.opened = NUMBERS[recipe.head], own
        self._server, self._name = server, name
        known = recipe.weights == "classifier"
        self.architecture: Architecture | None = (
            checkpoint.architecture(own.config, own.found, head="value") if known else None
        )

    def load(self) -> None:
        """The server has loaded it."""

    def read(self, requests: Sequence[Sequence[Encoded]]) -> list[tuple[list[Floats], int]]:
        """Return per request the numbers of each input, and the tokens computed."""
        inputs = [one for request in requests for one in request]
        with ThreadPoolExecutor(self._server.connections) as pool:
            found = iter(list(pool.map(self._ask, inputs)))
        return [
            ([next(found) for _ in request], sum(len(one.ids) for one in request))
            for request in requests
        ]

    def remember(self, on: bool) -> None:
        """What a server remembers is its own affair."""

    def close(self) -> None:
        """Close the connections; they open again if it is asked again."""
        self._server.close()

    def _ask(self, one: Encoded) -> Floats:
        """Return the numbers at the places of one input: (places, numbers).

        Raises:
            DataError: an answer that is none, of another head, or not of all tokens.
        """
        ids = list(one.ids[: max(one.reads) + 1])
        body = {"model": self._name, "input": ids, "task": "token_classify"}
        reply = self._server.post("/pooling", {**body, "use_activation": False})
        try:
            (given,) = reply["data"]
            rows = np.array(given["data"], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"PRM {self._server.url} answers {str(reply)[:80]!r}, not a classifier's numbers"
            ) from error
        if rows.shape != (len(ids), self._numbers):
            raise DataError(
                f"PRM {self._server.url} gives {' × '.join(map(str, rows.shape))} numbers for "
                f"{len(ids)} tokens, and the recipe reads {self._numbers} at each; is it the "
                "recipe's model, served with --runner pooling?"
            )
        found: Floats = rows[list(one.reads)]
        return found
