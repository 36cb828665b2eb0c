"""Beam search: several partial solutions side by side, of which the best by the PRM go on.

Three published variants share the name and differ in what they keep:

search_and_learn  n beams are always alive: each grows by one step, the best ``n // width`` go on
                  and are repeated until there are n again, in list order. Finished ones leave; the
                  search ends with the n-th. (huggingface/search-and-learn)
openr             ``n // width`` beams, `width` different steps for each; the best of all go on, and
                  there is one beam less for each that finishes. (openreasoner/openr)
cumulative        as openr, ranked by the sum of the step scores so far. (arXiv 2506.00027)

``rank=advantage`` ranks by ``score + α · progress of the last step`` and still chooses by the
score: PAV's rule (arXiv 2410.08146). The progress is the prover's, if the PRM has one
(``pav:VALUE+PROVER``); else the PRM is both, and it is the last step's score less the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from pydantic import Field, model_validator

from harness.errors import ConfigError
from harness.prms import aggregate
from harness.search.moves import UNSCORED, Scored, Search, candidate, extend, look_ahead, report
from harness.search.options import StepOptions
from harness.search.setting import Setting
from harness.types import Draft, Semantics

Rank: TypeAlias = Callable[[Scored, "Scored | None"], float]
"""From a draft and the draft that it grew from (None: the empty one) to its rank."""

_PROGRESS: tuple[Semantics, ...] = ("p_correct", "value", "advantage")


class BeamOptions(StepOptions):
    """Options of beam search."""

    variant: Literal["search_and_learn", "openr", "cumulative"] = Field(
        "search_and_learn", description="whose beam search: what is kept, and how many stay alive"
    )
    width: int = Field(4, ge=1, description="steps written for each kept beam")
    lookahead: int = Field(
        0, ge=0, description="greedy steps that a draft is continued by, only to score it"
    )
    rank: Literal["prm", "advantage"] = Field(
        "prm", description="what beams are kept by: score, or score + alpha · progress of the step"
    )
    alpha: float = Field(0.5, ge=0, description="weight of progress, with rank=advantage")

    @model_validator(mode="after")
    def _one_rank(self) -> BeamOptions:
        if self.variant == "cumulative" and self.rank != "prm":
            raise ValueError("variant=cumulative ranks by sums of scores; rank=advantage cannot")
        return self

    def check(self, semantics: Semantics | None) -> None:
        """Refuse sums and differences of scores that have none."""
        super().check(semantics)
        if semantics is None:
            return
        if self.variant == "cumulative":
            aggregate.check("sum", semantics)
        if self.rank == "advantage" and semantics not in _PROGRESS:
            raise ConfigError(
                f"rank=advantage needs scores whose difference is progress, not {semantics!r}; "
                f"legal: {', '.join(_PROGRESS)}"
            )

    def smallest(self) -> int:
        """One beam."""
        return self.width


@dataclass(frozen=True, slots=True)
class Beam:
    """A partial solution with its place among others."""

    scored: Scored | None = None
    """None: nothing written yet."""
    rank: float = 0.0

    @property
    def draft(self) -> Draft:
        """Its text."""
        return self.scored.draft if self.scored else Draft()


def beam(setting: Setting, options: BeamOptions) -> Search:
    """Search with beams."""
    if options.variant == "search_and_learn":
        yield from _refilled(setting, options)
    else:
        yield from narrow(
            setting,
            beams=max(1, setting.n // options.width),
            children=options.width,
            max_steps=options.max_steps,
            rank=_rank(setting, options),
            lookahead=options.lookahead,
        )


def _refilled(setting: Setting, options: BeamOptions) -> Search:
    """The variant of search-and-learn."""
    rank = _rank(setting, options)
    alive, found = [Beam()] * setting.n, 0
    for step in range(1, options.max_steps + 1):
        drafts = [one.draft for one in alive]
        drafts = list((yield from extend(setting, drafts, whole=step == options.max_steps)))
        scored = yield from look_ahead(setting, drafts, options.lookahead)
        grown = [
            Beam(one, rank(one, parent.scored)) for one, parent in zip(scored, alive, strict=True)
        ]
        done = [one for one in scored if one.draft.finish][: setting.n - found]
        found += len(done)
        if done:
            yield from report(*map(candidate, done), notes={"steps": step})
        kept = _best(
            (one for one in grown if one.draft.finish is None),
            max(1, setting.n // options.width),
        )
        if not kept or found == setting.n:
            return
        alive = (kept * setting.n)[: setting.n]


def narrow(
    setting: Setting,
    *,
    beams: int,
    children: int,
    max_steps: int,
    rank: Rank | None = None,
    lookahead: int = 0,
) -> Search:
    """Keep the best `beams` of all children, one less for each that has finished.

    Args:
        setting: of the search; the first step has n children.
        beams: alive at first.
        children: steps written for each beam.
        max_steps: of a solution.
        rank: None: the PRM's score.
        lookahead: greedy steps to score a child by.
    """
    rank = rank or by_score
    alive, each = [Beam()], setting.n
    for step in range(1, max_steps + 1):
        drafts = [one.draft for one in alive for _ in range(each)]
        grown = yield from extend(setting, drafts, whole=step == max_steps)
        parents: list[Beam] = []
        fresh: list[Draft] = []
        for place, parent in enumerate(alive):
            own = distinct(grown[place * each : (place + 1) * each])
            fresh += own
            parents += [parent] * len(own)
        scored = yield from look_ahead(setting, fresh, lookahead)
        kept = _best(
            (
                Beam(one, rank(one, parent.scored))
                for one, parent in zip(scored, parents, strict=True)
            ),
            beams,
        )
        done = [one.scored for one in kept if one.scored and one.draft.finish]
        if done:
            yield from report(*map(candidate, done), notes={"steps": step})
        alive = [one for one in kept if one.draft.finish is None]
        beams -= len(done)
        each = children
        if not alive:
            return


def by_score(scored: Scored, parent: Scored | None) -> float:
    """Rank by the PRM's score."""
    return scored.score


def distinct(drafts: Sequence[Draft]) -> list[Draft]:
    """Return drafts that differ in text or end, the first of each."""
    found: dict[object, Draft] = {}
    for draft in drafts:
        found.setdefault((draft.text, draft.finish), draft)
    return list(found.values())


def _best(beams: Iterable[Beam], count: int) -> list[Beam]:
    """Return the `count` of highest rank in the order in which they came; ties: the first."""
    given = list(beams)
    order = sorted(range(len(given)), key=lambda i: -given[i].rank)
    return [given[i] for i in sorted(order[:count])]


def _rank(setting: Setting, options: BeamOptions) -> Rank:
    if options.variant == "cumulative":
        return _by_sum
    if options.rank == "advantage":
        return partial(_by_progress, setting.semantics, options.alpha)
    return by_score


def _by_sum(scored: Scored, parent: Scored | None) -> float:
    return sum(scored.scores.values) if scored.scores else UNSCORED


def _by_progress(
    semantics: Semantics, alpha: float, scored: Scored, parent: Scored | None
) -> float:
    """Rank by score and progress. Before the first step there is no score; it counts as 0, which is
    the same for all that are compared with each other."""
    if scored.scores is None or scored.last is None:
        return UNSCORED
    if scored.scores.progress is not None:
        return scored.score + alpha * scored.scores.progress[-1]
    before = parent.last if parent else None
    gained = scored.last if semantics == "advantage" else scored.last - (before or 0.0)
    return scored.score + alpha * gained
