"""Particle filtering and particle Gibbs: resample partial solutions by what the PRM says of them.

All particles grow by one step; each weighs ``softmax(logit(p) / T)`` with p its score, clamped to
[1e-6, 1 - 1e-6]; as many are drawn anew by these weights, finished ones included. When all are
finished the last weights stand: one more draw would only add noise. A draft of which the PRM says
nothing weighs nothing.

Particle Gibbs repeats this. Each further sweep keeps one particle of the sweep before, drawn by its
final weight, and moves it unchanged beside the others, who may be drawn to be its copies, cut at
the step where they are. The last sweep that is through gives the answer.

The ballot says who is in the population now. So a finished particle that is resampled away no
longer counts, but it was found and stays listed: there may be more than n of them.

Sources: Puri et al. 2025, arXiv 2502.01618 (probabilistic-inference-scaling, its_hub).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from pydantic import Field

from harness.errors import ConfigError
from harness.prms.aggregate import CLAMP
from harness.search.moves import UNSCORED, Move, Scored, Search, candidate, extend, judge, report
from harness.search.options import StepOptions
from harness.search.setting import Setting
from harness.search.shares import Resampling, draw, effective, softmax
from harness.types import Draft, Found, Semantics

_PROBABILITIES: tuple[Semantics, ...] = ("p_correct", "value", "verdict")


class ParticleOptions(StepOptions):
    """Options of particle filtering."""

    temperature: float = Field(
        1.0, gt=0, description="T of the weights; small: the best get nearly all"
    )
    resampling: Resampling = Field(
        "multinomial", description="independent draws, or equally spaced ones (less noise)"
    )

    def check(self, semantics: Semantics | None) -> None:
        """Refuse scores that are no probabilities: they have no logit."""
        super().check(semantics)
        if semantics is not None and semantics not in _PROBABILITIES:
            raise ConfigError(
                f"particle weights are made of probabilities, and the PRM's scores mean "
                f"{semantics!r}; legal: {', '.join(_PROBABILITIES)}"
            )
        if self.agg == "sum":
            raise ConfigError("particle weights are made of probabilities, and agg=sum gives none")


class GibbsOptions(ParticleOptions):
    """Options of particle Gibbs."""

    sweeps: int = Field(2, ge=1, description="passes, which share the n particles evenly")

    def smallest(self) -> int:
        """In each sweep but a single one, a particle beside the one that is kept."""
        return 1 if self.sweeps == 1 else 2 * self.sweeps


@dataclass(frozen=True, slots=True, eq=False)
class Particle:
    """A partial solution, with the way it came."""

    path: tuple[Scored, ...] = ()
    """It after each of its steps."""

    @property
    def draft(self) -> Draft:
        """Its text."""
        return self.path[-1].draft if self.path else Draft()

    @property
    def finished(self) -> bool:
        """Whether it is a candidate."""
        return self.draft.finish is not None

    def before(self, step: int) -> Particle:
        """Return it as it was after `step` steps."""
        return self if len(self.path) <= step else Particle(self.path[:step])


def particle(setting: Setting, options: ParticleOptions) -> Search:
    """Search with one filter."""
    yield from _sweep(setting, options, _Tally(setting, options), setting.n, None)


def particle_gibbs(setting: Setting, options: GibbsOptions) -> Search:
    """Search with several filters, each conditioned on a particle of the one before."""
    tally = _Tally(setting, options)
    kept: Particle | None = None
    for sweep in range(options.sweeps):
        size = setting.n // options.sweeps + (sweep < setting.n % options.sweeps)
        crowd, weights = yield from _sweep(setting, options, tally, size, kept)
        kept = crowd[draw(weights, 1, "multinomial", setting.random)[0]]


def _sweep(
    setting: Setting,
    options: ParticleOptions,
    tally: _Tally,
    size: int,
    kept: Particle | None,
) -> Move[tuple[list[Particle], list[float]]]:
    """Run one filter; return its particles, all finished, and their weights."""
    free = [Particle()] * (size - (kept is not None))
    step = 0
    while True:
        step += 1
        free = yield from _grow(setting, free, whole=step == options.max_steps)
        through = all(one.finished for one in free)
        beside = [] if kept is None else [kept if through else kept.before(step)]
        crowd = free + beside
        weights = weigh(crowd, options.temperature)
        tally.notes[f"ess_{step}"] = effective(weights)
        tally.notes["steps"] = step
        if through:
            yield from tally.report(crowd, weights, elects=True)
            return crowd, weights
        places = draw(weights, len(free), options.resampling, setting.random)
        free = [crowd[place] for place in places]
        equal = [1.0 / len(free)] * len(free)
        yield from tally.report(free, equal, elects=kept is None)


def _grow(setting: Setting, particles: list[Particle], *, whole: bool) -> Move[list[Particle]]:
    """Give each unfinished particle its next step and score."""
    going = [one for one in particles if not one.finished]
    drafts = yield from extend(setting, [one.draft for one in going], whole=whole)
    scored = yield from judge(setting, drafts)
    grown = iter([Particle((*one.path, new)) for one, new in zip(going, scored, strict=True)])
    return [one if one.finished else next(grown) for one in particles]


def weigh(particles: list[Particle], temperature: float) -> list[float]:
    """Return the weights of particles; they add up to 1."""
    return softmax([_logit(one.path[-1].score) / temperature for one in particles])


def _logit(score: float) -> float:
    """Return the log-odds of a probability.

    Raises:
        ConfigError: it is none.
    """
    if score == UNSCORED:
        return -math.inf
    if not 0.0 <= score <= 1.0:
        raise ConfigError(
            f"a particle's weight is made of a probability, and the PRM gives {score:.3g}: choose "
            "a PRM with scores in [0, 1]"
        )
    p = min(max(score, CLAMP), 1.0 - CLAMP)
    return math.log(p / (1.0 - p))


@dataclass(slots=True)
class _Tally:
    """The finished particles of a search, and who of them counts."""

    setting: Setting
    options: ParticleOptions
    numbers: dict[Particle, int] = field(default_factory=dict)
    ballot: tuple[tuple[int, float], ...] = ()
    notes: dict[str, float] = field(default_factory=dict)

    def report(self, crowd: list[Particle], weights: list[float], *, elects: bool) -> Move[None]:
        """Report what has finished, and the population's ballot if it is to count."""
        found: list[Found] = []
        for one in crowd:
            if one.finished and one not in self.numbers:
                self.numbers[one] = len(self.numbers)
                found.append(candidate(one.path[-1]))
        before = self.ballot
        if elects or not before:
            self.ballot = self._ballot(crowd, weights) or before
        if found or self.ballot != before:
            yield from report(*found, ballot=self.ballot, notes=self.notes)

    def _ballot(self, crowd: list[Particle], weights: list[float]) -> tuple[tuple[int, float], ...]:
        """Return (number, weight) of each finished particle, copies counted one by one: its score
        where the best is chosen, its weight where they vote, 1 for a majority."""
        ballot = []
        for one, weight in zip(crowd, weights, strict=True):
            if one.finished:
                worth = max(one.path[-1].score, -1.0)  # unscored: below every probability
                each = {"best": worth, "vote": weight, "majority": 1.0}[self.options.choice]
                ballot.append((self.numbers[one], each))
        return tuple(ballot)
