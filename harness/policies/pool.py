"""``pool:FILE`` replays recorded candidates, so that a benchmark of real models needs no model.

**The form**: JSON lines, plain or .gz, one object per candidate:

==================  ======  =======================================================================
key                 needed  meaning
==================  ======  =======================================================================
``id``              yes     the problem's id in its task (text or whole number)
``text``            (yes)   the whole solution; may be left out when ``steps`` are given
``steps``           no      the solution cut in steps, none empty; joined they give ``text``
``index``           no      place among the problem's candidates, from 0; default: order of
                            appearance. All rows of a problem have it or none has
``tokens``          no      tokens that were decoded for it
``prompt_tokens``   no      tokens of its prompt
``finish``          no      ``stop`` (default), ``length`` or ``budget``
``logprobs``        no      log-probability of each decoded token
``scores``          no      step scores; the ``recorded`` PRM reads them
``correct``         no      whether it is right, by somebody's verdict (``grades=recorded``)
``answer``          no      its final answer, as they found it
==================  ======  =======================================================================

Other keys are left alone, but a near miss of these is an error (``step`` for ``steps``). Files of
another form become this one with `harness.policies.importer`.

With the option ``grades=recorded`` the verdicts of the file count, and no grader of ours; every row
must have one then. By default they are left alone.

What is not recorded stays unknown: ``tokens`` of such drafts is None, never 0. Sampling settings do
not apply: draft ``i`` is candidate ``i``, whatever temperature is asked for. In memory a candidate
takes the bytes of its line; it is parsed again when it is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from harness.adapters.options import Options
from harness.adapters.rows import Row, check_keys, parse_json, read_rows, short
from harness.cost import Architecture
from harness.errors import DataError
from harness.policies.batches import BatchStream
from harness.policies.policy import Ability, check_unfinished
from harness.types import (
    Candidate,
    Draft,
    Extend,
    Extended,
    Finish,
    Json,
    Question,
    Spec,
    Tokens,
)

KEYS = (
    "id",
    "text",
    "steps",
    "index",
    "tokens",
    "prompt_tokens",
    "finish",
    "logprobs",
    "scores",
    "correct",
    "answer",
)
_FINISHES: tuple[Finish, ...] = ("stop", "length", "budget")
_LISTED = 5
"""Problem ids that an error names before it only counts."""


class PoolPolicy:
    """Recorded candidates as a policy.

    Raises:
        DataError: the file is missing, empty or breaks the form, with file and line.
    """

    unit_rows = 4096
    architecture: Architecture | None = None

    def __init__(self, spec: Spec) -> None:
        options = Options(spec, "policy")
        self.graded = options.choice("grades", "fresh", ("fresh", "recorded")) == "recorded"
        """Whether the verdicts of the file count."""
        options.done()
        self.spec = spec
        self._path = Path(spec.target)
        sha = hashlib.sha256()
        self._lines = _load(self._path, sha)
        self.verdicts = self._read_verdicts() if self.graded else {}
        """Problem id -> (whether right, answer) of its candidates; they outlast `close`."""
        self._digest = sha.hexdigest()
        self._sizes = {problem: len(lines) for problem, lines in self._lines.items()}

    @property
    def max_samples(self) -> int | None:
        """Candidates that every problem has: the smallest number of any."""
        return min(self._sizes.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Problem id -> number of candidates."""
        return dict(self._sizes)

    abilities: frozenset[Ability] = frozenset()

    def identity(self) -> dict[str, Json]:
        """The digest of the uncompressed file, and whether its verdicts count."""
        graded: dict[str, Json] = {"grades": "recorded"} if self.graded else {}
        return {"adapter": "pool", "content": self._digest, **graded}

    def describe(self) -> dict[str, Json]:
        """Where the file is and how much it holds."""
        return {
            "file": str(self._path),
            "problems": len(self._sizes),
            "candidates": sum(self._sizes.values()),
            "fewest": min(self._sizes.values()),
            "most": max(self._sizes.values()),
        }

    def check(self, questions: Sequence[Question], samples: int) -> None:
        """Refuse questions that the pool lacks or has too few candidates for.

        Raises:
            DataError: names the problems and the ways out.
        """
        missing = [q.id for q in questions if q.id not in self._sizes]
        if missing:
            raise DataError(
                f"{self._path} has no candidates for {_names(missing)} of {len(questions)} "
                f"problems; it has some of {len(self._sizes)} problems: check that they are those "
                "of this task; for a part of a task write one of your own (--include-path)"
            )
        few = [q.id for q in questions if self._sizes[q.id] < samples]
        if few:
            fewest = min(self._sizes[problem] for problem in few)
            raise DataError(
                f"{self._path} has fewer than {samples} candidates for {_names(few)} problems; "
                f"ask for a budget of at most {fewest}"
            )

    def candidate(self, problem: str, index: int) -> Candidate:
        """Return one recorded candidate.

        Raises:
            KeyError: the pool lacks the problem.
            IndexError: it has fewer candidates.
        """
        return _candidate(self._row(problem, index), index)

    def load(self) -> None:
        """There is nothing to load."""

    def extend(self, requests: Sequence[Extend]) -> list[Extended]:
        """Return the first recorded candidates, as many as drafts are asked for.

        `Tokens` counts what was recorded: unknown counts as nothing, and nothing was computed.

        Raises:
            DataError: as `check`, or a draft that has begun already or is to end after one step,
                which a recording cannot continue.
        """
        for request in requests:
            check_unfinished(request)
            if request.cut is not None or any(draft.steps for draft in request.drafts):
                raise DataError(
                    f"{self._path}: a recorded pool cannot continue drafts step by step; "
                    "choose a method that samples whole solutions"
                )
            self.check([request.question], len(request.drafts))
        return [self._replay(request) for request in requests]

    def stream(self) -> BatchStream:
        """Open a stream; see `Policy.stream`."""
        return BatchStream(self.extend)

    def close(self) -> None:
        """Forget the candidates."""
        self._lines = {}

    def _row(self, problem: str, index: int) -> Row:
        """Parse a candidate's line again."""
        line, raw = self._lines[problem][index]
        data = parse_json(raw, f"{self._path}:{line}")
        assert isinstance(data, dict)  # it was when the file was read
        return Row(self._path, line, data, raw)

    def _read_verdicts(self) -> dict[str, list[tuple[bool, str | None]]]:
        return {
            problem: [_verdict(self._row(problem, i)) for i in range(len(lines))]
            for problem, lines in self._lines.items()
        }

    def _replay(self, request: Extend) -> Extended:
        picked = [self.candidate(request.question.id, i) for i in range(len(request.drafts))]
        tokens = Tokens(
            calls=len(picked),
            prefill_logical=sum(c.prompt_tokens or 0 for c in picked),
            decode=sum(c.draft.tokens or 0 for c in picked),
        )
        return Extended(tuple(c.draft for c in picked), tokens)


def _load(path: Path, sha: object) -> dict[str, list[tuple[int, bytes]]]:
    """Return problem -> (line number, line) of its candidates in the order of their index."""
    found: dict[str, dict[int, tuple[int, bytes]]] = {}
    numbered: dict[str, bool] = {}
    for row in read_rows(path, sha):
        check_keys(row, KEYS)
        problem, index = row.id(), row.count("index")
        lines = found.setdefault(problem, {})
        if numbered.setdefault(problem, index is not None) != (index is not None):
            row.fail(f"problem {problem!r} has rows with and rows without 'index'")
        place = len(lines) if index is None else index
        if place in lines:
            row.fail(f"problem {problem!r} has index {place} already, in line {lines[place][0]}")
        _candidate(row, place)
        lines[place] = (row.line, row.raw)
    if not found:
        raise DataError(f"{path} holds no candidates")
    for problem, lines in found.items():
        if len(lines) != max(lines) + 1:
            gap = next(i for i in range(len(lines)) if i not in lines)
            line = min(number for number, _ in lines.values())
            raise DataError(f"{path}:{line}: problem {problem!r} has no candidate of index {gap}")
    return {problem: [lines[i] for i in range(len(lines))] for problem, lines in found.items()}


def _candidate(row: Row, index: int) -> Candidate:
    """Return the candidate of a row, or fail with file and line."""
    steps = _steps(row)
    tokens, logprobs = row.count("tokens"), row.numbers("logprobs")
    if logprobs is not None and tokens not in (None, len(logprobs)):
        row.fail(f"{len(logprobs)} logprobs for {tokens} tokens")
    if logprobs is not None and max(logprobs, default=0.0) > 0:
        row.fail("a log-probability above 0")
    row.numbers("scores")
    finish = row.data.get("finish", "stop")
    for known in _FINISHES:
        if finish == known:
            draft = Draft(steps, known, len(logprobs) if logprobs else tokens, logprobs)
            return Candidate(row.id(), index, draft, row.count("prompt_tokens"))
    row.fail(f"'finish' is {short(finish)}; valid: {', '.join(_FINISHES)}")


def _verdict(row: Row) -> tuple[bool, str | None]:
    """Return whether the candidate of a row is right, and its answer."""
    right, answer = row.data.get("correct"), row.data.get("answer")
    if not isinstance(right, bool):
        row.fail(f"'correct' must be true or false with grades=recorded, found {short(right)}")
    if answer is not None and not isinstance(answer, str):
        row.fail(f"'answer' must be a text, found {short(answer)}")
    return right, answer


def _steps(row: Row) -> tuple[str, ...]:
    """Return the steps of a row; a text without steps is one step, an empty text none."""
    text, steps = row.data.get("text"), row.texts("steps")
    if text is not None and not isinstance(text, str):
        row.fail(f"'text' must be a text, found {short(text)}")
    if steps is None:
        if text is None:
            row.fail("neither 'text' nor 'steps'")
        return (text,) if text else ()
    if "" in steps:
        row.fail(f"step {steps.index('')} is empty")
    if text is not None and "".join(steps) != text:
        row.fail("the steps do not join to the text")
    return steps


def _names(problems: Sequence[str]) -> str:
    """Return up to five ids and the number of all."""
    more = "" if len(problems) <= _LISTED else ", …"
    return f"{len(problems)} ({', '.join(problems[:_LISTED])}{more})"
