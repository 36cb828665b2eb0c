"""The contract of policies: what every adapter that writes solutions owes to the rest.

An adapter is opened from an inert `Spec` and then only answers `Extend` requests. It knows nothing
of problems, references, steps, budgets or files of results.

**Determinism.** The reply to a call may depend only on the list of requests in that call: not on
earlier calls, the clock or the machine's load. Draft `i` of a request draws from its own random
stream, which follows from (sampling.seed, task, question id, i, the draft's text so far); so how
rows are batched changes nothing but the last bits of floating-point arithmetic. It follows that all
samples of one question belong in one request: two requests for the same question with the same seed
write the same drafts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from harness.cost import Architecture
from harness.types import Extend, Extended, Json, Question, Spec, Weigh, Weighed

Ability = Literal["continue", "logprobs", "chat", "weigh"]
"""What not every policy can do: go on with a draft that has text already · say how probable its
tokens were (``Extend.logprobs``, ``alternatives``, ``Cut.confidence``) · be asked by a conversation
(``Question.chat``) · say how probable given words would be (`Weighing`)."""


class Stream(Protocol):
    """A policy at work on many requests at once, which come and go one by one.

    Rows that end make room for others at once, so that one long draft holds up nobody. What is
    written for a request is what `Policy.extend` would write for it alone, up to the last bits of
    floating-point arithmetic.

    A stream may have a method ``gauges()`` besides, that says what its engine is doing
    (`harness.telemetry.telemetry.Gauged`).
    """

    @property
    def works_on(self) -> bool:
        """Whether it writes on while nobody collects: an engine that is a process of its own."""
        ...

    @property
    def at_once(self) -> int | None:
        """Drafts that are written at the same time, whatever waits; None: `Policy.unit_rows`."""
        ...

    @property
    def rows(self) -> int:
        """Drafts that were submitted and not collected yet."""
        ...

    def submit(self, ticket: int, request: Extend) -> None:
        """Hand in a request; `ticket` is the caller's number for it."""
        ...

    def collect(self) -> list[tuple[int, Extended]]:
        """Work until at least one request is finished, and return all that are.

        Returns:
            (ticket, reply) pairs; [] only if nothing was submitted.

        Raises:
            UserError, InfrastructureError: as `Policy.extend`. All that was submitted and not
                collected is dropped; the stream may be used again.
        """
        ...

    def close(self) -> None:
        """Drop what was not collected, and everything that was remembered."""
        ...


@runtime_checkable
class Policy(Protocol):
    """A model, a recorded pool or a script that continues drafts."""

    @property
    def spec(self) -> Spec:
        """What it was opened from."""
        ...

    @property
    def max_samples(self) -> int | None:
        """Most drafts that it can write for one question; None: no limit."""
        ...

    @property
    def unit_rows(self) -> int:
        """Drafts that it likes to have at work at once. It changes speed only."""
        ...

    @property
    def architecture(self) -> Architecture | None:
        """What a token costs; None where it is unknown, and then FLOPs are unknown too."""
        ...

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it can do besides writing whole solutions."""
        ...

    def identity(self) -> dict[str, Json]:
        """Everything that decides what it writes, and nothing else.

        Content digests of weights, tokenizer or file, the hub commit, the digest of the chat
        template, the number format; never a path, a device or a batch size. JSON data.
        """
        ...

    def describe(self) -> dict[str, Json]:
        """Facts for the provenance record that decide nothing: device, library versions, sizes."""
        ...

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """Refuse, before anything has run, what it cannot do for these questions.

        Raises:
            UserError: a recorded pool lacks some of the questions or has too few candidates.
        """
        ...

    def load(self) -> None:
        """Load what it works with, before any clock runs; the first request would, otherwise.

        Calling it twice is allowed.

        Raises:
            UserError: files that do not load, a model that its engine does not run.
            InfrastructureError: the engine does not start: memory, mostly.
        """
        ...

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        """Continue the drafts of each request; replies come in the order of the requests.

        A draft grows by one step at most: the text that the policy wrote, if any (a policy that
        ends at once appends no empty step). ``finish`` is ``stop`` when the policy ended by
        itself or at a stop string, ``length`` at ``max_tokens`` or at the end of the context, and
        None when it stopped where the request's `Cut` says. ``tokens`` of the draft grow by the
        tokens decoded, the end-of-text token and cut-off stop strings included.

        `Extended.tokens`: ``calls`` drafts, ``prefill_logical`` prompt tokens times drafts,
        ``prefill_computed`` prompt tokens that went through the model, ``decode`` tokens written:
        with one more for a draft whose step ended before a token that `Cut.confidence` refused (it
        was computed, belongs to no draft, and is drawn anew when the draft is continued), and one
        for all ``alternatives`` of a draft, which come from one pass.

        Raises:
            ValueError: a draft that is already finished.
            UserError: the policy cannot continue such a draft.
            InfrastructureError: the engine failed; nothing of the call counts.
        """
        ...

    def stream(self) -> Stream:
        """Open a stream; one at a time."""
        ...

    def close(self) -> None:
        """Give back memory and processes; calling it twice is allowed."""
        ...


class Weighing(Policy, Protocol):
    """A policy with the ability ``weigh``."""

    def weigh(self, requests: Sequence[Weigh]) -> list[Weighed]:
        """Say how probable words would be, each as the text that comes next after a draft.

        The model's own probabilities, before temperature and top_p. Prompt, draft and word are
        encoded one by one; a word of several tokens has the sum of their log-probabilities. A
        draft may be finished.

        `Weighed.tokens`: ``calls`` 1, ``prefill_logical`` tokens of prompt, draft and words but
        the last of each, ``prefill_computed`` those that went through the model.

        Raises:
            UserError: the policy cannot.
            InfrastructureError: the engine failed; nothing of the call counts.
        """
        ...


def check_unfinished(request: Extend) -> None:
    """Refuse drafts that are finished: extending one is a bug of the caller.

    Raises:
        ValueError: some draft has a ``finish``.
    """
    for index, draft in enumerate(request.drafts):
        if draft.finish is not None:
            raise ValueError(
                f"draft {index} of question {request.question.id!r} is finished ({draft.finish})"
            )
