"""Every option matters: another value sends other requests, or chooses otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.search.methods import METHODS, parse_method
from harness.types import Draft, StepScores
from tests.search.world import QUESTIONS, Run, WorldPolicy, correctness

CASES = [
    ("beam", "variant=openr"),
    ("beam", "variant=cumulative"),
    ("beam", "width=2"),
    ("beam", "lookahead=1"),
    ("beam", "max_steps=2"),
    ("beam", "rank=advantage"),
    ("beam,rank=advantage", "alpha=5"),
    ("dvts", "width=2"),
    ("dvts", "lookahead=1"),
    ("dvts", "max_steps=2"),
    ("rebase", "temperature=2"),
    ("rebase", "max_steps=2"),
    ("mcts", "selection=puct"),
    ("mcts,value=mix", "selection=rest"),
    ("mcts", "value=prm"),
    ("mcts", "value=mix"),
    ("mcts,value=mix", "alpha=0.1"),
    ("mcts", "children=2"),
    ("mcts", "c=0.1"),
    ("mcts,selection=puct,children=2", "prior=policy"),
    ("mcts", "depth=2"),
    ("mcts,value=prm", "iterations=1"),
    ("step_beam", "beams=1"),
    ("step_beam", "max_steps=2"),
    ("guided_greedy", "max_steps=2"),
    ("particle", "temperature=5"),
    ("particle", "resampling=systematic"),
    ("particle", "max_steps=2"),
    ("particle_gibbs", "sweeps=4"),
    ("particle_gibbs", "temperature=5"),
    ("particle_gibbs", "resampling=systematic"),
    ("particle_gibbs", "max_steps=2"),
    ("adaptive_best_of_n", "batch=3"),
    ("adaptive_best_of_n", "threshold=0.6"),
    ("adaptive_best_of_n", "choice=majority"),
    ("speculative_rejection", "first=1"),
    ("speculative_rejection", "reject=0.25"),
    ("value_guided", "threshold=0.9"),
]
CHOICES = [
    ("beam", "choice=vote"),
    ("beam", "choice=majority"),
    ("dvts,width=2", "choice=vote"),
    ("rebase", "choice=best"),
    ("mcts", "final=visits"),
    ("mcts", "final=vote"),
    ("step_beam,beams=4", "choice=majority"),
    ("particle", "choice=vote"),
    ("particle", "choice=majority"),
    ("particle_gibbs", "choice=vote"),
    ("adaptive_best_of_n", "choice=vote"),
]


def test_every_option_is_here() -> None:
    tried: dict[str, set[str]] = {}
    for method, change in CASES + CHOICES:
        name = parse_method(method).method.name
        tried.setdefault(name, set()).add(change.split("=")[0])
    for name, method in METHODS.items():
        if method.search and not method.pooled:
            narrow = {"choice"} if name == "guided_greedy" else set()  # one candidate: no choice
            assert set(method.options.model_fields) - {"agg"} - narrow <= tried.get(name, set()), (
                name
            )


@pytest.mark.parametrize(("method", "change"), CASES)
def test_an_option_changes_the_search(method: str, change: str) -> None:
    policy = WorldPolicy(skill=0.5, depth=5)
    base, other = Run(method, policy=policy), Run(f"{method},{change}", policy=policy).with_()
    before, after = base.attempts(QUESTIONS[:20]), other.attempts(QUESTIONS[:20])
    assert [one.found for one in before.values()] != [one.found for one in after.values()]


@pytest.mark.parametrize(("method", "change"), CHOICES)
def test_an_option_changes_the_answer_alone(method: str, change: str) -> None:
    policy = WorldPolicy(skill=0.5, depth=4)
    base, other = Run(method, n=16, policy=policy), Run(f"{method},{change}", n=16, policy=policy)
    before, after = base.attempts(QUESTIONS), other.attempts(QUESTIONS)
    for question in QUESTIONS:
        one, two = before[question.id], after[question.id]
        assert [f.draft for f in one.found] == [f.draft for f in two.found]
    assert [correctness(base, one) for one in before.values()] != [
        correctness(other, one) for one in after.values()
    ]


@pytest.mark.parametrize(
    "method",
    # A comparison is one number, which there is nothing to aggregate of.
    [
        name
        for name, m in METHODS.items()
        if not m.pooled and m.search and name not in ("value_guided", "tournament")
    ],
)
def test_the_aggregation_steers_and_chooses(method: str) -> None:
    def last(scores: StepScores) -> float:
        return scores.values[-1]

    def read(draft: Draft) -> Draft:
        return replace(draft, steps=tuple(draft.text.splitlines(keepends=True)))

    base = Run(method)
    by_min, by_last = (
        list(run.driver(read=read).run(run.jobs(QUESTIONS[:30])))
        for run in (base, base.with_(aggregate=last))
    )
    assert by_min != by_last
