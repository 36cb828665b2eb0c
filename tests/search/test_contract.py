"""The contract of searches, held by every method and variant. A new one is one more line below."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from harness.errors import ConfigError, InfrastructureError
from harness.search.methods import METHODS, parse_method
from harness.types import Budget, Cut, Draft, Entry, Extend, Sampling, Tokens
from tests.search.world import QUESTIONS, Run, WorldPolicy, WorldPrm, accuracy, timeless

UNSTEERED = ["greedy", "majority", "best_of_n", "weighted_vote"]
STEERED = [
    "beam",
    "beam,width=2,lookahead=1",
    "beam,rank=advantage,alpha=2",
    "beam,variant=openr,choice=vote",
    "beam,variant=cumulative,width=2",
    "dvts",
    "dvts,width=2,lookahead=2,choice=majority",
    "rebase",
    "rebase,choice=best,temperature=0.05",
    "mcts",
    "mcts,value=prm,selection=puct,prior=policy",
    "mcts,value=mix,selection=rest,final=vote,children=2",
    "mcts,value=prm,final=visits,iterations=8",
    "step_beam",
    "guided_greedy",
    "particle",
    "particle,resampling=systematic,choice=vote",
    "particle,choice=majority,temperature=0.5",
    "particle_gibbs",
    "particle_gibbs,sweeps=3,choice=vote",
    "adaptive_best_of_n",
    "adaptive_best_of_n,choice=majority,batch=3",
    "speculative_rejection",
    "speculative_rejection,first=1,reject=0.7",
    "tournament",
    "value_guided",
]
ALL = [*UNSTEERED, *STEERED]
POPULATIONS = ("particle", "particle_gibbs")
"""Their ballot says which of the found count."""

every = pytest.mark.parametrize("method", ALL)
FEW = QUESTIONS[:8]


def test_every_method_is_here() -> None:
    searched = {name for name, method in METHODS.items() if method.search}
    assert searched == {parse_method(text).method.name for text in ALL}


@every
def test_it_finds_something_within_its_budget(method: str) -> None:
    run = Run(method)
    for attempt in run.attempts(FEW).values():
        assert not attempt.failure
        assert attempt.found
        assert [mark.found for mark in attempt.marks] == sorted(m.found for m in attempt.marks)
        assert attempt.marks[-1].found == len(attempt.found)
        assert all(one.draft.finish for one in attempt.found)
        ballot = attempt.marks[-1].ballot
        if run.spec.method.name in POPULATIONS:
            assert ballot is not None and 1 <= len(ballot) <= run.n
        else:
            assert len(attempt.found) <= run.n
        for number, _ in ballot or ():
            assert 0 <= number < len(attempt.found)


@every
def test_same_seed_same_attempt_another_seed_another(method: str) -> None:
    run = Run(method)
    first, again = run.attempts(FEW), run.with_().attempts(FEW)
    assert first == again
    other = run.with_(seed=1).attempts(FEW)
    same = [first[q].found == other[q].found for q in first]
    assert all(same) == (method in ("greedy", "value_guided"))


@every
def test_what_runs_beside_it_changes_nothing(method: str) -> None:
    run = Run(method)
    together = run.attempts(FEW)
    for question in FEW[::3]:
        alone = run.with_(concurrency=1).attempts([question])[question.id]
        assert timeless(alone) == timeless(together[question.id])
    for width in (1, 3):
        some = run.with_(concurrency=width).attempts(FEW[::-1])
        assert {k: timeless(v) for k, v in some.items()} == {
            k: timeless(v) for k, v in together.items()
        }


@every
@pytest.mark.parametrize("limit", [1, 30, 90])
def test_a_budget_of_tokens_is_passed_by_the_request_in_flight_alone(
    method: str, limit: int
) -> None:
    for question in FEW[:3]:
        run = Run(method, budget=Budget(policy_tokens=limit))
        attempt = run.attempts([question])[question.id]
        decoded = run.policy.decoded
        assert attempt.usage.policy.decode == sum(decoded)
        if sum(decoded) > limit:
            # The last request that wrote began before the budget was spent.
            assert sum(decoded[:-1]) < limit
        free = Run(method).attempts([question])[question.id]
        assert attempt.found == free.found[: len(attempt.found)]


@every
def test_budgets_of_operations_and_seconds_are_kept(method: str) -> None:
    question = FEW[0]
    free = Run(method).attempts([question])[question.id]
    half = free.usage.flops / 2
    run = Run(method, budget=Budget(flops=half))
    attempt = run.attempts([question])[question.id]
    assert half <= attempt.usage.flops <= free.usage.flops
    assert attempt.found == free.found[: len(attempt.found)]
    run = Run(method, budget=Budget(seconds=2.5))
    attempt = run.attempts([question])[question.id]
    assert attempt.usage.seconds < 3.5


@every
def test_one_candidate_at_temperature_zero_is_greedy(method: str) -> None:
    extra = {"width": 1, "children": 1, "sweeps": 1, "beams": 1}
    name, *given = method.split(",")
    fields = parse_method(name).method.options.model_fields
    kept = [pair for pair in given if pair.split("=")[0] not in extra]
    text = ",".join([name, *kept, *(f"{k}={v}" for k, v in extra.items() if k in fields)])
    cold = Sampling(temperature=0.0, max_tokens=40)
    base = Run("greedy", n=1).attempts(FEW)
    run = Run(text, n=1, sampling=cold)
    for problem, attempt in run.attempts(FEW).items():
        assert [one.draft.text for one in attempt.found] == [base[problem].found[0].draft.text]


@every
def test_equal_scores_decide_nothing_and_break_nothing(method: str) -> None:
    run = Run(method, prm=WorldPrm("constant"))
    for attempt in run.attempts(FEW).values():
        assert attempt.found
        assert {one.weight for one in attempt.found} <= {0.5, 1.0}


@every
def test_a_prm_that_says_nothing(method: str) -> None:
    run = Run(method, prm=WorldPrm(silent=True))
    assert all(attempt.found and not attempt.failure for attempt in run.attempts(FEW).values())


@every
def test_a_policy_that_ends_at_once(method: str) -> None:
    run = Run(method, policy=WorldPolicy(empty=True))
    for attempt in run.attempts(FEW).values():
        assert attempt.found
        assert all(one.draft.steps == () for one in attempt.found)


@every
@pytest.mark.parametrize("limit", [1, 3])
def test_a_policy_that_is_always_cut_off(method: str, limit: int) -> None:
    run = Run(method, sampling=Sampling(max_tokens=limit))
    for attempt in run.attempts(FEW).values():
        assert attempt.found
        assert {one.draft.finish for one in attempt.found} == {"length"}
        assert all(one.draft.tokens == limit for one in attempt.found)


@every
@pytest.mark.parametrize(
    "cut", [Cut(tokens=1), Cut(tokens=3), Cut(("\n",), tokens=1), Cut(confidence=0.6)]
)
def test_however_steps_are_cut(method: str, cut: Cut) -> None:
    run = Run(method, cut=cut)
    for attempt in run.attempts(FEW).values():
        assert attempt.found
        assert all(one.draft.text.count("\n") == 4 for one in attempt.found)


@every
def test_usage_adds_up(method: str) -> None:
    run = Run(method)
    attempts = run.attempts(FEW)
    used = sum((one.usage.policy for one in attempts.values()), Tokens())
    assert used == run.policy.spent
    assert sum((one.usage.prm for one in attempts.values()), Tokens()) == run.prm.spent
    assert all(one.usage.flops > 0 for one in attempts.values())
    for attempt in attempts.values():
        spent = [mark.usage.policy.decode for mark in attempt.marks]
        assert spent == sorted(spent)
        assert spent[-1] <= attempt.usage.policy.decode


@every
def test_every_beginning_of_a_journal_leads_to_the_same_attempt(method: str) -> None:
    question = FEW[1]
    run = Run(method, n=4)
    journal: list[Entry] = []
    (whole,) = run.driver(journal=journal.extend).run(run.jobs([question]))
    assert [entry.number for entry in journal] == list(range(len(journal)))
    cuts = range(len(journal) + 1) if len(journal) < 12 else range(0, len(journal) + 1, 5)
    for cut in cuts:
        resumed = run.with_()
        rest: list[Entry] = []
        (job,) = resumed.jobs([question])
        job = replace(job, recorded=journal[:cut])
        (attempt,) = resumed.driver(journal=rest.extend).run([job])
        assert timeless(attempt) == timeless(whole)
        assert [(e.number, e.reply) for e in journal[:cut] + rest] == [
            (e.number, e.reply) for e in journal
        ]


@every
def test_an_engine_that_fails_now_and_then_changes_nothing(method: str) -> None:
    calm = Run(method)
    rough = Run(
        method,
        policy=WorldPolicy(failing=lambda call, requests: call % 3 == 1),
        prm=WorldPrm(failing=lambda call: call % 2 == 1),
    )
    before, after = calm.attempts(FEW), rough.attempts(FEW)
    assert {k: timeless(v) for k, v in after.items()} == {k: timeless(v) for k, v in before.items()}


@every
def test_a_request_that_always_fails_is_a_failure_and_no_wrong_answer(method: str) -> None:
    def fails(call: int, requests: object) -> bool:
        assert isinstance(requests, list)
        return any(one.question == FEW[2] for one in requests)

    run = Run(method, policy=WorldPolicy(failing=fails), concurrency=1)
    attempts = run.attempts(FEW)
    assert [problem for problem, one in attempts.items() if one.failure] == [FEW[2].id]
    assert "shakes" in attempts[FEW[2].id].failure


@every
def test_a_dead_engine_is_an_error(method: str) -> None:
    run = Run(method, policy=WorldPolicy(failing=lambda call, requests: True))
    with pytest.raises(InfrastructureError):
        run.attempts(FEW)


@pytest.mark.parametrize("method", STEERED)
def test_a_better_prm_is_no_worse(method: str) -> None:
    levels = [
        accuracy(Run(method, prm=WorldPrm(kind), policy=WorldPolicy(skill=0.7)), QUESTIONS[:100])
        for kind in ("oracle", "noisy", "anti")
    ]
    oracle, noisy, anti = levels
    if "majority" in method:
        assert oracle >= noisy - 0.03 and noisy >= anti - 0.03
    else:
        assert oracle > noisy > anti


@every
def test_no_budget_too_small(method: str) -> None:
    spec = parse_method(method)
    smallest = spec.options.smallest()
    spec.check(smallest, "p_correct")
    with pytest.raises(ConfigError, match="too small"):
        spec.check(smallest - 1, "p_correct")
    for attempt in Run(method, n=smallest).attempts(FEW).values():
        assert attempt.found


@every
def test_no_request_goes_out_twice_in_one_place(method: str) -> None:
    """Seeds are of the place in the search: no two requests of a search write the same."""
    run = Run(method)
    run.attempts(FEW[:1])
    sampled = [r for r in run.policy.requests if r.alternatives is None]
    assert len({r.sampling.seed for r in sampled}) == len(sampled)


@every
def test_drafts_are_only_ever_made_longer(method: str) -> None:
    run = Run(method)
    attempt = run.attempts(FEW[:1])[FEW[0].id]
    asked: Counter[str] = Counter(d.text for r in run.policy.requests for d in r.drafts)
    assert asked[""] >= 1
    for one in attempt.found:
        assert any(one.draft.text.startswith(text) for text in asked)
    assert all(isinstance(r, Extend) and r.drafts for r in run.policy.requests)
    assert all(
        isinstance(d, Draft) and d.finish is None for r in run.policy.requests for d in r.drafts
    )
