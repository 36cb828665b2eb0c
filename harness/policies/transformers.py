"""``transformers:MODEL`` samples from any causal language model, on a CPU or a GPU.

What decides the text: the weights, the number format (``dtype``), the chat template (``chat``,
``system``), and the context (``max_length``). What decides the speed alone: ``device``, ``batch``
(drafts at once), ``cache`` (tokens that a stream remembers; 0: none).
``revision`` picks a commit on the hub, ``trust_remote_code=true`` allows code of a model that the
library does not have (`harness.adapters.code`), ``logprobs=true`` keeps the log-probability of
every token (the model's own: before temperature and top_p).

A prompt is read once for all its drafts (its last token by each). A draft that already has text is
continued from the tokens of the prompt followed by the tokens of the text, each encoded by itself;
what is remembered is found by these tokens, so it never changes which are read. See
`harness.policies.stream` for requests, `harness.policies.decoding` for the loop and
`harness.policies.randomness` for the random numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from harness.adapters import checkpoint, kv
from harness.adapters.memory import Memory, usual_tokens
from harness.adapters.options import Options
from harness.cost import Architecture
from harness.digest import digest
from harness.errors import InfrastructureError
from harness.policies import causal
from harness.policies.decoding import Writer
from harness.policies.encoding import Encoding
from harness.policies.ends import Ends
from harness.policies.policy import Ability
from harness.policies.stops import Decoder
from harness.policies.stream import TransformersStream, Writes
from harness.policies.weighing import Asked, weigh
from harness.types import Extend, Extended, Json, Question, Spec, Weigh, Weighed

_SMALL = 100_000_000
"""Parameters of a small model, embeddings aside; see `TransformersPolicy.usual_rows`."""

_READING = {"cpu": 4_096, "other": 32_768}
"""Most tokens of a pass of reading, padding included; see `harness.prms.transformers`."""


@dataclass(frozen=True)
class _Loaded:
    """A model and its ways."""

    model: Any
    ends: Ends
    windows: dict[str, int | None]


class TransformersPolicy:
    """A causal language model as a policy.

    Raises:
        ConfigError: a wrong option, an unknown embedded model or device; when it first writes, an
            architecture whose batched logits differ from its plain ones.
        DataError: files that do not load.
        MissingDependency: torch or transformers is not installed.
    """

    max_samples: int | None = None

    usual_rows = 512, 64
    """Drafts at once of a small model, to which so many are no burden, and of others."""

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "policy")
        self.spec = spec
        chat = options.choice("chat", "auto", ("auto", "on", "off"))
        self._system = options.text("system", None)
        revision = options.text("revision", None)
        trusted = options.flag("trust_remote_code", False)
        limit = options.integer("max_length", None, low=2)
        batch = options.integer("batch", None)
        self._logprobs = options.flag("logprobs", False)
        self._place(options)
        options.done()
        found = checkpoint.locate(spec.target, revision, trusted)
        self._content = found.identity
        self._tokenizer = checkpoint.load(transformers.AutoTokenizer, found)
        self._found = found
        self._config = checkpoint.load(transformers.AutoConfig, found)
        context = getattr(self._config.get_text_config(), "max_position_embeddings", None)
        self._max_length = min(filter(None, (limit, context)), default=2**31)
        self.architecture: Architecture | None = checkpoint.architecture(self._config, found)
        small = self.architecture is not None and self.architecture.matrices <= _SMALL
        self.unit_rows = batch or self.usual_rows[0 if small else 1]
        self._encoding = Encoding(self._tokenizer, chat, self._system, spec.target)
        self._loaded: _Loaded | None = None

    abilities: frozenset[Ability] = frozenset({"continue", "logprobs", "chat", "weigh"})

    def _place(self, options: Options) -> None:
        """Read the options that say where and how the model runs."""
        self._device, self._dtype = checkpoint.place(
            options.text("device", None), options.choice("dtype", "auto", checkpoint.DTYPES)
        )
        self._room = options.integer("cache", None, low=0)

    @property
    def _cache(self) -> int:
        """Tokens that a stream remembers."""
        usual = usual_tokens(self._config, self._dtype, self._device)
        return usual if self._room is None else self._room

    def identity(self) -> dict[str, Json]:
        """Weights, number format, prompt form and context."""
        return {
            "adapter": "transformers",
            **self._content,
            "dtype": str(self._dtype).removeprefix("torch."),
            "template": digest(self._encoding.template) if self._encoding.template else None,
            "system": self._system,
            "max_length": self._max_length,
            "logprobs": self._logprobs,
        }

    def describe(self) -> dict[str, Json]:
        """Device, sizes and library versions."""
        return {
            **self._found.describe(),
            "type": str(self._config.model_type),
            "device": str(self._device),
            "batch": self.unit_rows,
            "cache": self._cache,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """A model answers any question."""

    def load(self) -> None:
        """Load the model; see `Policy.load`."""
        self._loaded = self._open

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        """Sample; see `Policy.extend`."""
        stream, replies = self.stream(), dict[int, Extended]()
        # Prompts of like length come together, so that little of the table is padding.
        sizes = [len(self._encoding.asked(r.question)) for r in requests]
        for ticket in sorted(range(len(requests)), key=lambda i: sizes[i]):
            stream.submit(ticket, requests[ticket])
        while stream.rows:
            replies.update(stream.collect())
        return [replies[ticket] for ticket in range(len(requests))]

    def weigh(self, requests: Sequence[Weigh]) -> list[Weighed]:
        """Weigh words; see `Weighing.weigh`."""
        loaded, reading = self._open, self._reading
        asked = self._asked(requests, loaded.ends.tokens)
        try:
            room = max(self._cache, reading)
            return weigh(loaded.model, loaded.windows, asked, self._max_length, reading, room)
        except torch.OutOfMemoryError as error:
            raise InfrastructureError(
                f"{self.spec.name}: out of memory while weighing words of {len(asked)} drafts"
            ) from error

    def _asked(self, requests: Sequence[Weigh], ends: tuple[int, ...]) -> list[Asked]:
        """Return requests in tokens."""
        start = (ends or (0,))[:1]
        return [
            Asked(
                self._encoding.asked(request.question) or start,
                self._encoding.text(request.draft.text) if request.draft.text else (),
                tuple(self._encoding.text(word) for word in request.words),
            )
            for request in requests
        ]

    def stream(self) -> TransformersStream:
        """Open a stream; see `Policy.stream`."""
        return self._stream(self._writer, self._open.ends.tokens)

    def _stream(self, writer: Callable[[], Writes], ends: tuple[int, ...]) -> TransformersStream:
        return TransformersStream(
            writer,
            self._encoding,
            (ends or (0,))[:1],
            self._max_length,
            self._logprobs,
            self.spec.name,
        )

    def close(self) -> None:
        """Let the model go; it is loaded again if it is asked again."""
        self._loaded = None

    @property
    def _open(self) -> _Loaded:
        """The model, loaded when it is first asked to write: a plan needs no weights."""
        if self._loaded is None:
            model = checkpoint.load_model(
                transformers.AutoModelForCausalLM,
                self._found,
                self._device,
                dtype=self._dtype,
                attn_implementation=kv.ATTENTION,
            )
            seen = causal.windows(model.config.get_text_config(), self._max_length)
            causal.check_batching(model, seen, self.spec.target)
            size = model.get_output_embeddings().weight.shape[0]
            tokens = causal.ends(model.generation_config, model.config, self._tokenizer)
            self._loaded = _Loaded(model, Ends(Decoder(self._tokenizer), tokens, size), seen)
        return self._loaded

    def _writer(self) -> Writes:
        """Return a writer that has nothing to do and remembers nothing."""
        loaded, memory = self._open, Memory(self._cache)
        rows, reading = self.unit_rows, self._reading
        return Writer(loaded.model, loaded.ends, loaded.windows, rows, memory, reading)

    @property
    def _reading(self) -> int:
        """Most tokens of a pass of reading."""
        return _READING.get(self._device.type, _READING["other"])
