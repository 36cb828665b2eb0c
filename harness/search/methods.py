"""The methods by name: what each needs, who described it, which options it has.

Two kinds. *Pooled* methods choose from one frozen pool of complete candidates, so one pool serves
every PRM, every aggregation and every budget: the expected accuracy at budget n is the mean over
all subsets of n candidates, computed by `harness.stats` exactly or over seeded subsets. *Searches*
are generators (`harness.search.moves`) that a PRM steers while the policy writes; each is run for
itself by `harness.search.driver`.

On the command line and in a configuration a method is written ``name`` or ``name,key=value,…``;
``name=…`` among the options sets how tables call it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from harness.errors import ConfigError, nearest, unknown
from harness.policies.policy import Ability
from harness.prms.prm import Prm, check_alone
from harness.search import (
    adaptive,
    beam,
    best_of_n,
    dvts,
    mcts,
    particle,
    rebase,
    rejection,
    step_beam,
    tournament,
    value_guided,
)
from harness.search.moves import Search
from harness.search.options import Options
from harness.search.setting import Setting
from harness.types import Choice, Semantics

Curve = Literal["runs", "anytime", "groups"]
"""Where accuracy at a smaller budget comes from: a run of its own · the same search, stopped
earlier · part of its independent groups."""


@dataclass(frozen=True, slots=True)
class Method:
    """One method, as `ls methods` shows it."""

    name: str
    title: str
    needs_prm: bool
    metric: str
    """Name of its main metric in results."""
    given: bool
    """Works on tasks that bring their solutions (kinds ``steps``, ``preference``); all others work
    on problems that a policy answers."""
    source: str
    about: str
    search: Callable[[Setting, Any], Search] | None = None
    """The generator; None for methods of given solutions and for pass@N."""
    pooled: bool = True
    """Evaluated on a pool; False: searched."""
    options: type[Options] = Options
    curve: Curve = "runs"
    abilities: frozenset[Ability] = frozenset({"continue"})
    """What a search needs of a policy."""
    deviations: str = ""
    """Where it departs from its source, and why."""
    choice: Choice = "best"
    """How the answer is chosen from what was found, unless an option ``choice`` says so."""
    unit: str = "a solution"
    """What one of the budget n stands for."""
    pairs: bool = False
    """Its PRM judges solutions two by two (``covers`` is ``pair``); that of all others must not."""

    def suits(self, prm: Prm) -> bool:
        """Whether it can use what a PRM says."""
        return self.pairs == (prm.covers == "pair")

    def check_pairs(self, prm: Prm) -> None:
        """Refuse a PRM that does not suit it.

        Raises:
            ConfigError: says what would do.
        """
        if not self.pairs:
            check_alone(prm, f"method {self.name}")
        elif not self.suits(prm):
            raise ConfigError(
                f"method {self.name} needs a PRM that judges solutions two by two, and "
                f"{prm.spec.name} scores single ones; give --prm critic:pairwise,model=POLICY"
            )


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """A method with its options, as a run asks for it."""

    name: str
    """How tables call it: the method's name, and the options that were given."""
    method: Method
    options: Options

    @property
    def abilities(self) -> frozenset[Ability]:
        """What it needs of a policy, its options included."""
        return self.method.abilities | self.options.needs()

    @property
    def choice(self) -> Choice:
        """How the answer is chosen from what was found."""
        chosen: Choice = getattr(self.options, "choice", self.method.choice)
        return chosen

    def check(self, n: int, semantics: Semantics | None) -> None:
        """Refuse a budget that is too small, or a PRM whose scores do not mean what it needs.

        Raises:
            ConfigError: says what would do.
        """
        try:
            self.options.check(semantics)
        except ConfigError as error:
            raise ConfigError(f"method {self.name}: {error}") from error
        if n < self.options.smallest():
            raise ConfigError(
                f"method {self.name}: a budget of {n} is too small; it needs "
                f"{self.options.smallest()} candidates at least"
            )

    def search(self, setting: Setting) -> Search:
        """Start a search."""
        if self.method.search is None:
            raise ValueError(f"{self.method.name} is no search")
        return self.method.search(setting, self.options)


def parse_method(text: str, where: str = "") -> MethodSpec:
    """Return the method that ``name,key=value,…`` writes.

    Raises:
        ConfigError: an unknown method or option, a value of the wrong kind.
    """
    name, *pairs = [part.strip() for part in text.split(",")]
    if name not in METHODS:
        raise unknown("method", name, METHODS, where)
    method = METHODS[name]
    place = f"{where}: " if where else ""
    given: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigError(f"{place}method {text!r}: write {name},key=value")
        given[key.strip()] = value.strip()
    title = given.pop("name", ",".join([name, *pairs]))
    try:
        options = method.options.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        if first["type"] == "extra_forbidden":
            raise ConfigError(
                f"{place}method {name}: no option {key!r}; "
                f"{nearest(key, ['name', *method.options.model_fields])}"
            ) from error
        said = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{place}method {name}: {f'{key}: ' if key else ''}{said}") from error
    return MethodSpec(title, method, options)


def split_methods(text: str) -> list[str]:
    """Split a comma-separated list of methods; ``key=value`` belongs to the method before it.

    >>> split_methods("greedy,beam,width=4,mcts")
    ['greedy', 'beam,width=4', 'mcts']
    """
    return [part for part in re.split(r",(?![^,=]*=)", text) if part]


_ALL = (
    Method(
        "greedy",
        "Greedy",
        False,
        "accuracy",
        False,
        "-",
        "One candidate at temperature 0; recorded pools hold none.",
        best_of_n.greedy,
        choice="majority",
    ),
    Method(
        "majority",
        "Majority vote",
        False,
        "accuracy",
        False,
        "Wang et al. 2022, arXiv 2203.11171",
        "The answer of the largest class of equivalent answers; ties are shared in expectation.",
        best_of_n.majority,
        choice="majority",
    ),
    Method(
        "weighted_vote",
        "Weighted vote",
        True,
        "accuracy",
        False,
        "Li et al. 2022, arXiv 2206.02336",
        "The class of answers with the largest sum of PRM scores.",
        best_of_n.best_of_n,
        choice="vote",
    ),
    Method(
        "best_of_n",
        "Best of N",
        True,
        "accuracy",
        False,
        "Lightman et al. 2023, arXiv 2305.20050",
        "The candidate with the highest aggregated score; ties are shared in expectation.",
        best_of_n.best_of_n,
    ),
    Method(
        "pass_at_n",
        "Pass@N",
        False,
        "pass_at_n",
        False,
        "Chen et al. 2021, arXiv 2107.03374",
        "Whether any of N candidates is correct: the ceiling of every choice; at N=1 the mean.",
    ),
    Method(
        "adaptive_best_of_n",
        "Adaptive best of N",
        True,
        "accuracy",
        False,
        "Aggarwal et al. 2023, arXiv 2305.11860",
        "Best of N, or a vote, that stops drawing once the answers agree.",
        adaptive.adaptive_best_of_n,
        pooled=False,
        options=adaptive.AdaptiveOptions,
        curve="anytime",
        deviations="The source votes; here the option choice decides. It draws one candidate at a "
        "time, as here by default; batch= draws more between two looks.",
        unit="a solution; n at most",
    ),
    Method(
        "speculative_rejection",
        "Speculative rejection",
        True,
        "accuracy",
        False,
        "Sun et al. 2024, arXiv 2410.20290",
        "Best of N in which the worse solutions are given up while they are written.",
        rejection.speculative_rejection,
        pooled=False,
        options=rejection.RejectionOptions,
        deviations="A look is due after so many steps (source: when memory is full), which for "
        "reject=0.5 comes to the same lengths; it rejects one at least. The answer is the one that "
        "is left (source: the best of all that ended, rejected ones too). On a board it is "
        "replayed on a frozen pool.",
        unit="a solution that is begun",
    ),
    Method(
        "tournament",
        "Tournament",
        True,
        "accuracy",
        False,
        "Zhang et al. 2025, arXiv 2501.07301, appendix B.5",
        "Solutions meet two by two; the better one goes on, until one is left.",
        tournament.tournament,
        pooled=False,
        pairs=True,
        deviations="Solutions of equal text are not compared. The source states no order of the "
        "two in a question, no bracket and no rule for ties: here critic:pairwise is asked in both "
        "orders, neighbours as drawn meet, and of an undecided pair the first goes on.",
    ),
    Method(
        "beam",
        "Beam search",
        True,
        "accuracy",
        False,
        "search-and-learn (Beeching et al. 2024); OpenR, arXiv 2410.09671; PAV, arXiv 2410.08146",
        "Partial solutions side by side; the best by the PRM go on.",
        beam.beam,
        pooled=False,
        options=beam.BeamOptions,
        deviations="search_and_learn: stops at the n-th finished candidate (the source goes on and "
        "drops the rest); finished beams are not repeated to make n; lookahead is scored (there it "
        "costs tokens and changes nothing). openr: a budget of n keeps n // width beams, so that a "
        "round costs n steps in all variants, and the first step has n children; drafts cut at "
        "max_tokens are candidates (there they are dropped and retried uncounted). cumulative: "
        "keeps beams as openr does, since the paper does not say. rank=advantage: the PRM that "
        "chooses is also the prover, unless it is pav:VALUE+PROVER (two models in the source).",
        unit="a step a round",
    ),
    Method(
        "dvts",
        "Diverse verifier tree search",
        True,
        "accuracy",
        False,
        "Beeching et al. 2024 (search-and-learn)",
        "Independent subtrees, each following its best step.",
        dvts.dvts,
        pooled=False,
        options=dvts.DvtsOptions,
        curve="groups",
        deviations="Only finished candidates are reported (the source lets cut-off siblings of the "
        "last step vote); n need not be a multiple of width.",
        unit="a step a round",
    ),
    Method(
        "rebase",
        "REBASE",
        True,
        "accuracy",
        False,
        "Wu et al. 2024, arXiv 2408.00724",
        "A tree whose leaves share the next steps by the softmax of their rewards.",
        rebase.rebase,
        pooled=False,
        options=rebase.RebaseOptions,
        deviations="A candidate is finished when the policy ends it, not when an answer phrase "
        "appears; steps and solutions have the task's limits, not 256 and 1024 tokens.",
        unit="a step a round, less those that have ended",
    ),
    Method(
        "mcts",
        "Monte-Carlo tree search",
        True,
        "accuracy",
        False,
        "arXiv 2506.00027; rStar, arXiv 2408.06195; AlphaMath, arXiv 2405.03553; OpenR, arXiv "
        "2410.09671; ReST-MCTS*, arXiv 2406.03816",
        "Select a leaf, expand it, value it, back the value up.",
        mcts.mcts,
        pooled=False,
        options=mcts.MctsOptions,
        curve="anytime",
        deviations="A new node is valued at its first visit and expanded at its second, for all "
        "rules (AlphaZero does both at once; scores of siblings come in one call here, so the "
        "first visit is free). uct takes unvisited nodes in the order written (rStar: at random). "
        "puct: unvisited nodes have the PRM's score for Q, as in OpenR (AlphaMath: 0). rest with "
        "value=mix: the roll-out is one sampled solution (source: the best of three greedy ones of "
        "two steps), and no self-critic ends a search. The budget is in candidates, not "
        "iterations. Rewards and advantages go through the sigmoid before they are backed up.",
        unit="a finished solution",
    ),
    Method(
        "step_beam",
        "Step-level beam search",
        True,
        "accuracy",
        False,
        "Chen et al. 2024, arXiv 2405.03553 (AlphaMath)",
        "SBS(B1, B2): B1 beams, B2 steps for each; the best B1 of all go on.",
        step_beam.step_beam,
        pooled=False,
        options=step_beam.StepBeamOptions,
        deviations="B2 = n // B1, so that a round costs n steps; the first step has n children.",
        unit="a step a round",
    ),
    Method(
        "guided_greedy",
        "Guided greedy search",
        True,
        "accuracy",
        False,
        "Zhang et al. 2025, arXiv 2501.07301 (Qwen2.5-Math-PRM)",
        "One beam: n candidates for each step, the best goes on.",
        step_beam.guided_greedy,
        pooled=False,
        options=step_beam.GuidedGreedyOptions,
        deviations="Equal steps are scored once.",
        unit="a step a round",
    ),
    Method(
        "particle",
        "Particle filtering",
        True,
        "accuracy",
        False,
        "Puri et al. 2025, arXiv 2502.01618",
        "Partial solutions are resampled at each step by what the PRM says of them.",
        particle.particle,
        pooled=False,
        options=particle.ParticleOptions,
        curve="anytime",
        deviations="No draw after the last step, which would only add noise; probabilities are "
        "clamped to [1e-6, 1 - 1e-6] (its_hub: 1e-7).",
        unit="a particle, which is a step a round",
    ),
    Method(
        "particle_gibbs",
        "Particle Gibbs",
        True,
        "accuracy",
        False,
        "Puri et al. 2025, arXiv 2502.01618",
        "Particle filters one after the other, each beside a particle of the one before.",
        particle.particle_gibbs,
        pooled=False,
        options=particle.GibbsOptions,
        curve="anytime",
        deviations="As particle; one particle is kept, without ancestor sampling or annealing.",
        unit="a particle; n / sweeps of them at once",
    ),
    Method(
        "value_guided",
        "Value-guided decoding",
        True,
        "accuracy",
        False,
        "Liu et al. 2025, arXiv 2502.13943 (AdaptiveStep, TVD)",
        "Greedy decoding; where the policy is unsure the PRM chooses among n tokens.",
        value_guided.value_guided,
        pooled=False,
        options=value_guided.ValueGuidedOptions,
        abilities=frozenset({"continue", "logprobs"}),
        deviations="Writes until the policy is unsure instead of token by token (the same text); "
        "the PRM reads the text as it stands, without a tag of its own appended by the method.",
        unit="a token tried where the policy is unsure",
    ),
    Method(
        "first_error",
        "First wrong step",
        True,
        "f1",
        True,
        "Zheng et al. 2024, arXiv 2412.06559 (ProcessBench)",
        "The first step scored below the threshold is called wrong; F1 of the accuracies on "
        "solutions with and without an error.",
    ),
    Method(
        "prm_score",
        "Right and wrong steps",
        True,
        "prm_score",
        True,
        "Song et al. 2025, arXiv 2501.03124 (PRMBench)",
        "Every step scored below the threshold is called wrong; mean of the F1 of right and of "
        "wrong steps, by category of error.",
    ),
    Method(
        "preference",
        "Choice among given solutions",
        True,
        "preference_accuracy",
        True,
        "Kim et al. 2024, arXiv 2410.01729 (RewardMATH)",
        "Of the solutions that come with a problem, one of them right, the one of the highest "
        "aggregated score is chosen; ties are shared.",
    ),
)

METHODS: dict[str, Method] = {method.name: method for method in _ALL}
