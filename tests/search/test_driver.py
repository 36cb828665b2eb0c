"""The driver: nobody waits for another, faults cost only what was in flight, budgets stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from harness.errors import InfrastructureError
from harness.policies.batches import BatchStream
from harness.search.driver import Driver, Job
from harness.search.moves import Search, agree, extend, judge, report
from harness.search.setting import Setting
from harness.types import Budget, Cut, Draft, Extend, Extended, Found, Judge, Judged, Sampling
from tests.search.world import QUESTIONS, Run, WorldPolicy, WorldPrm, timeless

SETTING = Setting(QUESTIONS[0], 4, Sampling(max_tokens=40), Cut(("\n",)))


@dataclass
class OneByOne:
    """A stream that finishes whichever request has least to write, one at a time."""

    policy: WorldPolicy
    slow: str
    """The question whose requests are always the last."""
    waiting: dict[int, Extend] = field(default_factory=dict)
    works_on: bool = False
    at_once: int | None = None

    @property
    def rows(self) -> int:
        return sum(len(request.drafts) for request in self.waiting.values())

    def submit(self, ticket: int, request: Extend) -> None:
        self.waiting[ticket] = request

    def collect(self) -> list[tuple[int, Extended]]:
        if not self.waiting:
            return []
        ticket = min(self.waiting, key=lambda t: (self.waiting[t].question.id == self.slow, t))
        return [(ticket, self.policy.extend([self.waiting.pop(ticket)])[0])]

    def close(self) -> None:
        self.waiting = {}


@dataclass
class Slow(WorldPolicy):
    """A policy with one slow question."""

    def stream(self) -> BatchStream:
        return OneByOne(self, QUESTIONS[0].id)  # type: ignore[return-value]


def test_a_slow_problem_holds_up_no_other() -> None:
    run = Run("beam", policy=Slow(), concurrency=3)
    ended = [attempt.problem for attempt in run.driver().run(run.jobs(QUESTIONS[:9]))]
    assert ended[-1] == QUESTIONS[0].id
    plain = run.with_(policy=WorldPolicy()).attempts(QUESTIONS[:9])
    slow = run.with_(policy=Slow()).attempts(QUESTIONS[:9])
    assert {k: timeless(v) for k, v in slow.items()} == {k: timeless(v) for k, v in plain.items()}


def test_the_next_problem_begins_when_one_ends() -> None:
    begun: list[str] = []

    def jobs() -> list[Job]:
        run = Run("greedy", n=1)
        return [
            replace(job, start=lambda job=job: (begun.append(job.problem), job.start())[1])  # type: ignore[misc]
            for job in run.jobs(QUESTIONS[:6])
        ]

    seen: list[int] = []
    for _ in Driver(WorldPolicy(), WorldPrm(), concurrency=2).run(iter(jobs())):
        seen.append(len(begun))
    assert seen[0] == 2
    assert seen[-1] == 6
    assert all(there - gone <= 2 for gone, there in enumerate(seen))


def test_requests_of_all_searches_share_calls() -> None:
    run = Run("beam", prm=WorldPrm(unit_rows=10_000))
    run.attempts(QUESTIONS[:32])
    # 4 lines and the end: five rounds, if all go together.
    assert run.policy.calls <= 8 and run.prm.calls <= 8


@pytest.mark.parametrize(
    ("works_on", "at_once", "left"), [(False, None, 7), (True, None, 12), (True, 5, 3)]
)
def test_the_prm_is_called_before_the_policy_runs_empty(
    works_on: bool, at_once: int | None, left: int
) -> None:
    rows: list[int] = []

    @dataclass
    class Policy(WorldPolicy):
        def stream(self) -> BatchStream:
            streams.append(OneByOne(self, "", works_on=works_on, at_once=at_once))
            return streams[-1]  # type: ignore[return-value]

    @dataclass
    class Prm(WorldPrm):
        def judge(self, requests: Sequence[Judge]) -> list[Judged]:
            rows.append(streams[-1].rows)
            return super().judge(requests)

    streams: list[OneByOne] = []
    run = Run("best_of_n", n=1, policy=Policy(), prm=Prm(unit_rows=10_000))
    run.attempts(QUESTIONS[:16])
    assert rows[0] == left  # the first below 0.5 and 0.8 of 16, and 0.8 of 5


def test_seeds_are_of_the_place_and_differ() -> None:
    run = Run("beam")
    run.attempts(QUESTIONS[:2])
    by_question = {
        q.id: [r.sampling.seed for r in run.policy.requests if r.question == q]
        for q in QUESTIONS[:2]
    }
    for seeds in by_question.values():
        assert len(set(seeds)) == len(seeds) > 3
    replica = run.with_()
    jobs = [replace(job, replica=1) for job in replica.jobs(QUESTIONS[:1])]
    list(replica.driver().run(jobs))
    assert replica.policy.requests[0].sampling.seed != by_question[QUESTIONS[0].id][0]


def test_a_request_is_tried_as_often_as_said() -> None:
    for retries, fails in ((0, 1), (2, 3)):
        run = Run(
            "greedy",
            n=1,
            retries=retries,
            policy=WorldPolicy(failing=lambda call, requests, fails=fails: call <= fails),  # type: ignore[misc]
        )
        (attempt,) = run.driver().run(run.jobs(QUESTIONS[:1]))
        assert attempt.failure
        assert run.policy.calls == retries + 1
        kinder = run.with_(retries=retries + 1)
        (attempt,) = kinder.driver().run(kinder.jobs(QUESTIONS[:1]))
        assert not attempt.failure and attempt.found


def test_an_engine_that_cannot_be_reached_is_not_tried_again() -> None:
    """Whoever says so has waited as long as the user wants."""

    class Away(WorldPolicy):
        def extend(self, requests: Sequence[Extend]) -> list[Extended]:
            self.calls += 1
            error = InfrastructureError("away")
            error.away = True
            raise error

    run = Run("greedy", n=1, policy=Away())
    with pytest.raises(InfrastructureError, match="away"):
        list(run.driver().run(run.jobs(QUESTIONS[:1])))
    assert run.policy.calls == 1


def test_what_was_found_before_a_failure_stays() -> None:
    def method(setting: Setting) -> Search:
        for _ in range(3):
            drafts = yield from extend(setting, [Draft()], whole=True)
            yield from report(*(Found(draft, 1.0) for draft in drafts))

    policy = WorldPolicy(failing=lambda call, requests: call > 2)
    job = Job("q0", lambda: method(SETTING), "best")
    (attempt,) = Driver(policy, WorldPrm()).run([job])
    assert attempt.failure and len(attempt.found) == 2


def test_three_searches_in_a_row_that_fail_are_a_dead_engine() -> None:
    # One good reply in between, and nobody is taken for dead.
    bad = {QUESTIONS[i].id for i in (0, 1, 3, 4, 6)}
    policy = WorldPolicy(failing=lambda call, requests: any(r.question.id in bad for r in requests))
    run = Run("greedy", n=1, policy=policy, concurrency=1)
    attempts = run.attempts(QUESTIONS[:8])
    assert {problem for problem, one in attempts.items() if one.failure} == bad
    run = run.with_(
        policy=WorldPolicy(
            failing=lambda call, requests: requests[0].question.id != QUESTIONS[0].id
        )
    )
    kept: list[str] = []
    with pytest.raises(InfrastructureError):
        for attempt in run.driver().run(run.jobs(QUESTIONS[:8])):
            kept.append(attempt.problem)
    assert kept == [q.id for q in QUESTIONS[:3]]


def test_a_judge_that_fails_is_asked_again() -> None:
    run = Run("best_of_n", prm=WorldPrm(failing=lambda call: call == 1))
    attempts = run.attempts(QUESTIONS[:3])
    assert run.prm.calls == 2
    assert all(one.found and not one.failure for one in attempts.values())


def test_a_spent_budget_keeps_what_was_reported() -> None:
    run = Run("adaptive_best_of_n,threshold=1", budget=Budget(policy_tokens=20))
    (attempt,) = run.driver().run(run.jobs(QUESTIONS[:1]))
    # Nine tokens for a solution: 9, 18, 27. The third was in flight when the budget ended.
    assert [one.draft.tokens for one in attempt.found] == [9, 9, 9][: len(attempt.found)]
    assert attempt.usage.policy.decode == 27
    assert len(attempt.found) == 2 and not attempt.failure


def test_the_prm_reads_as_it_is_told() -> None:
    def read(draft: Draft) -> Draft:
        return replace(draft, steps=tuple(draft.text.splitlines(keepends=True)))

    run = Run("best_of_n")
    list(run.driver(read=read).run(run.jobs(QUESTIONS[:1])))
    (asked,) = run.prm.requests
    assert all(len(draft.steps) == 4 for draft in asked.drafts)


def test_nobody_to_compare_answers_is_a_bug() -> None:
    def method(setting: Setting) -> Search:
        yield from agree(setting, [Draft(("x",), "stop")])

    with pytest.raises(ValueError, match="classes of answers"):
        list(Driver(WorldPolicy()).run([Job("q", lambda: method(SETTING), "vote")]))


def test_helpers_ask_nothing_of_nobody() -> None:
    def method(setting: Setting) -> Search:
        assert (yield from extend(setting, [])) == ()
        assert (yield from judge(setting, [])) == ()
        assert (yield from agree(setting, [])) == ()

    policy = WorldPolicy()
    (attempt,) = Driver(policy, WorldPrm()).run([Job("q", lambda: method(SETTING), "best")])
    assert policy.calls == 0 and attempt.found == () and not attempt.failure


def test_a_journal_has_every_reply_before_a_search_sees_it() -> None:
    noted: list[int] = []
    seen: list[int] = []

    def method(setting: Setting) -> Search:
        for _ in range(3):
            yield from extend(setting, [Draft()], whole=True)
            seen.append(len(noted))

    driver = Driver(WorldPolicy(), journal=lambda entries: noted.extend(e.number for e in entries))
    list(driver.run([Job("q", lambda: method(SETTING), "best")]))
    assert noted == [0, 1, 2] and seen == [1, 2, 3]
    assert driver.timing.requests == 3


def test_a_reply_of_the_wrong_kind_is_a_bug() -> None:
    run = Run("best_of_n")
    (job,) = run.jobs(QUESTIONS[:1])
    journal: list[object] = []
    list(run.driver(journal=journal.extend).run([job]))
    with pytest.raises(ValueError, match="no reply to Extend"):
        list(run.driver().run([replace(job, recorded=journal[1:])]))  # type: ignore[arg-type]


def test_judges_get_requests_in_one_call() -> None:
    asked: list[int] = []

    @dataclass
    class Counting(WorldPrm):
        def judge(self, requests: Sequence[Judge]) -> list[Judged]:
            asked.append(len(requests))
            return super().judge(requests)

    run = Run("best_of_n", prm=Counting(unit_rows=10_000))
    run.attempts(QUESTIONS[:16])
    assert asked == [16]
