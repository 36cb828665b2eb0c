"""``transformers:MODEL`` scores steps with a value head in the place of the language-model head.

Any causal `AutoModelForTokenClassification` of one label (a scalar head) or two. What it reads and
where is said by `harness.prms.recipe`. The options are the recipe's (``template``, ``separator``,
``head``, ``semantics``, ``aggregation``, ``max_length``, ``overflow=error|skip``) and the machine's
(``dtype``, ``device``, ``revision``, ``batch``: tokens of a forward pass, padding included).

One forward pass per solution scores all its steps. Inputs go sorted by length, padded on the right;
causal attention never looks there, so no mask is needed and the fastest kernels apply. Equal
drafts of a request are scored once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from harness.cost import Architecture
from harness.errors import ConfigError, DataError, InfrastructureError
from harness.policies import checkpoint
from harness.policies.options import Options
from harness.prms.prm import Covers, check_fit
from harness.prms.recipe import Encoded, Encoder, from_options
from harness.types import Draft, Json, Judge, Judged, Semantics, Spec, StepScores, Tokens

_TOKENS = {"cpu": 2_048, "other": 32_768}
"""Default tokens of a forward pass. On a CPU the activations of a small model then stay in the
cache (16,384 tokens took 1.3 times as long); on a GPU those of a 7B model take a few GB."""

Floats = NDArray[np.float64]


class TransformersPrm:
    """A value-head model as a PRM.

    Raises:
        ConfigError: a wrong option, a head that does not fit the model; when it first scores, a
            model that is not causal.
        DataError: files that do not load.
        MissingDependency: torch or transformers is not installed.
    """

    covers: Covers = "steps"
    unit_rows = 2048

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "PRM")
        self.spec = spec
        self._recipe = from_options(options)
        revision = options.text("revision", None)
        device, dtype = checkpoint.place(
            options.text("device", None), options.choice("dtype", "auto", checkpoint.DTYPES)
        )
        usual = _TOKENS.get(device.type, _TOKENS["other"])
        self._tokens = options.integer("batch", usual) or usual
        options.done()
        found = checkpoint.locate(spec.target, revision)
        self._content = found.identity
        tokenizer = checkpoint.load(transformers.AutoTokenizer, found)
        self._encoder = Encoder(self._recipe, tokenizer)
        self._found, self._device, self._dtype = found, device, dtype
        self._config = checkpoint.load(transformers.AutoConfig, found)
        context = getattr(self._config.get_text_config(), "max_position_embeddings", None)
        self._max_length = min(filter(None, (self._recipe.max_length, context)), default=2**31)
        self._check_labels()
        self.architecture: Architecture | None = checkpoint.architecture(
            self._config, spec.target, head="value"
        )
        self._model: Any = None

    @property
    def semantics(self) -> Semantics:
        """The recipe's."""
        return self._recipe.semantics

    @property
    def aggregation(self) -> str:
        """The recipe's."""
        return self._recipe.aggregation

    def identity(self) -> dict[str, Json]:
        """Weights, number format and recipe."""
        return {
            "adapter": "transformers",
            **self._content,
            "dtype": str(self._dtype).removeprefix("torch."),
            "recipe": self._recipe.identity,
            "max_length": self._max_length,
            "overflow": self._recipe.overflow,
        }

    def describe(self) -> dict[str, Json]:
        """Device, sizes and library versions."""
        return {
            "model": self.spec.target,
            "type": str(self._config.model_type),
            "device": str(self._device),
            "batch": self._tokens,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """Score; see `Prm.judge`."""
        encoded = [self._encoder.encode(r.question, r.drafts) for r in requests]
        for request, inputs in zip(requests, encoded, strict=True):
            self._check_lengths(request, inputs)
        # Equal inputs of one request are one piece of work; requests do not share.
        work = list(
            dict.fromkeys(
                (number, one)
                for number, inputs in enumerate(encoded)
                for one in inputs
                if one is not None and len(one.ids) <= self._max_length
            )
        )
        raw = dict(zip(work, self._forward([one for _, one in work]), strict=True))
        return [
            self._reply(number, request, encoded[number], raw)
            for number, request in enumerate(requests)
        ]

    def close(self) -> None:
        """Let the model go; it is loaded again if it is asked again."""
        self._model = None

    @property
    def _open(self) -> Any:
        """The model, loaded when it is first asked to score: a plan needs no weights."""
        if self._model is None:
            model = checkpoint.load(
                transformers.AutoModelForTokenClassification,
                self._found,
                dtype=self._dtype,
                use_safetensors=True,
            ).to(self._device)
            self._check_causal(model)
            self._model = model
        return self._model

    def _reply(
        self,
        number: int,
        request: Judge,
        inputs: Sequence[Encoded | None],
        raw: dict[tuple[int, Encoded], Floats],
    ) -> Judged:
        """Return the scores of one request's drafts and what they cost."""
        found = [None if one is None else raw.get((number, one)) for one in inputs]
        scores = tuple(
            None if one is None or values is None else self._scores(draft, one, values)
            for draft, one, values in zip(request.drafts, inputs, found, strict=True)
        )
        scored = [one for one in inputs if one is not None and (number, one) in raw]
        return Judged(
            scores,
            Tokens(
                calls=len(scored),
                prefill_logical=sum(len(one.ids) for one in scored),
                prefill_computed=sum(len(one.ids) for one in set(scored)),
            ),
        )

    def _scores(self, draft: Draft, one: Encoded, values: Floats) -> StepScores:
        scores = StepScores(
            tuple(self._recipe.scores(values).tolist()),
            self._recipe.semantics,
            raw=tuple(values[:, -1].tolist()),
            tokens=len(one.ids),
        )
        return check_fit(scores, draft, self.covers, self.spec.name)

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[Encoded]) -> list[Floats]:
        """Return the head's numbers at the places read: (steps, labels) per input."""
        results: list[Floats] = [np.empty((0, 0))] * len(inputs)
        for batch in plan([len(one.ids) for one in inputs], self._tokens):
            part = [inputs[i] for i in batch]
            try:
                values = self._read(part)
            except torch.OutOfMemoryError as error:
                raise InfrastructureError(
                    f"{self.spec.name}: out of memory; try batch={max(1, self._tokens // 2)}"
                ) from error
            for i, rows in zip(batch, values, strict=True):
                results[i] = rows
        return results

    def _read(self, part: Sequence[Encoded]) -> list[Floats]:
        """Return the head's numbers of one batch: body for all tokens, head where it is read."""
        ids = np.zeros((len(part), max(len(one.ids) for one in part)), np.int64)
        for row, one in enumerate(part):
            ids[row, : len(one.ids)] = one.ids
        lengths = [len(one.reads) for one in part]
        rows = np.repeat(np.arange(len(part)), lengths)
        columns = np.concatenate([one.reads for one in part])
        logits = self._open(input_ids=torch.from_numpy(ids).to(self._device)).logits
        values = logits[torch.from_numpy(rows), torch.from_numpy(columns)].double().cpu().numpy()
        return np.split(values, np.cumsum(lengths)[:-1])

    def _check_lengths(self, request: Judge, inputs: Sequence[Encoded | None]) -> None:
        if self._recipe.overflow == "skip":
            return
        for i, one in enumerate(inputs):
            if one is not None and len(one.ids) > self._max_length:
                raise DataError(
                    f"PRM {self.spec.name}: solution {request.first + i} of "
                    f"{request.question.id!r} has {len(one.ids)} tokens, the model reads "
                    f"{self._max_length}; add overflow=skip to leave such solutions unscored"
                )

    def _check_labels(self) -> None:
        labels, needed = self._config.num_labels, 2 if self._recipe.head == "softmax" else 1
        if labels != needed:
            hint = {1: "head=sigmoid or head=raw", 2: "head=softmax"}.get(labels, "another model")
            raise ConfigError(
                f"PRM {self.spec.target}: head={self._recipe.head} reads {needed} number(s) per "
                f"token and the model gives {labels}; use {hint}"
            )

    @torch.inference_mode()
    def _check_causal(self, model: Any) -> None:
        """Refuse a model that looks ahead: its scores would depend on later steps and padding."""
        size = model.config.get_text_config().vocab_size
        ids = (torch.arange(8, device=model.device) * 7919 + 11)[None] % size
        long, short = model(input_ids=ids).logits, model(input_ids=ids[:, :4]).logits
        tolerance = 1e-3 if model.dtype == torch.float32 else 0.1
        if (long[:, :4] - short).abs().max() > tolerance * (1 + short.abs().max()):
            raise ConfigError(
                f"PRM {self.spec.target}: {type(model).__name__} looks ahead of the step "
                "that it scores; a causal model is needed"
            )


def plan(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Yield batches of places, longest inputs first, none above `tokens` with its padding.

    An input longer than `tokens` gets a batch of its own. Inputs of like length share a batch, so
    that little of it is padding.
    """
    batch: list[int] = []
    width = 0
    for place in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        width = max(width, lengths[place])
        if batch and width * (len(batch) + 1) > tokens:
            yield batch
            batch, width = [], lengths[place]
        batch.append(place)
    if batch:
        yield batch
