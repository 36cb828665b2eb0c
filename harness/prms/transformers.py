"""``transformers:MODEL`` scores steps with one forward pass per solution.

Any causal model of the library with a head that `harness.prms.heads` can read; what it is shown and
what its numbers mean is said by `harness.prms.recipe`. The options are ``recipe`` (a published
family, or a YAML file), the recipe's own, which go before it, and the machine's (``dtype``,
``device``, ``revision``, ``trust_remote_code``, ``batch``: tokens of a forward pass, padding
included, ``cache``: tokens that are remembered while `remember` is on). A log ratio needs a second
model, ``reference`` (with ``reference_revision``).

Beginnings that the solutions of a problem have in common, the prompt first of all, are computed
once where that is cheaper, and equal drafts of a request are one. See `harness.prms.forward`, and
`harness.prms.remembering` for drafts that grow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import torch
import transformers

from harness.adapters import checkpoint
from harness.adapters.options import Options
from harness.cost import Architecture
from harness.errors import ConfigError, DataError, InfrastructureError
from harness.prms.numbers import RATIOS, Floats
from harness.prms.packing import Tree
from harness.prms.prm import Covers, check_fit, check_steps
from harness.prms.reader import Machine, Opened, Reader, Reads
from harness.prms.recipe import from_options, with_recipe
from harness.prms.render import Encoded, Encoder, Flaw
from harness.types import Draft, Json, Judge, Judged, Semantics, Spec, StepScores, Tokens

Inputs = tuple[Encoded, ...]
"""Those of one draft: one, or one per step."""

_TOKENS = {"cpu": 2_048, "other": 32_768}
"""Default tokens of a forward pass. On a CPU the activations of a small model then stay in the
cache (16,384 tokens took 1.3 times as long); on a GPU those of a 7B model take a few GB."""


class TransformersPrm:
    """A value-head model as a PRM.

    Raises:
        ConfigError: a wrong option, a head that does not fit the model, a reference that is missing
            or has another tokenizer; when it first scores, a model that is not causal.
        DataError: files that do not load.
        MissingDependency: torch or transformers is not installed.
    """

    live = True
    unit_rows = 2048
    has_weights = True
    """Whether it reads the model's weights itself."""

    def __init__(self, spec: Spec) -> None:
        options = Options(with_recipe(spec), "PRM")
        self.spec = spec
        self._recipe = from_options(options)
        targets = [(self._model(options), options.text("revision", None))]
        trusted = options.flag("trust_remote_code", False)
        if self._recipe.head in RATIOS:
            targets.append(_reference(options, self._recipe.head))
        self._place(options)
        options.done()
        models = [Opened.of(*target, trusted, self.has_weights) for target in targets]
        _check_vocabularies(models)
        self._encoder = Encoder(self._recipe, models[0].tokenizer)
        limits = [self._recipe.max_length, *(own.context for own in models)]
        self._max_length = min(filter(None, limits), default=2**31)
        self._readers = self._read_with(models)
        shapes = [reader.architecture for reader in self._readers]
        known = [shape for shape in shapes if shape is not None]
        self.architecture: Architecture | None = (
            reduce(Architecture.beside, known) if len(known) == len(shapes) else None
        )

    def _model(self, options: Options) -> str:
        """Return whose tokenizer and configuration are read."""
        return self.spec.target

    def _place(self, options: Options) -> None:
        """Read the options that say where and how models run."""
        device, dtype = checkpoint.place(
            options.text("device", None), options.choice("dtype", "auto", checkpoint.DTYPES)
        )
        usual = _TOKENS.get(device.type, _TOKENS["other"])
        tokens = options.integer("batch", usual) or usual
        self._machine = Machine(device, dtype, tokens, options.integer("cache", None, low=0))

    def _read_with(self, models: Sequence[Opened]) -> Sequence[Reads]:
        """Return what reads each model."""
        return [Reader(self._recipe, own, self._machine, len(models)) for own in models]

    @property
    def covers(self) -> Covers:
        """``whole`` for an outcome model, else ``steps``."""
        return "whole" if self._recipe.inputs == "whole" else "steps"

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
        own, *others = (reader.opened.found.identity for reader in self._readers)
        return {
            "adapter": "transformers",
            **own,
            **({"reference": others[0]} if others else {}),
            "dtype": str(self._machine.dtype).removeprefix("torch."),
            "recipe": self._recipe.identity,
            "max_length": self._max_length,
            "unreadable": self._recipe.unreadable,
        }

    def describe(self) -> dict[str, Json]:
        """Device, sizes and library versions."""
        own, *others = self._readers
        return {
            **own.opened.found.describe(),
            **({"reference": others[0].opened.found.name} if others else {}),
            "type": str(own.opened.config.model_type),
            "device": str(self._machine.device),
            "batch": self._machine.tokens,
            "cache": own.cache,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def load(self) -> None:
        """Load the models; see `Policy.load`."""
        for reader in self._readers:
            reader.load()

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score; see `Prm.judge`."""
        encoded = [self._encode(request) for request in requests]
        # Equal inputs of one request are one piece of work; requests do not share.
        unique = [
            list(dict.fromkeys(one for inputs in drafts if inputs for one in inputs))
            for drafts in encoded
        ]
        try:
            read = [reader.read(unique) for reader in self._readers]
        except torch.OutOfMemoryError as error:
            raise InfrastructureError(
                f"{self.spec.name}: out of memory; try batch={max(1, self._machine.tokens // 2)}"
            ) from error
        replies = []
        for request, drafts, ones, *found in zip(requests, encoded, unique, *read, strict=True):
            own, *others = (values for values, _ in found)
            if others:
                own = [a - b for a, b in zip(own, others[0], strict=True)]
            values = dict(zip(ones, own, strict=True))
            replies.append(self._reply(request, drafts, values, sum(spent for _, spent in found)))
        return replies

    def remember(self, on: bool) -> None:
        """Keep what is read, or forget; see `Prm.remember`."""
        for reader in self._readers:
            reader.remember(on)

    def close(self) -> None:
        """Let the models go; they are loaded again if they are asked again."""
        for reader in self._readers:
            reader.close()

    def _encode(self, request: Judge) -> list[Inputs | None]:
        """Return the inputs of each draft; None for one without steps, or one that is skipped.

        Raises:
            DataError: an input that is too long or holds the tag, unless such are to be skipped.
        """
        found: list[Inputs | None] = []
        check_steps(request)
        for i, one in enumerate(self._encoder.encode(request.question, request.drafts)):
            size = 0 if one is None or isinstance(one, Flaw) else len(one[-1].ids)
            if size > self._max_length:
                one = Flaw(f"it has {size} tokens, the model reads {self._max_length}")
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
        drafts: Sequence[Inputs | None],
        values: Mapping[Encoded, Floats],
        computed: int,
    ) -> Judged:
        """Return the scores of one request's drafts and what they cost."""
        scores = tuple(
            None if inputs is None else self._scores(draft, inputs, values)
            for draft, inputs in zip(request.drafts, drafts, strict=True)
        )
        sizes = [one.tokens or 0 for one in scores if one is not None]
        calls = len(sizes) * len(self._readers)
        return Judged(scores, Tokens(calls, sum(sizes), computed))

    def _scores(self, draft: Draft, inputs: Inputs, values: Mapping[Encoded, Floats]) -> StepScores:
        numbers = np.concatenate([_steps(one, values[one]) for one in inputs])
        # What the steps of a draft have in common is its input once, however often it is read.
        tokens = len(inputs[0].ids) if len(inputs) == 1 else Tree.of(inputs).tokens
        scores = StepScores(
            tuple(self._recipe.scores(numbers).tolist()),
            self._recipe.semantics,
            raw=tuple(self._recipe.raw(numbers).tolist()),
            tokens=tokens * len(self._readers),
        )
        return check_fit(scores, draft, self.covers, self.spec.name)


def _steps(one: Encoded, numbers: Floats) -> Floats:
    """Return (steps, numbers) of an input; of a log ratio, sums up to the end of each step."""
    if not one.ends:
        return numbers
    sums = np.concatenate([[0.0], np.cumsum(numbers[:, 0])])
    return sums[list(one.ends)][:, None]


def _reference(options: Options, head: str) -> tuple[str, str | None]:
    """Return the second model of a log ratio.

    Raises:
        ConfigError: none is named.
    """
    target = options.text("reference", None)
    if target is None:
        raise ConfigError(
            f"head={head} needs reference=…, the model (a folder or ORG/NAME) that it was trained "
            "against; there is no usual one"
        )
    return target, options.text("reference_revision", None)


def _check_vocabularies(models: Sequence[Opened]) -> None:
    """Refuse two models of which a token's number does not mean the same.

    Raises:
        ConfigError: names the first difference.
    """
    own, *others = models
    for other in others:
        ours, theirs = own.tokenizer.get_vocab(), other.tokenizer.get_vocab()
        if ours == theirs:
            continue
        odd = sorted(ours.items() ^ theirs.items(), key=lambda pair: (pair[1], pair[0]))
        word, number = odd[0]
        raise ConfigError(
            f"{own.found.name} and its reference {other.found.name} have different tokenizers: "
            f"token {number} is {word!r} in one of them alone; a log ratio needs the same tokens"
        )
