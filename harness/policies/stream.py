"""A stream over a causal language model: between requests for drafts and rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from harness.errors import InfrastructureError
from harness.policies.encoding import Encoding
from harness.policies.policy import check_unfinished
from harness.policies.randomness import key
from harness.policies.rows import Done, Rules, Task, Written
from harness.types import Draft, Extend, Extended, Gauges, Tokens


class Writes(Protocol):
    """What a stream needs of a model that is writing."""

    @property
    def works_on(self) -> bool:
        """See `harness.policies.policy.Stream.works_on`."""
        ...

    def submit(self, task: Task) -> None:
        """Take a draft."""
        ...

    def work(self) -> list[Done]:
        """Write for a while; return what has ended."""
        ...

    def gauges(self) -> Gauges:
        """Say what it is doing; called from another thread, so it neither waits nor raises."""
        ...


@dataclass(slots=True)
class _Open:
    """A request that is at work."""

    request: Extend
    done: list[Done | None]
    """By draft; None also for drafts without room for a single token."""
    missing: int


class TransformersStream:
    """See `harness.policies.policy.Stream`."""

    at_once: int | None = None

    def __init__(
        self,
        writer: Callable[[], Writes],
        encoding: Encoding,
        start: tuple[int, ...],
        max_length: int,
        logprobs: bool,
        name: str,
    ) -> None:
        """Args:
        writer: Makes a writer that has nothing to do and remembers nothing.
        encoding: The model's tokens.
        start: What is read for an empty prompt.
        max_length: Tokens of prompt and text.
        logprobs: Whether they are always wanted.
        name: How errors call the policy.
        """
        self._make, self._encoding, self._start = writer, encoding, start
        self._max_length, self._logprobs, self._name = max_length, logprobs, name
        self._writer = writer()
        self._open: dict[int, _Open] = {}
        self._finished: list[int] = []

    @property
    def works_on(self) -> bool:
        """See `harness.policies.policy.Stream.works_on`."""
        return self._writer.works_on

    @property
    def rows(self) -> int:
        """Drafts that were submitted and not collected yet."""
        return sum(len(open_.request.drafts) for open_ in self._open.values())

    def gauges(self) -> Gauges:
        """Say what the writer is doing; see `harness.telemetry.telemetry.Gauged`."""
        return self._writer.gauges()

    def submit(self, ticket: int, request: Extend) -> None:
        """Hand in a request; see `Stream.submit`."""
        check_unfinished(request)
        tasks = self._tasks(ticket, request)
        self._open[ticket] = _Open(request, [None] * len(request.drafts), len(tasks))
        if not tasks:
            self._finished.append(ticket)
        for task in tasks:
            self._writer.submit(task)

    def collect(self) -> list[tuple[int, Extended]]:
        """Work until something is finished; see `Stream.collect`."""
        try:
            while self._open and not self._finished:
                for done in self._writer.work():
                    self._note(done)
        except BaseException as error:
            rows = self.rows
            self.close()
            if isinstance(error, torch.OutOfMemoryError):
                raise InfrastructureError(
                    f"{self._name}: out of memory with {rows} drafts at once; use a smaller batch= "
                    "or cache="
                ) from error
            raise
        finished, self._finished = self._finished, []
        return [(ticket, self._reply(self._open.pop(ticket))) for ticket in finished]

    def close(self) -> None:
        """Drop everything; see `Stream.close`."""
        self._open, self._finished = {}, []
        self._writer = self._make()

    def _tasks(self, ticket: int, request: Extend) -> list[Task]:
        """Return the drafts of a request that have room to grow."""
        rules = self._rules(request)
        prompt = self._prompt(request)
        tasks = []
        for i, draft in enumerate(request.drafts):
            before, text = draft.text, self._ids(draft)
            room = self._max_length - len(prompt) - len(text)
            limit = min(room, request.sampling.max_tokens - (draft.tokens or 0))
            if limit > 0:
                random = key(request, i)
                tasks.append(Task((ticket, i), prompt, text, before, limit, random, rules))
        return tasks

    def _ids(self, draft: Draft) -> tuple[int, ...]:
        """Return the tokens of what is there of a draft: those that were written, where known."""
        if draft.ids is not None:
            return draft.ids
        return self._encoding.text(draft.text) if draft.text else ()

    def _prompt(self, request: Extend) -> tuple[int, ...]:
        return self._encoding.asked(request.question) or self._start

    def _rules(self, request: Extend) -> Rules:
        sampling, cut = request.sampling, request.cut
        return Rules(
            sampling.temperature,
            sampling.top_p,
            sampling.stop,
            cut.delimiters if cut else (),
            cut.tokens if cut else None,
            cut.confidence if cut else None,
            request.alternatives,
            request.logprobs or self._logprobs,
        )

    def _note(self, done: Done) -> None:
        """Note what came of one draft."""
        ticket, draft = done.key
        open_ = self._open[ticket]
        open_.done[draft] = done
        open_.missing -= 1
        if not open_.missing:
            self._finished.append(ticket)

    def _reply(self, open_: _Open) -> Extended:
        """Return the drafts of one request, continued, and what they cost."""
        request = open_.request
        prompt = len(self._prompt(request))
        drafts, tokens = [], Tokens(calls=len(request.drafts))
        for draft, done in zip(request.drafts, open_.done, strict=True):
            if done is None:
                # No room for a single token.
                drafts += [replace(draft, finish="length")] * (request.alternatives or 1)
                continue
            before = self._ids(draft)
            drafts += [_continued(draft, before, step) for step in done.written]
            read = prompt + len(before)
            tokens += Tokens(0, read, done.read, done.decoded)
        return Extended(tuple(drafts), tokens)


def _continued(draft: Draft, before: tuple[int, ...], step: Written) -> Draft:
    """Return a draft with one more step; `before` are its tokens until then."""
    known = draft.logprobs if draft.tokens else ()
    chances = None
    if step.logprobs is not None and known is not None:
        chances = known + step.logprobs
    return Draft(
        steps=(*draft.steps, step.text) if step.text else draft.steps,
        finish=step.finish,
        tokens=None if draft.tokens is None else draft.tokens + step.tokens,
        logprobs=chances,
        ids=None if step.ids is None else before + step.ids,
    )
