"""A small world: a policy and a PRM whose every probability is known. A token is a character.

A solution is `depth` lines of one letter each, drawn from probabilities that depend on the text so
far, and then an end token. One letter in each line is right; a solution is right if all are. The
PRM scores each line by what stands there, with noise that is a function of the text: the same text
always has the same score, as with a model.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from harness.cost import Architecture
from harness.errors import InfrastructureError
from harness.policies.batches import BatchStream
from harness.policies.policy import Ability, check_unfinished
from harness.prms.prm import Covers, in_pairs
from harness.runner.standing import elect
from harness.search.driver import Driver, Job
from harness.search.methods import MethodSpec, parse_method
from harness.search.setting import Setting
from harness.types import (
    Agree,
    Agreed,
    Attempt,
    Budget,
    Cut,
    Draft,
    Extend,
    Extended,
    Finish,
    Grade,
    Json,
    Judge,
    Judged,
    Question,
    Sampling,
    Semantics,
    Spec,
    StepScores,
    Tokens,
)

_SPEC = Spec("world", "fake", "world")
_POLICY, _PRM = Architecture(1000, 1000, 10, 1, 8), Architecture(2000, 2000, 2, 1, 8)
_SAMPLING, _LINES, _FREE = Sampling(max_tokens=40), Cut(("\n",)), Budget()

END = "$"
"""The end token."""
Chances = Mapping[str, float]
LETTERS = "abc"


@lru_cache(200_000)
def chance(*key: object) -> float:
    """Return a number in [0, 1) that follows from the key."""
    sha = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(sha[:7], "big") / 2**56


def right(question: Question, line: int) -> str:
    """Return the right letter of a line."""
    return LETTERS[int(chance("right", question.id, line) * len(LETTERS))]


def first_wrong(question: Question, text: str) -> int:
    """Return the first wrong line, -1 if there is none."""
    lines = text.split("\n")
    wrong = [i for i, line in enumerate(lines) if line and line != right(question, i)]
    return wrong[0] if wrong else -1


@dataclass
class WorldPolicy:
    """Writes letters."""

    depth: int = 4
    skill: float = 0.6
    """Chance of the right letter on average."""
    empty: bool = False
    """Ends at once."""
    failing: Callable[[int, Sequence[Extend]], bool] = lambda call, requests: False
    spec: Spec = _SPEC
    max_samples: int | None = None
    unit_rows: int = 64
    architecture: Architecture | None = _POLICY
    abilities: frozenset[Ability] = frozenset({"continue", "logprobs"})
    calls: int = 0
    rows: int = 0
    requests: list[Extend] = field(default_factory=list)
    spent: Tokens = field(default_factory=Tokens)
    decoded: list[int] = field(default_factory=list)
    """Tokens decoded by each request."""
    seconds: float = 0.0
    """One for each call."""

    def next(self, question: Question, text: str) -> Chances:
        """Return the chances of the next token."""
        line = text.count("\n")
        if self.empty or line >= self.depth:
            return {END: 1.0}
        if text and not text.endswith("\n"):
            return {"\n": 1.0}
        good = right(question, line)
        p = min(0.97, max(0.03, self.skill + 0.5 * (chance("p", question.id, text) - 0.5)))
        share = 0.3 + 0.4 * chance("q", question.id, text)
        others = [letter for letter in LETTERS if letter != good]
        return {good: p, others[0]: (1 - p) * share, others[1]: (1 - p) * (1 - share)}

    def identity(self) -> dict[str, Json]:
        return {}

    def describe(self) -> dict[str, Json]:
        return {}

    def check(self, questions: Sequence[Question], samples: int) -> None: ...

    def load(self) -> None: ...

    def stream(self) -> BatchStream:
        return BatchStream(self.extend)

    def close(self) -> None: ...

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        self.calls += 1
        self.seconds += 1.0
        if self.failing(self.calls, requests):
            raise InfrastructureError("the world shakes")
        replies = [self._extend(request) for request in requests]
        self.requests += requests
        for reply in replies:
            self.spent += reply.tokens
            self.decoded.append(reply.tokens.decode)
        return replies

    def _extend(self, request: Extend) -> Extended:
        check_unfinished(request)
        drafts: list[Draft] = []
        for index, draft in enumerate(request.drafts):
            if request.alternatives:
                drafts += self._alternatives(request, draft)
            else:
                drafts.append(self._write(request, index, draft))
        each = request.alternatives or 1
        written = sum(
            (new.tokens or 0) - (request.drafts[place // each].tokens or 0)
            for place, new in enumerate(drafts[: len(request.drafts) * each])
        )
        if request.alternatives:
            written = len(request.drafts)
        read = sum(len(request.question.prompt) + (d.tokens or 0) for d in request.drafts)
        return Extended(tuple(drafts), Tokens(len(request.drafts), read, read, written))

    def _alternatives(self, request: Extend, draft: Draft) -> list[Draft]:
        chances = self.next(request.question, draft.text)
        order = sorted(chances, key=lambda token: (-chances[token], token))
        return [
            _longer(draft, [token], [chances[token]], request)
            for token in order[: request.alternatives]
        ]

    def _write(self, request: Extend, index: int, draft: Draft) -> Draft:
        sampling, cut = request.sampling, request.cut or Cut(tokens=10**9)
        key = (sampling.seed, request.question.task, request.question.id, index, draft.text)
        rng = random.Random(repr(key))
        tokens: list[str] = []
        kept: list[float] = []
        while True:
            text = draft.text + "".join(tokens)
            chances = self.next(request.question, text)
            token = _sample(chances, sampling.temperature, rng)
            unsure = cut.confidence is not None and chances[token] < cut.confidence
            if tokens and unsure:
                return _longer(draft, tokens, kept, request, going=True)
            tokens.append(token)
            kept.append(chances[token])
            if token == END or (draft.tokens or 0) + len(tokens) >= sampling.max_tokens:
                return _longer(draft, tokens, kept, request)
            written = "".join(tokens)
            if any(written.endswith(d) for d in cut.delimiters) or len(tokens) == cut.tokens:
                return _longer(draft, tokens, kept, request, going=True)


def _sample(chances: Chances, temperature: float, rng: random.Random) -> str:
    if temperature == 0:
        return min(chances, key=lambda token: (-chances[token], token))
    weights = [p ** (1 / temperature) for p in chances.values()]
    return rng.choices(list(chances), weights)[0]


def _longer(
    draft: Draft, tokens: list[str], chances: list[float], request: Extend, going: bool = False
) -> Draft:
    text = "".join(token for token in tokens if token != END)
    count = (draft.tokens or 0) + len(tokens)
    finish: Finish | None = None
    if tokens and tokens[-1] == END:
        finish = "stop"
    elif not going and count >= request.sampling.max_tokens:
        finish = "length"
    logprobs = None
    if request.logprobs:
        logprobs = (*(draft.logprobs or ()), *(math.log(p) for p in chances))
    return Draft((*draft.steps, text) if text else draft.steps, finish, count, logprobs)


@dataclass
class WorldPrm:
    """Scores lines."""

    kind: str = "noisy"
    noise: float = 0.25
    """Chance of a judgement turned round."""
    semantics: Semantics = "p_correct"
    threshold: float | None = 0.5
    silent: bool = False
    """Says nothing."""
    failing: Callable[[int], bool] = lambda call: False
    spec: Spec = _SPEC
    aggregation: str = "min"
    covers: Covers = "steps"
    live: bool = True
    architecture: Architecture | None = _PRM
    unit_rows: int = 64
    calls: int = 0
    requests: list[Judge] = field(default_factory=list)
    spent: Tokens = field(default_factory=Tokens)

    def identity(self) -> dict[str, Json]:
        return {}

    def describe(self) -> dict[str, Json]:
        return {}

    def load(self) -> None: ...

    def remember(self, on: bool) -> None: ...

    def close(self) -> None: ...

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        self.calls += 1
        if self.failing(self.calls):
            raise InfrastructureError("the judge is out")
        self.requests += requests
        replies = []
        for request in requests:
            scores = tuple(self.score(request.question, draft) for draft in request.drafts)
            if self.covers == "pair":
                scores = tuple(one for both in in_pairs(scores) for one in compared(*both))
            read = sum(one.tokens or 0 for one in scores if one)
            replies.append(Judged(scores, Tokens(len(scores), read, read, 0)))
            self.spent += replies[-1].tokens
        return replies

    def score(self, question: Question, draft: Draft) -> StepScores | None:
        assert all(draft.steps), "a draft with an empty step"
        if not draft.steps or self.silent:
            return None
        values = tuple(
            self.value(question, "".join(draft.steps[: end + 1])) for end in range(len(draft.steps))
        )
        return StepScores(values, self.semantics, tokens=len(question.prompt) + len(draft.text))

    def value(self, question: Question, text: str) -> float:
        """Return the score of the last step of `text`."""
        good = first_wrong(question, text) < 0
        jitter = 0.2 * chance("jitter", question.id, text)
        if self.kind == "noisy" and chance("flip", question.id, text) < self.noise:
            good = not good
        if self.kind == "anti":
            good = not good
        return {"constant": 0.5}.get(self.kind, 0.8 + jitter if good else 0.2 - jitter)


def compared(
    one: StepScores | None, other: StepScores | None
) -> tuple[StepScores | None, StepScores | None]:
    """Return what is left of two drafts' scores where a PRM compares them by their minimum."""
    if one is None or other is None:
        return (one and replace(one, values=(1.0,)), other and replace(other, values=(1.0,)))
    first = 0.5 + (min(one.values) - min(other.values)) / 2
    return replace(one, values=(first,)), replace(other, values=(1 - first,))


def classes(requests: Sequence[Agree]) -> list[Agreed]:
    """Sort by text; a text that was cut has no answer."""
    replies = []
    for request in requests:
        seen: dict[str, int] = {}
        found = [
            seen.setdefault(draft.text, len(seen)) if draft.finish == "stop" and draft.text else -1
            for draft in request.drafts
        ]
        replies.append(Agreed(tuple(found), executions=len(found)))
    return replies


QUESTIONS = [Question("world", f"q{i}", "what?") for i in range(200)]


@dataclass
class Run:
    """How searches are run in a test."""

    method: str
    n: int = 8
    policy: WorldPolicy = field(default_factory=WorldPolicy)
    prm: WorldPrm = field(default_factory=WorldPrm)
    sampling: Sampling = _SAMPLING
    cut: Cut = _LINES
    seed: int = 0
    budget: Budget = _FREE
    concurrency: int = 64
    retries: int = 2
    aggregate: Callable[[StepScores], float] = lambda scores: min(scores.values)

    def __post_init__(self) -> None:
        if self.spec.method.pairs:
            self.prm.covers = "pair"

    @property
    def spec(self) -> MethodSpec:
        return parse_method(self.method)

    @property
    def choice(self) -> str:
        name = self.spec.method.name
        fixed = {"majority": "majority", "greedy": "majority", "weighted_vote": "vote"}
        return fixed.get(name) or getattr(self.spec.options, "choice", "best")

    def setting(self, question: Question) -> Setting:
        return Setting(
            question,
            self.n,
            self.sampling,
            self.cut,
            aggregate=self.aggregate,
            semantics=self.prm.semantics,
            random=random.Random(repr((self.seed, question.id))),
        )

    def jobs(self, questions: Sequence[Question]) -> list[Job]:
        return [
            Job(
                question.id,
                lambda question=question: self.spec.search(self.setting(question)),  # type: ignore[misc]
                self.choice,  # type: ignore[arg-type]
                seed=self.seed,
                budget=self.budget,
                vote_weight=lambda score: max(score, 0.0),
            )
            for question in questions
        ]

    def driver(self, **options: object) -> Driver:
        return Driver(
            self.policy,
            self.prm,
            classes,
            concurrency=self.concurrency,
            retries=self.retries,
            clock=lambda: self.policy.seconds,
            **options,  # type: ignore[arg-type]
        )

    def attempts(self, questions: Sequence[Question]) -> dict[str, Attempt]:
        return {one.problem: one for one in self.driver().run(self.jobs(questions))}

    def with_(self, **changes: object) -> Run:
        """Return it with other parts, and a policy and a PRM that have done nothing yet."""
        fresh = {
            "policy": replace(
                self.policy, calls=0, requests=[], spent=Tokens(), decoded=[], seconds=0.0
            ),
            "prm": replace(self.prm, calls=0, requests=[], spent=Tokens()),
        }
        return replace(self, **{**fresh, **changes})  # type: ignore[arg-type]


def timeless(attempt: Attempt) -> Attempt:
    """Return an attempt without its seconds."""
    still = replace(attempt.usage, seconds=0.0)
    marks = tuple(replace(m, usage=replace(m.usage, seconds=0.0)) for m in attempt.marks)
    return replace(attempt, usage=still, marks=marks)


def correctness(run: Run, attempt: Attempt) -> float:
    """Return the expected correctness of an attempt's answer, as results are computed."""
    question = Question("world", attempt.problem, "what?")
    drafts = [one.draft for one in attempt.found]
    if not drafts:
        return 0.0
    (agreed,) = classes([Agree(question, tuple(drafts))])
    grades = [
        Grade(
            "correct"
            if draft.finish == "stop"
            and draft.text.count("\n") == run.policy.depth
            and first_wrong(question, draft.text) < 0
            else "wrong",
            answer_class=number,
        )
        for draft, number in zip(drafts, agreed.classes, strict=True)
    ]
    last = attempt.marks[-1]
    ballot = last.ballot or [(i, one.weight) for i, one in enumerate(attempt.found)]
    return elect(ballot, grades, attempt.choice)


def accuracy(run: Run, questions: Sequence[Question] = QUESTIONS) -> float:
    """Return the mean correctness."""
    attempts = run.attempts(questions)
    return sum(correctness(run, one) for one in attempts.values()) / len(attempts)
