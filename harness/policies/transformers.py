"""``transformers:MODEL`` samples from any causal language model, on a CPU or a GPU.

What decides the text: the weights, the number format (``dtype``), the chat template (``chat``,
``system``), and the context (``max_length``). What decides the speed alone: ``device``, ``batch``.
``revision`` picks a commit on the hub, ``logprobs=true`` keeps the log-probability of every token
(the model's own: before temperature and top_p).

A prompt is read once for all its drafts. A draft that already has text is continued from the tokens
of the prompt followed by the tokens of the text, each encoded by itself. See
`harness.policies.decoding` for the loop and `harness.policies.randomness` for the random numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch
import transformers

from harness.adapters import checkpoint
from harness.adapters.options import Options
from harness.cost import Architecture
from harness.digest import digest
from harness.errors import ConfigError, InfrastructureError
from harness.policies import causal, kv
from harness.policies.batches import BatchStream
from harness.policies.decoding import Rules, Task, Writer, Written
from harness.policies.policy import Ability, check_unfinished
from harness.policies.randomness import generator
from harness.policies.stops import Decoder
from harness.types import Draft, Extend, Extended, Json, Question, Spec, Tokens

_SMALL = 100_000_000
"""Parameters (embeddings aside) up to which 512 drafts at once are no burden; else it is 64."""

_DATE = "26 Jul 2024"
"""Chat templates that print today's date print this one (Llama 3's own default): a prompt must not
depend on the day."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One draft of a call, on its way through the model."""

    request: int
    draft: int
    task: Task
    rules: Rules

    @property
    def order(self) -> tuple[object, ...]:
        """What may share a batch comes together, and prompts of like length within that."""
        rules = self.rules
        kind = (
            rules.temperature,
            rules.top_p,
            rules.stop,
            rules.delimiter or "",
            rules.delimiter is None,
        )
        return (bool(self.task.text), kind, len(self.task.prompt), self.request, self.draft)


class TransformersPolicy:
    """A causal language model as a policy.

    Raises:
        ConfigError: a wrong option, an unknown embedded model or device; when it first writes, an
            architecture whose batched logits differ from its plain ones.
        DataError: files that do not load.
        MissingDependency: torch or transformers is not installed.
    """

    max_samples: int | None = None

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "policy")
        self.spec = spec
        self._chat = options.choice("chat", "auto", ("auto", "on", "off"))
        self._system = options.text("system", None)
        revision = options.text("revision", None)
        device, dtype = checkpoint.place(
            options.text("device", None), options.choice("dtype", "auto", checkpoint.DTYPES)
        )
        limit = options.integer("max_length", None, low=2)
        batch = options.integer("batch", None)
        keep_logprobs = options.flag("logprobs", False)
        options.done()
        found = checkpoint.locate(spec.target, revision)
        self._content = found.identity
        self._tokenizer = checkpoint.load(transformers.AutoTokenizer, found)
        self._found, self._device, self._dtype = found, device, dtype
        self._keep_logprobs = keep_logprobs
        self._config = checkpoint.load(transformers.AutoConfig, found)
        context = getattr(self._config.get_text_config(), "max_position_embeddings", None)
        self._max_length = min(filter(None, (limit, context)), default=2**31)
        self.architecture: Architecture | None = checkpoint.architecture(self._config, spec.target)
        small = self.architecture is not None and self.architecture.matrices <= _SMALL
        self.unit_rows = batch or (512 if small else 64)
        self._template = self._chat_template()
        self._writer: Writer | None = None

    abilities: frozenset[Ability] = frozenset({"continue"})

    def identity(self) -> dict[str, Json]:
        """Weights, number format, prompt form and context."""
        return {
            "adapter": "transformers",
            **self._content,
            "dtype": str(self._dtype).removeprefix("torch."),
            "template": digest(self._template) if self._template else None,
            "system": self._system,
            "max_length": self._max_length,
            "logprobs": self._keep_logprobs,
        }

    def describe(self) -> dict[str, Json]:
        """Device, sizes and library versions."""
        return {
            "model": self.spec.target,
            "type": str(self._config.model_type),
            "device": str(self._device),
            "batch": self.unit_rows,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """A model answers any question."""

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        """Sample; see `Policy.extend`."""
        jobs: list[_Job] = []
        for number, request in enumerate(requests):
            check_unfinished(request)
            jobs.extend(self._jobs(number, request))
        jobs.sort(key=lambda job: job.order)
        written: dict[tuple[int, int], Written] = {}
        for _, group in groupby(jobs, key=lambda job: job.order[:2]):
            alike = list(group)
            for start in range(0, len(alike), self.unit_rows):
                part = alike[start : start + self.unit_rows]
                ends = self._write(part)
                written.update({(j.request, j.draft): e for j, e in zip(part, ends, strict=True)})
        return [self._reply(i, request, written) for i, request in enumerate(requests)]

    def stream(self) -> BatchStream:
        """Open a stream; see `Policy.stream`."""
        return BatchStream(self.extend)

    def close(self) -> None:
        """Let the model go; it is loaded again if it is asked again."""
        self._writer = None

    @property
    def _open(self) -> Writer:
        """The model, loaded when it is first asked to write: a plan needs no weights."""
        if self._writer is None:
            model = checkpoint.load(
                transformers.AutoModelForCausalLM,
                self._found,
                dtype=self._dtype,
                use_safetensors=True,
                attn_implementation=kv.ATTENTION,
            ).to(self._device)
            seen = causal.windows(model.config.get_text_config(), self._max_length)
            causal.check_batching(model, seen, self.spec.target)
            ends = causal.ends(model, self._tokenizer)
            decoder = Decoder(self._tokenizer)
            self._writer = Writer(model, decoder, ends, seen, self._keep_logprobs)
        return self._writer

    def _write(self, jobs: Sequence[_Job]) -> list[Written]:
        try:
            return self._open.write([job.task for job in jobs], jobs[0].rules)
        except torch.OutOfMemoryError as error:
            raise InfrastructureError(
                f"{self.spec.name}: out of memory with {len(jobs)} drafts at once; try "
                f"batch={max(1, len(jobs) // 2)}"
            ) from error

    def _jobs(self, number: int, request: Extend) -> list[_Job]:
        """Return the drafts of a request that have room to grow."""
        sampling = request.sampling
        rules = Rules(sampling.temperature, sampling.top_p, sampling.stop, _delimiter(request))
        prompt = self._prompt(request.question.prompt)
        jobs = []
        for i, draft in enumerate(request.drafts):
            text = self._encode(draft.text) if draft.text else ()
            room = self._max_length - len(prompt) - len(text)
            limit = min(room, sampling.max_tokens - (draft.tokens or 0))
            if limit > 0:
                jobs.append(
                    _Job(number, i, Task(prompt, text, limit, generator(request, i)), rules)
                )
        return jobs

    def _reply(
        self, number: int, request: Extend, written: dict[tuple[int, int], Written]
    ) -> Extended:
        """Return the drafts of one request, continued, and what they cost."""
        prompt = len(self._prompt(request.question.prompt))
        drafts, tokens = [], Tokens()
        for i, draft in enumerate(request.drafts):
            end = written.get((number, i))
            if end is None:  # no room for a single token
                drafts.append(replace(draft, finish="length"))
                tokens += Tokens(calls=1)
                continue
            drafts.append(_continued(draft, end))
            read = prompt + (len(self._encode(draft.text)) if draft.text else 0)
            tokens += Tokens(1, read, end.computed, end.tokens)
        return Extended(tuple(drafts), tokens)

    def _prompt(self, prompt: str) -> tuple[int, ...]:
        """Return the tokens that the model reads for a prompt; at least one."""
        if self._template is None:
            return tuple(self._tokenizer(prompt).input_ids) or (self._open.ends or (0,))[:1]
        turns = [{"role": "user", "content": prompt}]
        if self._system is not None:
            turns.insert(0, {"role": "system", "content": self._system})
        text = self._tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=True, date_string=_DATE
        )
        return self._encode(text)

    def _encode(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)

    def _chat_template(self) -> str | None:
        """Return the chat template in use, None for plain prompts."""
        template = self._tokenizer.chat_template
        if self._chat == "on" and not template:
            raise ConfigError(f"policy {self.spec.target}: no chat template; use chat=off")
        used = None if self._chat == "off" else template
        if self._system is not None and not used:
            raise ConfigError(f"policy {self.spec.target}: system= needs a chat template")
        return str(used) if used else None


def _delimiter(request: Extend) -> str | None:
    return request.cut.delimiters[0] if request.cut else None


def _continued(draft: Draft, end: Written) -> Draft:
    """Return a draft with one more step."""
    known = draft.logprobs if draft.tokens else ()
    chances = None
    if end.logprobs is not None and known is not None:
        chances = known + end.logprobs
    return Draft(
        steps=(*draft.steps, end.text) if end.text else draft.steps,
        finish=end.finish,
        tokens=None if draft.tokens is None else draft.tokens + end.tokens,
        logprobs=chances,
    )
