"""Writing many drafts at once on vLLM: requests of the engine in place of rows of a table.

A draft is one request. The engine ends it at the tokens that end a text, and at tokens which hold a
whole stop string or delimiter, the moment they are written. A string that is spread over several
tokens is found here, as tokens come in, and the rest of the request given up. Whatever the engine
ended too early goes on as another request, from what it remembers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.vllm import Engine
from harness.policies.ends import Ends
from harness.policies.randomness import order
from harness.policies.rows import Done, Rules, Task, Written
from harness.types import Gauges

_KNOWN_ENDS = 256
"""Tokens that end a request by themselves, besides those that end a text: the engine looks every
token up in a list. Those with the lowest numbers, which are the most frequent ones."""


@dataclass(frozen=True)
class _Way:
    """How requests of some rules are watched."""

    stops: tuple[int, ...]
    """Tokens at which the engine ends."""
    watch: NDArray[np.bool_]
    """(vocabulary,): tokens after which a draft may have ended."""
    stream: bool
    """Whether tokens are wanted one by one: the engine does not see every end."""
    floor: float
    """Log-probability below which a token ends the step before it."""


@dataclass(slots=True)
class _Row:
    """A draft at work."""

    task: Task
    way: _Way
    look: int
    """Number of tokens from which on it may have ended whatever its tokens are."""
    tokens: list[int] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    sent: int = 0
    """Tokens of the request under way."""
    read: int = 0


class EngineWriter:
    """An engine that is writing; see `harness.policies.decoding.Writer`."""

    works_on = True

    def __init__(
        self, engine: Callable[[], Engine], ends: Ends, adapter: Callable[[], Any]
    ) -> None:
        """Args: returns the engine, which runs from then on; the model's ways; returns vLLM's
        request for an adapter, or None."""
        self._engine, self._ends, self._adapter = engine, ends, adapter
        self._rows: dict[str, _Row] = {}
        self._ways: dict[Rules, _Way] = {}
        self._decoded = 0

    def gauges(self) -> Gauges:
        """Say what it is doing. Which of its requests wait is the engine's own business; tokens
        come in where it tells them, one by one or with the end of a draft."""
        return Gauges(len(self._rows), None, self._decoded)

    def submit(self, task: Task) -> None:
        """Send a draft to the engine."""
        rules = task.rules
        if rules not in self._ways:
            self._ways[rules] = self._way(rules)
        early = 1 if rules.alternatives else rules.tokens
        self._send(_Row(task, self._ways[rules], min(task.limit, early or task.limit)))

    def work(self) -> list[Done]:
        """Wait for the engine; return what has ended."""
        engine, done = self._engine(), []
        for output in engine.step():
            row = self._rows.get(output.request_id)
            if row is None:
                continue
            end = self._note(row, output)
            if end is None and not output.finished:
                continue
            del self._rows[output.request_id]
            if not output.finished:
                engine.drop([output.request_id])
            if end is None:
                self._send(row)
            else:
                done.append(end)
        return done

    def _way(self, rules: Rules) -> _Way:
        """Return how requests of these rules are watched."""
        ends, watch = self._ends, self._ends.watched(rules)
        strings = (*rules.stop, *rules.delimiters)
        likely = [int(i) for i in np.flatnonzero(watch) if i not in ends.tokens] if strings else []
        texts = ends.decoder.texts([[token] for token in likely]) if likely else []
        sure = [t for t, text in zip(likely, texts, strict=True) if any(s in text for s in strings)]
        stops = sure[:_KNOWN_ENDS]
        floor = math.log(rules.confidence) if rules.confidence else -math.inf
        stream = len(stops) < len(likely) or rules.confidence is not None
        return _Way((*ends.tokens, *stops), watch, stream, floor)

    def _send(self, row: _Row) -> None:
        """Ask the engine for what a draft lacks."""
        engine = self._engine()  # whose start keeps to itself what vLLM prints when it is imported
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        task, rules, done = row.task, row.task.rules, len(row.tokens)
        drawn = rules.temperature > 0 and not rules.alternatives
        asked = order(task.random, done, rules.temperature, rules.top_p) if drawn else None
        kept = 0 if rules.logprobs or rules.confidence else None
        params = SamplingParams(
            temperature=0,
            max_tokens=max(1, row.look - done),
            stop_token_ids=list(row.way.stops),
            ignore_eos=True,
            detokenize=False,
            logprobs=min(rules.alternatives, self._ends.size) if rules.alternatives else kept,
            flat_logprobs=True,
            output_kind=RequestOutputKind.DELTA if row.way.stream else RequestOutputKind.FINAL_ONLY,
            extra_args=asked,
            skip_clone=True,
        )
        ids = (*task.prompt, *task.text, *row.tokens)
        row.sent = len(ids)
        self._rows[engine.submit(ids, params, self._adapter())] = row

    def _note(self, row: _Row, output: Any) -> Done | None:
        """Note what was written; return what came of the draft if it has ended."""
        if row.sent and output.num_cached_tokens is not None:
            row.read += row.sent - output.num_cached_tokens
            row.sent = 0
        (written,) = output.outputs
        if row.task.rules.alternatives:
            return self._alternatives(row, written.logprobs)
        tokens = list(written.token_ids)
        self._decoded += len(tokens)
        chances = [0.0] * len(tokens)
        if written.logprobs is not None:
            known = written.logprobs
            chances = [known.logprobs[start] for start in known.start_indices[-len(tokens) :]]
        for token, chance in zip(tokens, chances, strict=True):
            row.tokens.append(token)
            row.chances.append(chance)
            count = len(row.tokens)
            refused = chance < row.way.floor and count > 1
            if not (refused or row.way.watch[token] or count >= row.look):
                continue
            step = self._end(row, -1) if refused else None
            if step := step or self._end(row, None):
                return Done(row.task.key, (step,), row.read, count)
        return None

    def _end(self, row: _Row, last: int | None) -> Written | None:
        """Return the step that ends with a row's tokens, or before the last of them."""
        tokens, chances = row.tokens[:last], row.chances[:last]
        return self._ends.end(row.task, tokens, chances, cut=last is not None)

    def _alternatives(self, row: _Row, found: Any) -> Done:
        """Return the most probable next tokens, each as a step."""
        best = dict(zip(found.token_ids, found.logprobs, strict=True))
        order = sorted(best, key=lambda token: (-best[token], token))
        steps = [
            self._ends.end(row.task, [token], [best[token]])
            for token in order[: row.task.rules.alternatives]
        ]
        return Done(row.task.key, tuple(step for step in steps if step), row.read, 1)
