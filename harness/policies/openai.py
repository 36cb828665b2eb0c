"""``openai:URL,model=NAME`` writes with any OpenAI-compatible server: vLLM, SGLang, llama.cpp, …

`URL` is what the client of such a server calls base URL (``http://localhost:8000/v1``).

========================  =========================================================================
``model``                 what the server calls it; needed, and part of the identity
``api``                   ``chat`` (the server applies the template) or ``completions``; by default
                          ``completions`` where a tokenizer is given, else ``chat``
``tokenizer``             folder or ORG/NAME with the model's tokenizer and configuration: prompts
                          are made here, with its chat template (``chat``, ``system``), and sent as
                          token ids, so that a continued draft is read as it was written; tokens of
                          the context are known, and so are FLOPs
``continues``             ``true``: the chat server goes on with an answer that has begun, as vLLM
                          and SGLang do (``continue_final_message``); searches need it, or
                          ``completions``
``logprobs``              ``true`` keeps the log-probability of every token
``seeds``                 ``server``: a seed goes along with every request; ``ours``: the server
                          is a vLLM that draws as ``vllm:MODEL`` does (docs/engines.md says how
                          it is started); ``none``: what is written cannot be written again
``max_length``            tokens of prompt and text, where it is less than the model's
``key``                   environment variable of the bearer token (``OPENAI_API_KEY``)
``connections``, ``rate``  requests at the same time (64), and per second (no limit)
``timeout``, ``patience``  seconds for one answer (600), and for which a server that is away or busy
                          is waited for (300)
========================  =========================================================================

One request per draft, with a seed of its own that follows from the draft: what is written does not
depend on what runs beside it, as far as the server keeps to that. Stop strings and delimiters are
sent, and looked for again in the answer. Steps need a server that says at which string it stopped
(``stop_reason``, as vLLM does): the protocol itself does not tell a delimiter from the end.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.adapters import checkpoint
from harness.adapters.options import Options
from harness.adapters.server import Refused, Server
from harness.cost import Architecture
from harness.digest import digest
from harness.errors import ConfigError, DataError, InfrastructureError
from harness.policies.completions import Answer, read
from harness.policies.encoding import Encoding
from harness.policies.policy import Ability, check_unfinished
from harness.policies.randomness import key, order
from harness.policies.requests import RequestStream
from harness.policies.stops import ending
from harness.types import Draft, Extend, Extended, Json, Question, Spec, Tokens, Turn

_TOO_LONG = re.compile(
    r"context.?length|context_length_exceeded|max_model_len|context window|"
    r"max_tokens must be at least 1, got 0",
    re.I,
)
"""How servers say that prompt and answer do not fit."""

_PROBE = "Let x = 12 + 345;\n\n\\boxed{7} – is ½ naïve?"
"""A text that tokenizers cut differently."""


class OpenAIPolicy:
    """A server as a policy; no request is sent before the first draft is to be written.

    Raises:
        ConfigError: a wrong option, no model named.
        DataError: a tokenizer that does not load; later, an answer that is none, a refusal.
        InfrastructureError: later, a server that stays away.
    """

    max_samples: int | None = None

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "policy")
        self.spec = spec
        if not re.match(r"https?://", spec.target):
            raise ConfigError(f"policy openai:{spec.target}: write openai:http://HOST:PORT/v1")
        model = options.text("model", None)
        if model is None:
            raise ConfigError(f"policy openai:{spec.target} names no model; add model=NAME")
        self._model: str = model
        tokenizer = options.text("tokenizer", None)
        usual = "completions" if tokenizer else "chat"
        self._chat = options.choice("api", usual, ("chat", "completions")) == "chat"
        template = options.choice("chat", "auto", ("auto", "on", "off"))
        self._system = options.text("system", None)
        self._continues = options.flag("continues", False) or not self._chat
        self._logprobs = options.flag("logprobs", False)
        self._seeds = options.choice("seeds", "server", ("server", "ours", "none"))
        self._max_length = options.integer("max_length", None, low=2)
        connections = options.integer("connections", 64) or 64
        self.unit_rows = options.integer("batch", 4 * connections) or connections
        self._server = Server(
            spec.target,
            "policy",
            connections=connections,
            timeout=options.number("timeout", 600.0, 0.1, 1e6),
            patience=options.number("patience", 300.0, 0.0, 1e6),
            rate=options.number_or("rate", None, 1e-3, 1e6),
            key=options.text("key", "OPENAI_API_KEY"),
        )
        options.done()
        if self._system is not None and not (self._chat or tokenizer):
            raise ConfigError(f"policy {spec.name}: system= needs api=chat or tokenizer=")
        self._encoding: Encoding | None = None
        self._lock, self._compared = threading.Lock(), False
        self._away: tuple[float, InfrastructureError] | None = None
        """When the server was last waited for in vain, to compare tokenizers."""
        self._content: dict[str, Json] = {}
        self.architecture: Architecture | None = None
        if tokenizer:
            self._read(tokenizer, template)

    def _read(self, target: str, template: str) -> None:
        """Read tokenizer and configuration."""
        import transformers

        found = checkpoint.locate(target, weights=False)
        config = checkpoint.load(transformers.AutoConfig, found)
        context = getattr(config.get_text_config(), "max_position_embeddings", None)
        self._max_length = min(filter(None, (self._max_length, context)), default=None)
        self.architecture = checkpoint.architecture(config, found)
        if not self._chat:
            words = checkpoint.load(transformers.AutoTokenizer, found)
            self._encoding = Encoding(words, template, self._system, target)
        self._content = {"tokenizer": found.identity}

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do besides writing whole solutions."""
        chats: Sequence[Ability] = ["chat"] if self._chat or self._encoding else []
        goes_on: Sequence[Ability] = ["continue"] if self._continues else []
        return frozenset([*chats, *goes_on])

    def identity(self) -> dict[str, Json]:
        """Address and model, as the user names them, and the form of the prompt."""
        used = self._encoding.template if self._encoding else None
        return {
            "adapter": "openai",
            "url": self._server.url,
            "model": self._model,
            "api": "chat" if self._chat else "completions",
            "system": self._system,
            "max_length": self._max_length,
            "logprobs": self._logprobs,
            "template": digest(used) if used else None,
            **self._content,
            **({"seeds": self._seeds} if self._seeds != "server" else {}),
        }

    def describe(self) -> dict[str, Json]:
        """How many requests at once."""
        return {"connections": self._server.connections}

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """A model answers any question."""

    def load(self) -> None:
        """The server has its model loaded."""

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        """Write; see `Policy.extend`."""
        stream, replies = self.stream(), dict[int, Extended]()
        for ticket, request in enumerate(requests):
            stream.submit(ticket, request)
        while stream.rows:
            replies.update(stream.collect())
        stream.close()
        return [replies[ticket] for ticket in range(len(requests))]

    def stream(self) -> RequestStream:
        """Open a stream; see `Policy.stream`."""
        return RequestStream(self._server.connections, self._check, self._write)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _check(self, request: Extend) -> None:
        """Refuse what the protocol cannot do.

        Raises:
            ConfigError: says what, and what would help.
        """
        check_unfinished(request)
        cut = request.cut
        if request.alternatives or (cut and cut.confidence):
            raise ConfigError(
                f"policy {self.spec.name}: a server does not tell the tokens that confidence and "
                "value-guided decoding need; use transformers:MODEL"
            )
        if not self._continues and (cut or any(draft.text for draft in request.drafts)):
            raise ConfigError(
                f"policy {self.spec.name} cannot go on with an answer that has begun; add "
                "continues=true (vLLM, SGLang) or api=completions"
            )

    def _write(self, request: Extend, index: int) -> tuple[Draft, Tokens]:
        """Continue one draft."""
        self._compare_words()
        draft, cut = request.drafts[index], request.cut
        prompt = self._prompt(request.question, draft.text)
        room = request.sampling.max_tokens - (draft.tokens or 0)
        if self._max_length and self._encoding:
            room = min(room, self._max_length - len(prompt))
        if room <= 0:
            return replace(draft, finish="length"), Tokens(1)
        limit = min(room, cut.tokens) if cut and cut.tokens else room
        body = self._body(request, index, prompt, limit)
        answer: Answer | None
        try:
            answer = self._ask(body)
        except Refused as error:
            if not _TOO_LONG.search(error.said):
                raise
            answer = self._ask_short(body, error)
        if answer is None:
            return replace(draft, finish="length"), Tokens(1)
        spent = Tokens(1, answer.prompt, answer.prompt - answer.cached, answer.tokens)
        cut_short = limit < room and answer.tokens >= limit  # else the context has ended
        return self._continued(request, draft, answer, cut_short), spent

    def _compare_words(self) -> None:
        """Make sure, once, that the server's model has the tokenizer that prompts are made with.

        Raises:
            ConfigError: it has not. vLLM tells; of a server that does not, it has to be believed.
        """
        began = time.monotonic()
        with self._lock:
            if self._encoding is None or self._compared:
                return
            if self._away is not None and self._away[0] >= began:  # somebody has waited for all
                raise self._away[1]
            body = {"model": self._model, "prompt": _PROBE, "add_special_tokens": False}
            try:
                reply = self._server.post(self._server.url.removesuffix("/v1") + "/tokenize", body)
                theirs: tuple[int, ...] | None = tuple(reply["tokens"])
            except (DataError, KeyError, TypeError):
                theirs = None
            except InfrastructureError as error:
                self._away = time.monotonic(), error
                raise
            if theirs not in (None, self._encoding.text(_PROBE)):
                raise ConfigError(
                    f"policy {self.spec.name}: the model {self._model} of {self._server.url} has "
                    "another tokenizer than tokenizer= names; name the one that it has"
                )
            self._compared = True

    def _prompt(self, asked: Question, before: str) -> str | list[int] | list[dict[str, str]]:
        """Return what stands before the text that is to come."""
        if self._encoding is not None:
            text = self._encoding.text(before) if before else ()
            return [*self._encoding.asked(asked), *text]
        if not self._chat:
            return asked.prompt + before
        turns = list(asked.chat or (Turn("user", asked.prompt),))
        if self._system is not None and turns[0].role != "system":
            turns.insert(0, Turn("system", self._system))
        if before:
            turns.append(Turn("assistant", before))
        return [{"role": turn.role, "content": turn.text} for turn in turns]

    def _body(self, request: Extend, index: int, prompt: object, limit: int) -> dict[str, Any]:
        """Return the request for one draft."""
        sampling, cut = request.sampling, request.cut
        wanted = request.logprobs or self._logprobs
        body: dict[str, Any] = {
            "model": self._model,
            ("messages" if self._chat else "prompt"): prompt,
            "max_tokens": limit,
            "temperature": sampling.temperature,
            "n": 1,
        }
        if sampling.temperature > 0 and self._seeds == "ours":
            own = order(key(request, index), 0, sampling.temperature, sampling.top_p)
            body |= {"temperature": 0, "vllm_xargs": own}
        elif sampling.temperature > 0:
            body["top_p"] = sampling.top_p
            if self._seeds == "server":
                body["seed"] = _seed(request, index)
        if stops := [*sampling.stop, *(cut.delimiters if cut else ())]:
            body["stop"] = stops
        if wanted:
            body["logprobs"] = True if self._chat else 0
        if self._chat and request.drafts[index].text:
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return body

    def _ask_short(self, body: dict[str, Any], refusal: Refused) -> Answer | None:
        """Ask for what the context leaves; None where it leaves nothing.

        Raises:
            DataError: a completions server, which would write 16 tokens by default.
        """
        if not self._chat:
            raise DataError(
                f"{refusal}; tell how long the context is with tokenizer=MODEL, or lower "
                "--set sampling.max_tokens"
            ) from refusal
        try:
            return self._ask({key: v for key, v in body.items() if key != "max_tokens"})
        except Refused as error:
            if _TOO_LONG.search(error.said):
                return None
            raise

    def _ask(self, body: dict[str, Any]) -> Answer:
        """Send one request.

        Raises:
            DataError: an answer without text, reason or usage.
        """
        path = "/chat/completions" if self._chat else "/completions"
        reply = self._server.post(path, body, holds="choices")
        return read(reply, self._chat, "logprobs" in body, f"policy {self._server.url}")

    def _continued(self, request: Extend, draft: Draft, answer: Answer, cut_short: bool) -> Draft:
        """Return a draft with what was written; `cut_short`: it was to be a step of some tokens."""
        sampling, cut = request.sampling, request.cut
        text, finish = answer.text, answer.finish
        delimiters = cut.delimiters if cut else ()
        if delimiters and finish == "stop":
            if answer.stopped is None:
                raise DataError(
                    f"policy {self.spec.name}: the server does not say at which string it stopped "
                    "(stop_reason), so steps cannot be told from ends; vLLM does"
                )
            if answer.stopped in delimiters:
                text, finish = text + answer.stopped, None
        if cut_short and finish == "length":
            finish = None
        # What the server took no notice of: more strings than it allows, one that began before.
        if (end := ending(text, sampling.stop, delimiters, draft.text)) is not None:
            text, finish = end.text, end.finish
        known = draft.logprobs if draft.tokens else ()
        both = answer.logprobs is not None and known is not None
        return Draft(
            steps=(*draft.steps, text) if text else draft.steps,
            finish=finish,
            tokens=None if draft.tokens is None else draft.tokens + answer.tokens,
            logprobs=(*(known or ()), *(answer.logprobs or ())) if both else None,
        )


def _seed(request: Extend, index: int) -> int:
    """Return the seed of a draft, in the 31 bits that every server takes."""
    return (key(request, index) & 0xFFFFFFFF) >> 1
