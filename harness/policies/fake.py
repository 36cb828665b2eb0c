"""Fake policies: deterministic, instant, and shipped so that users can test with them too.

============  =====================================================================================
fake:echo     writes the prompt back as its solution
fake:FILE     JSON lines of ``{"id": problem, "texts": [...]}``: draft ``i`` becomes text ``i``,
              starting again after the last; with ``"words": {word: probability}``, the same after
              any text, for critics
============  =====================================================================================

A token of a fake policy is one character. Stop strings, delimiters, ``max_tokens`` and continued
drafts work as for a model. ``batch`` is the number of drafts per call. Options that inject trouble:
``seconds`` (sleep before each call) and ``fail_after=k`` (the call after the k-th raises
`InfrastructureError`).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.adapters.options import Options
from harness.adapters.rows import Row, check_keys, read_rows
from harness.cost import Architecture
from harness.errors import DataError, InfrastructureError
from harness.policies.batches import BatchStream
from harness.policies.policy import Ability, check_unfinished
from harness.types import (
    Cut,
    Draft,
    Extend,
    Extended,
    Finish,
    Json,
    Question,
    Spec,
    Tokens,
    Weigh,
    Weighed,
)


class FakePolicy:
    """Scripted text as a policy.

    Raises:
        ConfigError: a wrong option.
        DataError: a script that is missing or broken, with file and line.
    """

    max_samples: int | None = None
    architecture: Architecture | None = None

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "policy")
        self.spec = spec
        self._seconds = options.number("seconds", 0.0, 0.0, 3600.0)
        self._fail_after = options.integer("fail_after", None, low=0)
        self.unit_rows = options.integer("batch", 256) or 256
        options.done()
        self._calls = 0
        sha = hashlib.sha256()
        self._texts: dict[str, tuple[str, ...]] | None = None
        self._words: dict[str, dict[str, float]] = {}
        if spec.target != "echo":
            self._texts, self._words = _script(Path(spec.target), sha)
        self._digest = sha.hexdigest()

    abilities: frozenset[Ability] = frozenset({"continue", "chat", "weigh"})

    def identity(self) -> dict[str, Json]:
        """The script's digest; trouble decides no text."""
        script = "echo" if self._texts is None else self._digest
        return {"adapter": "fake", "script": script}

    def describe(self) -> dict[str, Json]:
        """The script's name."""
        return {"script": self.spec.target}

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """Refuse questions that the script lacks.

        Raises:
            DataError: names the first of them.
        """
        for question in questions:
            self._text(question, 0)

    def load(self) -> None:
        """There is nothing to load."""

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        """Write as the script says.

        Raises:
            DataError: a problem that the script lacks, or a draft that departs from it.
            InfrastructureError: after ``fail_after`` calls.
        """
        for request in requests:
            check_unfinished(request)
        if self._fail_after is not None and self._calls >= self._fail_after:
            raise InfrastructureError(f"the fake policy fails after {self._fail_after} calls")
        self._calls += 1
        if self._seconds:
            time.sleep(self._seconds)
        return [self._extend(request) for request in requests]

    def weigh(self, requests: Sequence[Weigh]) -> list[Weighed]:
        """Weigh words as the script says.

        Raises:
            DataError: a problem or a word of which it says nothing.
        """
        return [self._weigh(request) for request in requests]

    def _weigh(self, request: Weigh) -> Weighed:
        known = self._words.get(request.question.id, {})
        for word in request.words:
            if word not in known:
                raise DataError(
                    f"{self.spec.target} says nothing of the word {word!r} for "
                    f"{request.question.id!r}: add it to 'words'"
                )
        logprobs = tuple(math.log(known[word]) for word in request.words)
        read = _asked(request.question) + len(request.draft.text)
        read += sum(len(word) - 1 for word in request.words)
        return Weighed(logprobs, Tokens(1, read, read))

    def stream(self) -> BatchStream:
        """Open a stream; see `Policy.stream`."""
        return BatchStream(self.extend)

    def close(self) -> None:
        """Nothing to give back."""

    def _extend(self, request: Extend) -> Extended:
        drafts = tuple(self._write(request, i) for i in range(len(request.drafts)))
        asked = _asked(request.question)
        prompts = [asked + len(draft.text) for draft in request.drafts]
        written = sum(
            (new.tokens or 0) - (old.tokens or 0)
            for old, new in zip(request.drafts, drafts, strict=True)
        )
        return Extended(drafts, Tokens(len(drafts), sum(prompts), asked, written))

    def _write(self, request: Extend, index: int) -> Draft:
        """Return draft `index` of a request, continued."""
        old = request.drafts[index]
        text = self._text(request.question, index)
        if not text.startswith(old.text):
            raise DataError(
                f"fake policy: draft {index} of {request.question.id!r} departs from the script"
            )
        rest = text[len(old.text) :]
        chunk, finish, cut = _cut(rest, request)
        limit = request.sampling.max_tokens - (old.tokens or 0)
        if len(chunk) + cut > limit:
            chunk, finish, cut = chunk[:limit], "length", 0
        steps = (*old.steps, chunk) if chunk else old.steps
        return replace(old, steps=steps, finish=finish, tokens=(old.tokens or 0) + len(chunk) + cut)

    def _text(self, question: Question, index: int) -> str:
        if self._texts is None:
            return question.prompt
        if question.id not in self._texts:
            raise DataError(f"{self.spec.target} has no texts for problem {question.id!r}")
        texts = self._texts[question.id]
        return texts[index % len(texts)]


def _cut(rest: str, request: Extend) -> tuple[str, Finish | None, int]:
    """Return what is written of `rest`, how that ends, and the characters of a cut stop string."""
    ends: list[tuple[int, str, Finish | None, int]] = [(len(rest), rest, "stop", 0)]
    for stop in request.sampling.stop:
        if (at := rest.find(stop)) >= 0:
            ends.append((at + len(stop), rest[:at], "stop", len(stop)))
    where = request.cut or Cut(tokens=len(rest) + 1)
    for delimiter in where.delimiters:
        if (at := rest.find(delimiter)) >= 0:
            ends.append((at + len(delimiter), rest[: at + len(delimiter)], None, 0))
    if where.tokens:
        ends.append((where.tokens, rest[: where.tokens], None, 0))
    # A step that takes the rest is the solution's end, not a place to go on from.
    ends = [end for end in ends if end[2] is not None or end[0] < len(rest)]
    _, chunk, finish, cut = min(ends, key=lambda end: end[0])
    return chunk, finish, cut


def _asked(question: Question) -> int:
    """Return the characters of what is asked."""
    return sum(len(turn.text) for turn in question.chat) or len(question.prompt)


def _script(
    path: Path, sha: object
) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, float]]]:
    """Return problem -> texts, and problem -> word -> probability."""
    texts: dict[str, tuple[str, ...]] = {}
    words: dict[str, dict[str, float]] = {}
    for row in read_rows(path, sha):
        check_keys(row, ("id", "texts", "words"))
        lines = row.texts("texts")
        if not lines:
            row.fail("'texts' must be a list of at least one text")
        if row.id() in texts:
            row.fail(f"problem {row.id()!r} again")
        texts[row.id()] = lines
        words[row.id()] = _words(row)
    return texts, words


def _words(row: Row) -> dict[str, float]:
    """Return word -> probability."""
    given = row.data.get("words", {})
    if not isinstance(given, dict):
        row.fail("'words' must map words to probabilities")
    found = {}
    for word, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            row.fail(f"'words' of {word!r} must be a probability above 0")
        found[word] = float(value)
    return found
