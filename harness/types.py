"""The data model of prm-harness: read this file first.

Every value that travels between two rooms of the package is one of the frozen records below; no
dictionary does. They hold plain data, know no file, engine or clock, and check their own
invariants when they are made, so that a bad value stops where it arises.

How they hang together::

    Problem ── question ──► policy: Extend ─► Extended(drafts)      writes solutions
       │                    PRM:    Judge  ─► Judged(step scores)   scores their steps
       ▼
    Candidate (one complete solution of a pool) ── grader ──► Grade
       ▼
    estimators ──► Estimate, Comparison ──► ResultRow (one line of results.csv)

Words, one meaning each: a *problem* is asked; a *draft* is a text cut in *steps*; a *candidate*
is a finished draft in a *pool*; a *policy* writes drafts; a *PRM* scores their steps; a *method*
chooses an answer; a *run* is one sweep over tasks, policies, PRMs and methods.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Literal, TypeAlias, get_args

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

Kind = Literal["math", "code_function", "code_stdin", "steps", "preference", "lm_eval"]
"""What a problem asks for: a final answer, a Python function, a whole program that reads stdin,
a judgement of the solution that comes with it (``steps``), which of the solutions that come with it
is right (``preference``), or whatever a task of lm-eval's own asks for and grades."""

Semantics = Literal["p_correct", "value", "advantage", "reward", "verdict"]
"""What a step score means: probability that the step is right · expected success from here (any
bounded range) · progress made by the step (signed) · unbounded reward · 0/1 judgement."""

Finish = Literal["stop", "length", "budget"]
"""Why a draft ended: by itself · cut at ``max_tokens`` or the context · cut by the budget."""

Verdict = Literal["correct", "wrong", "ungraded"]
SecondsKind = Literal["latency", "throughput"]

KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "lm_eval")
"""Kinds that the YAML of a task of ours may name."""
GIVEN_KINDS: tuple[Kind, ...] = ("steps", "preference")
"""Kinds of problems that bring their solutions: nothing is written, nothing graded."""
SEMANTICS: tuple[Semantics, ...] = get_args(Semantics)


# --- problems ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a policy or a PRM may see of a problem. The reference is not here, by construction."""

    task: str
    id: str
    prompt: str
    chat: tuple[Turn, ...] = ()
    """A conversation in the place of the prompt, for policies that can ``chat``; the last turn is
    the user's. Its texts are quoted from others: nothing in them is a special token."""


@dataclass(frozen=True)
class Problem:
    """One item of a task. Its identity is its content (`digest`), never a row number."""

    id: str
    """The data set's own id."""
    task: str
    task_version: str
    kind: Kind
    prompt: str
    """What the policy is asked, rendered by the task's template."""
    reference: Json = None
    """Gold answer, tests or first wrong step: for graders only."""
    steps: tuple[str, ...] = ()
    """The solution to judge, each step with its end, as a policy would have written it; only for
    kind ``steps``."""
    solutions: tuple[tuple[str, ...], ...] = ()
    """The solutions to choose from, each in steps like `steps`; only for kind ``preference``. One
    without steps is there, but nobody has its text: recorded scores can be looked up, no more."""
    meta: Mapping[str, Json] = field(default_factory=dict)
    """Facts to slice results by: subject, level, source, date."""

    def __post_init__(self) -> None:
        if (self.kind == "steps") != bool(self.steps):
            raise ValueError(f"problem {self.id!r}: kind 'steps', and only it, comes with steps")
        if (self.kind == "preference") != (len(self.solutions) > 1):
            raise ValueError(
                f"problem {self.id!r}: kind 'preference', and only it, comes with several solutions"
            )

    @property
    def question(self) -> Question:
        """The part of the problem that policies and PRMs may see."""
        return Question(self.task, self.id, self.prompt)

    @cached_property
    def digest(self) -> str:
        """Content identity: equal for equal problems, whatever order or file they come from."""
        from harness.digest import digest

        # Problems of other kinds keep the digests that they had before there were solutions.
        content = {f.name: getattr(self, f.name) for f in fields(self)}
        return digest({k: v for k, v in content.items() if k != "solutions" or v})

    @property
    def given(self) -> tuple[Draft, ...]:
        """The solutions that come with it, as drafts."""
        own = (self.steps,) if self.kind == "steps" else self.solutions
        return tuple(Draft(steps, finish="stop", tokens=None) for steps in own)

    @property
    def blind(self) -> bool:
        """Whether the text of a solution that comes with it is missing."""
        return not all(self.solutions)


# --- drafts and scores ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a policy samples. ``temperature=0`` is greedy; then top_p and seed change nothing."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 2048
    """Limit on the tokens decoded for one draft."""
    stop: tuple[str, ...] = ()
    """The draft ends before the first of these strings."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1 or self.max_tokens < 1:
            raise ValueError(
                f"sampling needs temperature >= 0, 0 < top_p <= 1, max_tokens >= 1: {self}"
            )


@dataclass(frozen=True, slots=True)
class Draft:
    """A solution, whole or not yet, cut in steps so that joining them gives back the text."""

    steps: tuple[str, ...] = ()
    finish: Finish | None = None
    """None while the draft can still be extended."""
    tokens: int | None = 0
    """Tokens that the policy decoded for it; None where a recorded file does not say."""
    logprobs: tuple[float, ...] | None = None
    """Log-probability of each decoded token, where the policy gives them."""
    ids: tuple[int, ...] | None = field(default=None, compare=False, repr=False)
    """The tokens that the policy wrote it in, while it goes on and they spell exactly this text: it
    is continued from these. Another way to spell the same text is the same draft."""

    @property
    def text(self) -> str:
        """The whole text; segmentation loses nothing."""
        return "".join(self.steps)


@dataclass(frozen=True, slots=True)
class StepScores:
    """A PRM's scores for one draft: exactly one finite number per step (see `unparsed`)."""

    values: tuple[float, ...]
    semantics: Semantics
    raw: tuple[float, ...] | None = None
    """The head's own numbers (logits, say) before they became `values`."""
    truncated: bool = False
    """The PRM did not see the whole input."""
    tokens: int | None = None
    """Tokens of this draft's input (prompt and steps), plus those generated; None if unknown."""
    progress: tuple[float, ...] | None = None
    """What each step gained in the eyes of a prover, where the PRM has one besides (PAV)."""
    flops: tuple[int, ...] | None = None
    """Operations for each value, where they do not follow from `tokens`: of a critic, which reads
    and writes many texts for one draft. A value that rests on all that was written for the draft
    has the operations of all of it, those before it none."""
    unparsed: float = 0.0
    """Share of a critic's answers in which no verdict was found. Where they decide nothing at all
    there are no `values`, which is an answer too, and a wrong one: it counts as such. (Of two
    solutions that were compared, both have 1/2 then.)"""

    def __post_init__(self) -> None:
        if self.progress is not None and len(self.progress) != len(self.values):
            raise ValueError(f"{len(self.progress)} gains for {len(self.values)} step scores")
        given = {"value": self.values, "raw score": self.raw, "progress": self.progress}
        for name, numbers in given.items():
            if not numbers or all(map(math.isfinite, numbers)):
                continue
            for i, number in enumerate(numbers):
                if not math.isfinite(number):
                    raise ValueError(f"the {name} of step {i} is {number}, not a finite number")


# --- requests and replies ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one model did. Adds up."""

    calls: int = 0
    """Sequences sent to the model."""
    prefill_logical: int = 0
    """Prompt tokens as if nothing were shared between sequences."""
    prefill_computed: int = 0
    """Prompt tokens that went through the model after sharing and caching."""
    decode: int = 0
    """Tokens generated."""

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Gauges:
    """What an engine that writes is doing at one moment, as far as it can say."""

    running: int
    """Drafts that it works on."""
    waiting: int | None
    """Drafts that were handed in and are not begun."""
    decoded: int | None = None
    """Tokens decoded since the stream was opened, those of unfinished drafts included."""
    cache: float | None = None
    """Share of its room for keys and values that is in use, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a policy that writes one step at a time ends the step: at whichever comes first.

    How a search cuts and how a PRM reads are two things; see `harness.search.setting`.
    """

    delimiters: tuple[str, ...] = ()
    """After the first of these, which stays in the text."""
    tokens: int | None = None
    """After so many tokens."""
    confidence: float | None = None
    """Before a token that was given less than this probability (by the model itself: before
    temperature and top_p), the step's first token excepted. Source: AdaptiveStep,
    arXiv:2502.13943."""

    def __post_init__(self) -> None:
        if not (self.delimiters or self.tokens or self.confidence):
            raise ValueError("a cut needs delimiters, tokens or a confidence")


@dataclass(frozen=True, slots=True)
class Extend:
    """A request to a policy: continue each draft, to its end or by one step.

    The policy appends what it wrote as one more step; it knows nothing of segmentation.
    """

    question: Question
    drafts: tuple[Draft, ...]
    sampling: Sampling
    cut: Cut | None = None
    """Where the step ends; None: write to the end."""
    alternatives: int | None = None
    """Not one sampled text per draft, but its so many most probable next tokens: the reply holds
    that many drafts per draft asked for, each one token longer, the most probable first (ties: the
    lower token). Fewer only if the vocabulary is smaller."""
    logprobs: bool = False
    """Whether `Draft.logprobs` are wanted."""

    def __post_init__(self) -> None:
        if not self.drafts:
            raise ValueError("an Extend request without drafts")


@dataclass(frozen=True, slots=True)
class Extended:
    """A policy's reply: one draft per draft asked for, in the same order (with ``alternatives``,
    so many in turn for each)."""

    drafts: tuple[Draft, ...]
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Weigh:
    """A request to a policy: how probable would each of these words be, next after a draft?"""

    question: Question
    draft: Draft
    words: tuple[str, ...]
    """Texts of one or more tokens, each encoded by itself."""

    def __post_init__(self) -> None:
        if not self.words or not all(self.words):
            raise ValueError("a Weigh request without words, or with an empty one")


@dataclass(frozen=True, slots=True)
class Weighed:
    """A policy's reply."""

    logprobs: tuple[float, ...] | None
    """Per word its log-probability, the sum over its tokens; None: the context is too short."""
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Judge:
    """A request to a PRM: score every step of each draft. `first` numbers the first draft in its
    pool, so that recorded scores can be looked up; no model may use it."""

    question: Question
    drafts: tuple[Draft, ...]
    first: int = 0
    blind: bool = False
    """Nobody has the text of some drafts; only a recording can score those."""

    def __post_init__(self) -> None:
        if not self.drafts:
            raise ValueError("a Judge request without drafts")


@dataclass(frozen=True, slots=True)
class Judged:
    """A PRM's reply: scores per draft, in the same order, None where it has none to give."""

    scores: tuple[StepScores | None, ...]
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Agree:
    """A request to sort finished drafts into classes of equal answers, without the reference."""

    question: Question
    drafts: tuple[Draft, ...]

    def __post_init__(self) -> None:
        if not self.drafts:
            raise ValueError("an Agree request without drafts")


@dataclass(frozen=True, slots=True)
class Agreed:
    """The reply: a class per draft, in the same order; -1 for a draft without an answer."""

    classes: tuple[int, ...]
    executions: int = 0
    """Programs run to find out."""


Reply: TypeAlias = Extended | Judged | Agreed


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a journal: the reply to a search's `number`-th request."""

    problem: str
    replica: int
    number: int
    reply: Reply
    seconds: float
    """Since the search began."""


# --- pools and grades ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """One finished solution of a problem in a pool."""

    problem: str
    """The problem's id."""
    index: int
    """Its place among the problem's candidates, from 0."""
    draft: Draft
    prompt_tokens: int | None = None
    """Tokens of the prompt; None where a recorded file does not say."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A grader's word on one candidate. Ungraded (grader or sandbox failed) is not wrong."""

    verdict: Verdict
    answer: str | None = None
    """The final answer that was found in the text, None if there is none."""
    reason: str = ""
    """Why, in a few words: ``no answer``, ``timeout`` …"""
    answer_class: int = -1
    """Candidates of one problem with equivalent answers share a class, which votes count;
    -1: no answer, no vote."""

    @property
    def value(self) -> float:
        """1.0 correct, 0.0 wrong, NaN ungraded: NaN never averages as wrong."""
        return {"correct": 1.0, "wrong": 0.0}.get(self.verdict, math.nan)


# --- searches ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Usage:
    """What a search has spent so far. Adds up; only the driver makes it."""

    policy: Tokens = field(default_factory=Tokens)
    prm: Tokens = field(default_factory=Tokens)
    flops: float = 0.0
    """Of policy and PRM, with every token of a path computed once; NaN if a model's shape is
    unknown. See `harness.search.ledger`."""
    executions: int = 0
    """Programs run to choose."""
    seconds: float = 0.0
    """Wall-clock seconds since the search began, waiting for others included."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True, slots=True)
class Budget:
    """What a search may spend; None is no limit. The request in flight is finished."""

    policy_tokens: int | None = None
    """Tokens decoded by the policy."""
    flops: float | None = None
    seconds: float | None = None
    """Latency: seconds since the search began."""


Choice = Literal["best", "vote", "majority"]
"""How an answer is chosen from finished candidates: the one of the highest weight · the class of
answers with the largest sum of weights · the class with most members."""


@dataclass(frozen=True, slots=True)
class Found:
    """One finished candidate of a search."""

    draft: Draft
    weight: float
    """Aggregated PRM score (as a vote weight, where candidates vote); 1 without a PRM."""
    group: int = 0
    """The independent part of the search that found it: a subtree of DVTS. 0 where there is one."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a search stood after an event that may have changed its answer: the anytime curve."""

    found: int
    """Candidates found by then: the first so many of the attempt."""
    usage: Usage
    ballot: tuple[tuple[int, float], ...] | None = None
    """(candidate, weight) pairs that decide the answer, where the method weighs otherwise than by
    `Found.weight`: visits of a tree, copies of a particle. None: all found, by their own weight."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One search on one problem: what it found, when, and at what cost."""

    problem: str
    replica: int
    choice: Choice
    found: tuple[Found, ...]
    marks: tuple[Mark, ...]
    usage: Usage
    failure: str = ""
    """Why it ended early: the infrastructure's fault, so the attempt is left out, never wrong."""
    notes: Mapping[str, float] = field(default_factory=dict)
    """Numbers that a method reports of itself: nodes, depth, effective sample size."""


# --- what is run ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spec:
    """A named policy or PRM: which adapter, on what, with which options. Inert and digestible."""

    name: str
    """How tables call it."""
    adapter: str
    """``transformers``, ``pool``, ``recorded``, ``fake`` …"""
    target: str
    """Model folder, hub id or file that the adapter opens."""
    options: Mapping[str, Json] = field(default_factory=dict)


# --- results -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over problems with its 95 % interval."""

    value: float
    low: float
    high: float
    n: int
    """Problems (or items) that it averages."""
    clusters: int
    """Independent groups among them; equals n unless problems repeat."""
    method: str
    """How the interval was made: ``wilson``, ``t``, ``bootstrap`` …"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired difference a − b on the same problems, with its 95 % interval."""

    a: str
    b: str
    difference: Estimate
    p: float
    """Two-sided, of the paired test named in `test`."""
    test: str
    only_a: float
    """Problems (or expected number of them) that only a solves."""
    only_b: float

    @property
    def separable(self) -> bool:
        """Whether the interval excludes 0 and the test agrees: p is below 0.05."""
        return self.p < 0.05 and (self.difference.low > 0 or self.difference.high < 0)

    def sentence(self) -> str:
        """The result in plain words, in points."""
        d = self.difference
        if math.isnan(d.value):
            return f"{self.a} and {self.b} share no graded problem."
        lead, trail = (self.a, self.b) if d.value >= 0 else (self.b, self.a)
        low, high = (d.low, d.high) if d.value >= 0 else (-d.high, -d.low)
        text = (
            f"{lead} is ahead of {trail} by {100 * abs(d.value):.1f} points, "
            f"95 % CI [{100 * low:.1f}, {100 * high:.1f}], n = {d.n}, p = {self.p:.2g}"
        )
        return text + ("." if self.separable else "; not separable at this n.")


@dataclass(frozen=True, slots=True)
class Duel:
    """A comparison of a PRM's choice with that of another method on one pool, at one budget."""

    task: str
    policy: str
    prm: str
    method: str
    budget: int
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One line of results.csv: one metric of one (task, policy, PRM, method, aggregation, budget).

    Costs are means per problem; None is unknown or does not apply, never zero.
    """

    task: str
    task_version: str
    domain: str
    policy: str | None = None
    prm: str | None = None
    method: str
    aggregation: str | None = None
    headline: bool = True
    """Declared before the run: the PRM's own aggregation, not the best one seen afterwards."""
    budget: int | None = None
    """Candidates per problem; None for kind ``steps``."""
    metric: str
    """accuracy, pass_at_n, f1, acc_error, acc_correct, threshold …"""
    value: float = math.nan
    ci_low: float | None = None
    ci_high: float | None = None
    ci_method: str | None = None
    n_problems: int = 0
    n_total: int
    """Problems that the task has: larger than n_problems when only a part was run or covered."""
    n_ungraded: int = 0
    """Candidates without a grade; they are left out, never counted as wrong."""
    replicas: int = 1
    policy_tokens: float | None = None
    """Tokens decoded by the policy."""
    prm_tokens: float | None = None
    """Tokens read (and generated) by the PRM, as if nothing were shared."""
    flops: float | None = None
    """Policy plus PRM, prompt tokens computed once per problem."""
    seconds_per_problem: float | None = None
    seconds_kind: SecondsKind | None = None
    executions: int = 0
    """Programs run to choose, as if nothing were shared: a vote on code runs every candidate on
    public inputs. Grading chooses nothing and is not counted."""
    truncated_share: float | None = None
    """Share of candidates cut at max_tokens."""
    run_digest: str
    policy_prompt_tokens: float | None = None
    """Prompt tokens of the policy as if nothing were shared between drafts."""
    policy_prompt_computed: float | None = None
    """Those that went through it in fact: measured, and larger after an interruption."""
    prm_tokens_computed: float | None = None
    """PRM tokens that went through the model in fact: measured, as before."""
