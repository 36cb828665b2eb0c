"""The files of one search: attempts, the journal of searches under way, and grades.

::

    searches/<task>-<policy>-<prm>-<method>-<digest8>/
      problems.jsonl    the problems, as in a pool
      journal.jsonl     every reply of an engine, until all attempts are there; then it goes
      attempts.jsonl    what each search found, when and at what cost
      grades.jsonl      grades of all found candidates

Records::

    attempts  {"problem", "replica", "choice": "best"|"vote"|"majority", "failure": text,
               "found": [{"steps", "finish", "tokens", "logprobs"?, "weight": x|null, "group"}…],
               "marks": [{"found": n, "usage": U, "ballot": [[i, x]…]|null}…], "usage": U, "notes"}
    journal   {"problem", "replica", "number": 0…, "seconds",
               "reply": {"extended"|"judged"|"agreed": […], …}}
    grades    as in a pool; "index" counts a problem's candidates over its replicas in order

``U`` is ``[policy tokens, PRM tokens, FLOPs|null, executions, seconds]``, tokens as in a ledger. A
weight of null is that of a candidate of which the PRM said nothing: below all others. A failed
attempt stays in the file and is owed again; the last record of an attempt counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from harness.digest import SHORT
from harness.store.format import PoolFolder, RunFolder, slug
from harness.store.log import Record, ledger_path, read_records
from harness.types import (
    Agreed,
    Attempt,
    Draft,
    Entry,
    Extended,
    Found,
    Grade,
    Judged,
    Mark,
    Reply,
    StepScores,
    Tokens,
    Usage,
)


@dataclass(frozen=True, slots=True)
class SearchFolder:
    """The files of one search."""

    root: Path

    @classmethod
    def of(
        cls, run: RunFolder, task: str, policy: str, prm: str | None, method: str, digest: str
    ) -> SearchFolder:
        """Return the folder of a search in a run."""
        names = [task, policy, *([prm] if prm else []), method]
        return cls(run.root / "searches" / "-".join([*map(slug, names), digest[:SHORT]]))

    @property
    def pool(self) -> PoolFolder:
        """Its problems and grades, which have a pool's form."""
        return PoolFolder(self.root)

    @property
    def attempts(self) -> Path:
        """The log of attempts."""
        return self.root / "attempts.jsonl"

    @property
    def journal(self) -> Path:
        """The log of replies."""
        return self.root / "journal.jsonl"

    def read_attempts(self) -> dict[tuple[str, int], Attempt]:
        """Return (problem id, replica) → attempt; the last record of each."""
        found = map(attempt_from, cast(Iterator[Any], read_records(self.attempts)))
        return {(attempt.problem, attempt.replica): attempt for attempt in found}

    def read_journal(self, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], list[Entry]]:
        """Return the replies that the `wanted` searches have got, in order."""
        entries: dict[tuple[str, int], list[Entry]] = {}
        if not ledger_path(self.journal).exists():
            return entries
        for record in cast(Iterator[Any], read_records(self.journal)):
            key = record["problem"], record["replica"]
            if key not in wanted:
                continue
            own = entries.setdefault(key, [])
            # A search that failed and was begun again has a second first reply.
            if record["number"] < len(own):
                del own[record["number"] :]
            own.append(entry_from(record))
        return entries

    def read_grades(self) -> Iterator[tuple[str, int, Grade]]:
        """Yield (problem id, candidate index, grade)."""
        return self.pool.read_grades()

    def drop_journal(self) -> None:
        """Forget the replies: every attempt is there."""
        self.journal.unlink(missing_ok=True)
        ledger_path(self.journal).unlink(missing_ok=True)


# --- records -------------------------------------------------------------------------------------


def attempt_record(attempt: Attempt) -> Record:
    """Return the line of attempts.jsonl."""
    return {
        "problem": attempt.problem,
        "replica": attempt.replica,
        "choice": attempt.choice,
        "failure": attempt.failure,
        "found": [_found(one) for one in attempt.found],
        "marks": [
            {
                "found": mark.found,
                "usage": _usage(mark.usage),
                "ballot": None if mark.ballot is None else [list(pair) for pair in mark.ballot],
            }
            for mark in attempt.marks
        ],
        "usage": _usage(attempt.usage),
        "notes": dict(attempt.notes),
    }


def attempt_from(r: Mapping[str, Any]) -> Attempt:
    """Return the attempt of a line of attempts.jsonl."""
    return Attempt(
        problem=r["problem"],
        replica=r["replica"],
        choice=r["choice"],
        found=tuple(
            Found(
                _draft_from(one),
                -math.inf if one["weight"] is None else one["weight"],
                one["group"],
            )
            for one in r["found"]
        ),
        marks=tuple(
            Mark(
                mark["found"],
                _usage_from(mark["usage"]),
                None if mark["ballot"] is None else tuple((i, x) for i, x in mark["ballot"]),
            )
            for mark in r["marks"]
        ),
        usage=_usage_from(r["usage"]),
        failure=r["failure"],
        notes=r["notes"],
    )


def entry_record(entry: Entry) -> Record:
    """Return the line of journal.jsonl."""
    return {
        "problem": entry.problem,
        "replica": entry.replica,
        "number": entry.number,
        "seconds": round(entry.seconds, 6),
        "reply": _reply(entry.reply),
    }


def entry_from(r: Mapping[str, Any]) -> Entry:
    """Return the entry of a line of journal.jsonl."""
    return Entry(r["problem"], r["replica"], r["number"], _reply_from(r["reply"]), r["seconds"])


def _reply(reply: Reply) -> Record:
    if isinstance(reply, Extended):
        return {"extended": [_draft(d) for d in reply.drafts], "tokens": _tokens(reply.tokens)}
    if isinstance(reply, Judged):
        scores = [
            None
            if s is None
            else {
                "values": list(s.values),
                "semantics": s.semantics,
                "truncated": s.truncated,
                "tokens": s.tokens,
                **({} if s.progress is None else {"progress": list(s.progress)}),
                **({} if s.flops is None else {"flops": list(s.flops)}),
                **({"unparsed": s.unparsed} if s.unparsed else {}),
            }
            for s in reply.scores
        ]
        return {"judged": cast(Any, scores), "tokens": _tokens(reply.tokens)}
    return {"agreed": list(reply.classes), "executions": reply.executions}


def _reply_from(r: Mapping[str, Any]) -> Reply:
    if "extended" in r:
        return Extended(tuple(map(_draft_from, r["extended"])), Tokens(*r["tokens"]))
    if "judged" in r:
        scores = tuple(
            None
            if s is None
            else StepScores(
                tuple(s["values"]),
                s["semantics"],
                truncated=s["truncated"],
                tokens=s["tokens"],
                progress=tuple(s["progress"]) if "progress" in s else None,
                flops=tuple(s["flops"]) if "flops" in s else None,
                unparsed=s.get("unparsed", 0.0),
            )
            for s in r["judged"]
        )
        return Judged(scores, Tokens(*r["tokens"]))
    return Agreed(tuple(r["agreed"]), r["executions"])


def _found(one: Found) -> Any:
    weight = one.weight if math.isfinite(one.weight) else None
    return {**_draft(one.draft), "weight": weight, "group": one.group}


def _draft(draft: Draft) -> Any:
    record: dict[str, Any] = {
        "steps": list(draft.steps),
        "finish": draft.finish,
        "tokens": draft.tokens,
    }
    if draft.logprobs is not None:
        record["logprobs"] = list(draft.logprobs)
    if draft.ids is not None:
        record["ids"] = list(draft.ids)
    return record


def _draft_from(r: Mapping[str, Any]) -> Draft:
    chances, ids = r.get("logprobs"), r.get("ids")
    return Draft(
        tuple(r["steps"]),
        r["finish"],
        r["tokens"],
        None if chances is None else tuple(chances),
        None if ids is None else tuple(ids),
    )


def _tokens(tokens: Tokens) -> list[Any]:
    return [tokens.calls, tokens.prefill_logical, tokens.prefill_computed, tokens.decode]


def _usage(usage: Usage) -> list[Any]:
    flops = usage.flops if math.isfinite(usage.flops) else None
    return [
        _tokens(usage.policy),
        _tokens(usage.prm),
        flops,
        usage.executions,
        round(usage.seconds, 6),
    ]


def _usage_from(r: list[Any]) -> Usage:
    flops = math.nan if r[2] is None else r[2]
    return Usage(Tokens(*r[0]), Tokens(*r[1]), flops, r[3], r[4])
