"""``transformers:MODEL`` scores steps with one forward pass per solution.

Any causal model of the library with a head that `harness.prms.heads` can read; what it is shown and
what its numbers mean is said by `harness.prms.recipe`. The options are ``recipe`` (a published
family, or a YAML file), the recipe's own, which go before it, and the machine's (``dtype``,
``device``, ``revision``, ``trust_remote_code``, ``batch``: tokens of a forward pass, padding
included, ``cache``: tokens that are remembered while `remember` is on).

Beginnings that the solutions of a problem have in common, the prompt first of all, are computed
once where that is cheaper, and equal drafts of a request are one. See `harness.prms.forward`, and
`harness.prms.remembering` for drafts that grow.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from harness.adapters import checkpoint
from harness.adapters.memory import usual_tokens
from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import DataError, InfrastructureError
from harness.prms import heads
from harness.prms.forward import Forward, windowed
from harness.prms.prm import Covers, check_fit, check_steps
from harness.prms.recipe import NUMBERS, from_options, with_recipe
from harness.prms.remembering import Remembering, works
from harness.prms.render import Encoded, Encoder, Flaw
from harness.types import Draft, Json, Judge, Judged, Semantics, Spec, StepScores, Tokens

_TOKENS = {"cpu": 2_048, "other": 32_768}
"""Default tokens of a forward pass. On a CPU the activations of a small model then stay in the
cache (16,384 tokens took 1.3 times as long); on a GPU those of a 7B model take a few GB."""


class TransformersPrm:
    """A value-head model as a PRM.

    Raises:
        ConfigError: a wrong option, a head that does not fit the model; when it first scores, a
            model that is not causal.
        DataError: files that do not load.
        MissingDependency: torch or transformers is not installed.
    """

    covers: Covers = "steps"
    live = True
    unit_rows = 2048

    def __init__(self, spec: Spec) -> None:
        options = Options(with_recipe(spec), "PRM")
        self.spec = spec
        self._recipe = from_options(options)
        revision = options.text("revision", None)
        trusted = options.flag("trust_remote_code", False)
        self._machine(options)
        options.done()
        found = checkpoint.locate(spec.target, revision, trusted)
        self._content = found.identity
        tokenizer = checkpoint.load(transformers.AutoTokenizer, found)
        tokenizer.model_max_length = 2**31  # what is too long is said by us, with its problem
        self._tokenizer, self._encoder = tokenizer, Encoder(self._recipe, tokenizer)
        self._found = found
        self._config = checkpoint.load(transformers.AutoConfig, found)
        context = getattr(self._config.get_text_config(), "max_position_embeddings", None)
        self._max_length = min(filter(None, (self._recipe.max_length, context)), default=2**31)
        heads.check(self._recipe, found, self._config, tokenizer)
        self.architecture: Architecture | None = heads.architecture(
            self._recipe, found, self._config
        )
        self._forward: Forward | None = None
        self._remember = False
        self._remembering: Remembering | None = None

    def _machine(self, options: Options) -> None:
        """Read the options that say where and how the model runs."""
        self._device, self._dtype = checkpoint.place(
            options.text("device", None), options.choice("dtype", "auto", checkpoint.DTYPES)
        )
        usual = _TOKENS.get(self._device.type, _TOKENS["other"])
        self._tokens = options.integer("batch", usual) or usual
        self._kept = options.integer("cache", None, low=0)

    @property
    def semantics(self) -> Semantics:
        """The recipe's."""
        return self._recipe.semantics

    @property
    def aggregation(self) -> str:
        """The recipe's."""
        return self._recipe.aggregation

    @property
    def threshold(self) -> float | None:
        """The recipe's."""
        return self._recipe.threshold

    def identity(self) -> dict[str, Json]:
        """Weights, number format and recipe."""
        return {
            "adapter": "transformers",
            **self._content,
            "dtype": str(self._dtype).removeprefix("torch."),
            "recipe": self._recipe.identity,
            "max_length": self._max_length,
            "unreadable": self._recipe.unreadable,
        }

    def describe(self) -> dict[str, Json]:
        """Device, sizes and library versions."""
        return {
            **self._found.describe(),
            "type": str(self._config.model_type),
            "device": str(self._device),
            "batch": self._tokens,
            "cache": self._cache,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score; see `Prm.judge`."""
        encoded = [self._encode(request) for request in requests]
        # Equal inputs of one request are one piece of work; requests do not share.
        unique = [list(dict.fromkeys(one for one in inputs if one)) for inputs in encoded]
        try:
            read = self._reader.read(unique) if any(unique) else [([], 0)] * len(unique)
        except torch.OutOfMemoryError as error:
            self._remembering = None
            raise InfrastructureError(
                f"{self.spec.name}: out of memory; try batch={max(1, self._tokens // 2)}"
            ) from error
        return [
            self._reply(request, inputs, dict(zip(ones, values, strict=True)), computed)
            for request, inputs, ones, (values, computed) in zip(
                requests, encoded, unique, read, strict=True
            )
        ]

    def remember(self, on: bool) -> None:
        """Keep what is read, or forget; see `Prm.remember`.

        A model with sliding windows, or one whose numbers come out otherwise when it goes on, reads
        everything again.
        """
        self._remember, self._remembering = on, None

    def close(self) -> None:
        """Let the model go; it is loaded again if it is asked again."""
        self._forward = self._remembering = None

    @property
    def _cache(self) -> int:
        """Tokens that are remembered."""
        if self._kept is None:
            return usual_tokens(self._config, self._dtype, self._device)
        return self._kept

    @property
    def _reader(self) -> Forward | Remembering:
        """What reads: from the start, or on from what is remembered."""
        if not self._remember:
            return self._open
        if self._remembering is None:
            model = self._open.model
            numbers = NUMBERS[self._recipe.head]
            if windowed(model.config.get_text_config()) or not works(model, numbers):
                self._remember = False
                return self._open
            self._remembering = Remembering(model, numbers, self._tokens, self._cache)
        return self._remembering

    @property
    def _open(self) -> Forward:
        """The model, loaded when it is first asked to score: a plan needs no weights."""
        if self._forward is None:
            model = heads.load(
                self._recipe, self._found, self._tokenizer, self._device, self._dtype
            )
            self._forward = Forward(model, self._tokens, self.architecture)
        return self._forward

    def _encode(self, request: Judge) -> list[Encoded | None]:
        """Return the input of each draft; None for one without steps, or one that is skipped.

        Raises:
            DataError: an input that is too long or holds the tag, unless such are to be skipped.
        """
        found: list[Encoded | None] = []
        check_steps(request)
        for i, one in enumerate(self._encoder.encode(request.question, request.drafts)):
            if isinstance(one, Encoded) and len(one.ids) > self._max_length:
                one = Flaw(f"it has {len(one.ids)} tokens, the model reads {self._max_length}")
            if isinstance(one, Flaw) and self._recipe.unreadable == "error":
                raise DataError(
                    f"PRM {self.spec.name}: cannot read solution {request.first + i} of "
                    f"{request.question.id!r}: {one.why}; add unreadable=skip to leave such "
                    "solutions unscored"
                )
            found.append(None if isinstance(one, Flaw) else one)
        return found

    def _reply(
        self,
        request: Judge,
        inputs: Sequence[Encoded | None],
        values: dict[Encoded, NDArray[np.float64]],
        computed: int,
    ) -> Judged:
        """Return the scores of one request's drafts and what they cost."""
        scores = tuple(
            None if one is None else self._scores(draft, one, values[one])
            for draft, one in zip(request.drafts, inputs, strict=True)
        )
        sizes = [len(one.ids) for one in inputs if one is not None]
        return Judged(scores, Tokens(len(sizes), sum(sizes), computed))

    def _scores(self, draft: Draft, one: Encoded, values: NDArray[np.float64]) -> StepScores:
        scores = StepScores(
            tuple(self._recipe.scores(values).tolist()),
            self._recipe.semantics,
            raw=tuple(self._recipe.raw(values).tolist()),
            tokens=len(one.ids),
        )
        return check_fit(scores, draft, self.covers, self.spec.name)
