"""What the page shows of single problems: a few per pool and PRM, with the telling candidates."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.prms.aggregate import aggregate, vote_weight
from harness.reporting.sample import Sample, SampleCandidate
from harness.store.format import RunFolder, read_scores
from harness.store.sweepfile import PoolEntry, ScoreEntry, SweepFile, read_sweep
from harness.types import GIVEN_KINDS, Candidate, Grade, Json, Problem, Semantics, StepScores

PER_PRM = 20
"""Problems shown per pool and PRM, spread evenly over the task."""
CANDIDATES = 8
"""Candidates shown per problem."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """One candidate with all that is known of it."""

    candidate: Candidate
    grade: Grade | None
    scores: StepScores | None
    score: float | None


def samples(run: RunFolder) -> list[Sample]:
    """Return the problems to show of a run: for each PRM and pool, the same problems."""
    sweep = read_sweep(run)
    found: list[Sample] = []
    for entry in sweep.pools:
        if entry.greedy:
            continue
        problems = _spread(entry.folder(run).read_problems())
        ids = {problem.id for problem in problems}
        candidates, grades = _read_pool(run, entry, problems, ids)
        scored: Sequence[ScoreEntry | None] = [e for e in sweep.scores if e.pool == entry.digest]
        for score_entry in scored or (None,):
            scores = _read_scores(run, sweep, score_entry, ids) if score_entry else {}
            for problem in problems:
                shown = [
                    _shown(c, grades, scores, score_entry) for c in candidates.get(problem.id, [])
                ]
                found.append(_sample(entry, score_entry, problem, shown))
    return found


def _spread(problems: Sequence[Problem]) -> list[Problem]:
    """Return PER_PRM problems at even distances."""
    if len(problems) <= PER_PRM:
        return list(problems)
    return [problems[i * len(problems) // PER_PRM] for i in range(PER_PRM)]


def _read_pool(
    run: RunFolder, entry: PoolEntry, problems: Sequence[Problem], ids: set[str]
) -> tuple[dict[str, list[Candidate]], dict[tuple[str, int], Grade]]:
    """Return the candidates and grades of some problems."""
    if entry.kind in GIVEN_KINDS:
        given = {p.id: [Candidate(p.id, i, d) for i, d in enumerate(p.given)] for p in problems}
        return given, _given_grades(problems)
    folder = entry.folder(run)
    candidates: dict[str, list[Candidate]] = {}
    for candidate in folder.read_candidates(ids):
        candidates.setdefault(candidate.problem, []).append(candidate)
    grades = {(p, i): grade for p, i, grade in folder.read_grades(ids)}
    return candidates, grades


def _given_grades(problems: Sequence[Problem]) -> dict[tuple[str, int], Grade]:
    """Return which of the solutions to choose from are right."""
    grades = {}
    for problem in problems:
        reference = problem.reference
        right = reference.get("right") if isinstance(reference, dict) else None
        for i in range(len(problem.solutions)):
            grades[problem.id, i] = Grade("correct" if i == right else "wrong")
    return grades


def _read_scores(
    run: RunFolder, sweep: SweepFile, entry: ScoreEntry, ids: set[str]
) -> dict[tuple[str, int], StepScores]:
    """Return the scores of some problems."""
    return {
        (problem, index): scores
        for problem, index, scores in read_scores(sweep.scores_path(run, entry), ids)
        if scores is not None
    }


def _shown(
    candidate: Candidate,
    grades: Mapping[tuple[str, int], Grade],
    scores: Mapping[tuple[str, int], StepScores],
    entry: ScoreEntry | None,
) -> _Shown:
    key = candidate.problem, candidate.index
    own = scores.get(key)
    score = aggregate(entry.aggregation, own.values) if entry and own and own.values else None
    return _Shown(candidate, grades.get(key), own, score)


def _sample(
    entry: PoolEntry, scored: ScoreEntry | None, problem: Problem, shown: Sequence[_Shown]
) -> Sample:
    """Return the record of one problem: the best-scored candidates, and what each method chose."""
    chosen: dict[int, tuple[str, ...]] = {}
    if entry.kind == "preference":
        chosen = _preferred(shown)
    elif entry.kind != "steps":
        chosen = dict(_choices(shown))
    ranked = sorted(
        range(len(shown)), key=lambda i: (-(shown[i].score or 0.0), shown[i].candidate.index)
    )
    wanted = [*chosen, *_different(ranked, shown)]
    kept = list(dict.fromkeys(wanted))[:CANDIDATES]
    return Sample(
        task=entry.task,
        policy=entry.policy,
        prm=scored.prm if scored else None,
        aggregation=scored.aggregation if scored else None,
        problem=problem.id,
        prompt=problem.prompt,
        reference=_reference(problem),
        candidates=tuple(
            _candidate(shown[i], chosen.get(i, ()), entry.kind in GIVEN_KINDS) for i in kept
        ),
        n_candidates=len(shown),
    )


def _choices(shown: Sequence[_Shown]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield (candidate, methods that choose it at the full budget); a vote's class is shown by its
    first member."""
    chosen: dict[int, list[str]] = {}
    scores = np.array([-np.inf if s.score is None else s.score for s in shown])
    if np.isfinite(scores).any():
        chosen.setdefault(int(scores.argmax()), []).append("best_of_n")
    semantics: Semantics = next((s.scores.semantics for s in shown if s.scores), "p_correct")
    weight = np.where(
        np.isfinite(scores), vote_weight(np.where(np.isfinite(scores), scores, 0.0), semantics), 0.0
    )
    votes: dict[int, int] = {}
    weights: dict[int, float] = {}
    first: dict[int, int] = {}
    for i, s in enumerate(shown):
        group = s.grade.answer_class if s.grade else -1
        if group < 0:
            continue
        first.setdefault(group, i)
        votes[group] = votes.get(group, 0) + 1
        weights[group] = weights.get(group, 0.0) + float(weight[i])
    if votes:
        chosen.setdefault(first[max(votes, key=lambda g: votes[g])], []).append("majority")
    if votes and np.isfinite(scores).any():
        winner = first[max(weights, key=lambda g: weights[g])]
        chosen.setdefault(winner, []).append("weighted_vote")
    for i, methods in chosen.items():
        yield i, tuple(methods)


def _preferred(shown: Sequence[_Shown]) -> dict[int, tuple[str, ...]]:
    """Return the given solution that is chosen, if one alone scores highest."""
    scores = [s.score for s in shown if s.score is not None]
    first = [i for i, s in enumerate(shown) if scores and s.score == max(scores)]
    return {first[0]: ("preference",)} if len(first) == 1 else {}


def _different(ranked: Sequence[int], shown: Sequence[_Shown]) -> Iterator[int]:
    """Yield candidates by score, each text once; those whose text nobody has are all different."""
    seen: set[str] = set()
    for i in ranked:
        text = shown[i].candidate.draft.text
        if not text or text not in seen:
            seen.add(text)
            yield i


def _candidate(shown: _Shown, chosen_by: tuple[str, ...], given: bool) -> SampleCandidate:
    steps = shown.candidate.draft.steps
    values = shown.scores.values if shown.scores else None
    # Scores that cover only a prefix of the steps cannot be laid over all of them.
    fits = values if values is not None and len(values) == len(steps) else None
    return SampleCandidate(
        index=shown.candidate.index,
        steps=steps,
        step_scores=fits,
        score=shown.score,
        verdict=shown.grade.verdict if shown.grade else None,
        answer=shown.grade.answer if shown.grade else None,
        finish=shown.candidate.draft.finish,
        chosen_by=chosen_by,
        given=given,
    )


def _reference(problem: Problem) -> str:
    """Return the gold answer as a reader wants it."""
    reference: Json = problem.reference
    if isinstance(reference, dict):
        if problem.kind == "steps" and "wrong" in reference:
            wrong = ", ".join(map(str, reference["wrong"] or ()))  # type: ignore[arg-type]
            return f"wrong steps: {wrong} (from 0)" if wrong else "no wrong step"
        if problem.kind == "steps":
            label = reference.get("label")
            return "no wrong step" if label == -1 else f"first wrong step: {label} (from 0)"
        if problem.kind == "preference":
            return f"right solution: {reference.get('right')} (from 0)"
        # Of a code problem the solution says it; its tests would fill the page.
        reference = reference.get("solution") or reference.get("answer", "")
    return reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False)
