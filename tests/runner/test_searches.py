"""Searches from settings to results, with the real small models: run, stop, go on, refuse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

pytest.importorskip("torch")

from harness.config import Sweep
from harness.errors import ConfigError, InfrastructureError
from harness.policies.policy import Policy
from harness.policies.transformers import TransformersPolicy
from harness.registry import open_policy
from harness.runner.execute import execute
from harness.runner.plan import Plan, make_plan
from harness.runner.progress import Silent
from harness.runner.report import make_report
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder
from harness.store.sweepfile import read_sweep
from harness.types import Extend, Extended
from tests.runner.results import evaluated

SEARCHES = ("beam,width=2", "mcts,children=2", "adaptive_best_of_n")


def sweep(*methods: str, task: str = "chain_arithmetic", **search: object) -> Sweep:
    return Sweep(
        tasks=(task,),
        policies=("embedded",),
        prms=("prm-math-small",),
        methods=methods,
        budgets=(1, 2),
        limit=5,
        search={"budgets": (2,), **search},
    )


def planned(settings: Sweep) -> tuple[Plan, RunTruth]:
    truth = RunTruth()
    return make_plan(settings, None, open_policy, truth.open_prm), truth


def run(settings: Sweep, out: Path) -> RunFolder:
    plan, truth = planned(settings)
    return execute(plan, out, truth, Silent(), [])


def test_searches_are_run_graded_and_reported(tmp_path: Path) -> None:
    folder = run(sweep(*SEARCHES), tmp_path / "run")
    make_report(folder, Silent())
    assert (folder.root / "report" / "index.html").exists()
    found = {(row["method"], row["budget"]): row for row in evaluated(folder)}
    assert {method for method, _ in found} == set(SEARCHES)
    for row in found.values():
        assert row["metric"] == "accuracy" and row["n_problems"] == "5"
        assert float(row["policy_tokens"]) > 0 and float(row["prm_tokens"]) > 0
        assert float(row["flops"]) > 0
    for entry in read_sweep(folder).searches:
        files = entry.folder(folder)
        assert not files.journal.exists()
        attempts = files.read_attempts().values()
        decoded = sum(attempt.usage.policy.decode for attempt in attempts)
        mean = float(found[entry.method, "2"]["policy_tokens"])
        assert mean * 5 == pytest.approx(decoded)


def test_what_a_prm_does_not_tell_is_unknown_and_not_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server or a function reads tokens that nobody counts, in time that anybody can measure;
    searches and pools agree on that."""
    (tmp_path / "untold_prm.py").write_text(
        "def judge(prompt, solutions):\n    return [[0.5] * len(steps) for steps in solutions]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    prms = ("python:untold_prm:judge",)
    settings = sweep("beam,width=2", "best_of_n").model_copy(update={"prms": prms})
    folder = run(settings, tmp_path / "run")
    make_report(folder, Silent())
    found = evaluated(folder, measured=())
    rows = [row for row in found if row["prm"] and row["metric"] == "accuracy"]
    assert {row["method"] for row in rows} == {"beam,width=2", "best_of_n"}
    for row in rows:
        assert row["prm_tokens"] == row["prm_tokens_computed"] == row["flops"] == ""
        assert float(row["policy_tokens"]) > 0
        assert float(row["seconds_per_problem"]) > 0


class Interrupted(Exception):
    """The test's own kill."""


def interrupt(policy: TransformersPolicy, after: int) -> None:
    """Make the stream of a policy fail after so many calls."""
    original, left = policy.stream, [after]

    class Stream:
        def __init__(self) -> None:
            self._inner = original()

        works_on = False
        at_once = None

        @property
        def rows(self) -> int:
            return self._inner.rows

        def submit(self, ticket: int, request: Extend) -> None:
            self._inner.submit(ticket, request)

        def collect(self) -> list[tuple[int, Extended]]:
            left[0] -= 1
            if left[0] < 0:
                raise Interrupted
            return self._inner.collect()

        def close(self) -> None:
            self._inner.close()

    policy.stream = Stream  # type: ignore[method-assign,assignment]


def test_an_interrupted_search_goes_on_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.runner.search._COMMIT", 0.0)
    settings = sweep("beam,width=2", "mcts,children=2")
    whole = evaluated(run(settings, tmp_path / "whole"))
    for after in (1, 7, 25):
        cut = tmp_path / f"cut {after}"
        plan, truth = planned(settings)
        policy = plan.searches[0].policy
        assert isinstance(policy, TransformersPolicy)
        interrupt(policy, after)
        with pytest.raises(Interrupted):
            execute(plan, cut, truth, Silent(), [])
        ledgers = (cut / "searches").rglob("*.ledger.jsonl")
        assert sum(ledger.read_bytes().count(b'"unit"') for ledger in ledgers) > 0
        resumed, truth = planned(settings)
        calls = count(resumed.searches[0].policy)
        folder = execute(resumed, cut, truth, Silent(), [])
        assert evaluated(folder) == whole
        again, truth = planned(settings)
        asked = count(again.searches[0].policy)
        execute(again, cut, truth, Silent(), [])
        assert asked == [] and calls != []


def count(policy: Policy) -> list[Extend]:
    """Note every request that a policy's stream is given."""
    original, asked = policy.stream, list[Extend]()

    def stream() -> object:
        inner = original()
        submit = inner.submit

        def noted(ticket: int, request: Extend) -> None:
            asked.append(request)
            submit(ticket, request)

        inner.submit = noted  # type: ignore[method-assign]
        return inner

    policy.stream = stream  # type: ignore[method-assign,assignment]
    return asked


def test_an_engine_that_dies_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    settings = sweep("beam,width=2")
    plan, truth = planned(settings)

    class Dead:
        rows = 0
        works_on = False
        at_once = None

        def submit(self, ticket: int, request: Extend) -> None: ...

        def collect(self) -> list[tuple[int, Extended]]:
            raise InfrastructureError("the engine is gone")

        def close(self) -> None: ...

    plan.searches[0].policy.stream = Dead  # type: ignore[method-assign,assignment]
    with pytest.raises(InfrastructureError, match="the engine is gone"):
        execute(plan, tmp_path / "run", truth, Silent(), [])
    assert evaluated(run(settings, tmp_path / "run")) == evaluated(
        run(settings, tmp_path / "other")
    )


def test_replicas_are_further_attempts_with_seeds_of_their_own(tmp_path: Path) -> None:
    folder = run(sweep("beam,width=2", replicas=2), tmp_path / "run")
    (entry,) = read_sweep(folder).searches
    attempts = entry.folder(folder).read_attempts()
    assert len(attempts) == 10
    texts = [
        [[one.draft.text for one in attempts[p, r].found] for p, _ in sorted(attempts)]
        for r in (0, 1)
    ]
    assert texts[0] != texts[1]
    assert {row["replicas"] for row in evaluated(folder)} == {"2"}


def test_a_budget_of_tokens_ends_a_search(tmp_path: Path) -> None:
    folder = run(sweep("mcts,children=2", policy_tokens=60), tmp_path / "run")
    (entry,) = read_sweep(folder).searches
    for attempt in entry.folder(folder).read_attempts().values():
        spent = [mark.usage.policy.decode for mark in attempt.marks]
        assert attempt.usage.policy.decode < 60 + 2 * 256
        assert all(before < 60 for before in spent[:-1])


def test_methods_are_timed_alone(tmp_path: Path) -> None:
    folder = run(sweep("majority", "beam,width=2", latency=2), tmp_path / "run")
    timed = [row for row in evaluated(folder) if row["metric"] == "latency_seconds"]
    assert {(row["method"], row["n_problems"]) for row in timed} == {
        ("majority", "2"),
        ("beam,width=2", "2"),
    }
    assert all(float(row["value"]) > 0 and row["seconds_kind"] == "latency" for row in timed)


def test_searches_on_programs_vote_by_behaviour(tmp_path: Path) -> None:
    settings = sweep("adaptive_best_of_n", task="chain_programs")
    (row,) = [r for r in evaluated(run(settings, tmp_path / "run")) if r["budget"] == "2"]
    assert int(row["executions"]) > 0


@pytest.mark.parametrize(
    ("methods", "search", "message"),
    [
        (("beam,width=8",), {}, "budget of 2 is too small"),
        (("beam,agg=produkt",), {}, "unknown aggregation 'produkt'; did you mean 'product'"),
        (("beam,widht=2",), {}, "no option 'widht'; did you mean 'width'"),
        (("beam",), {"prms": ("prm-x",)}, "unknown PRM of search.prms 'prm-x'"),
        (("beam,width=2",), {"cut": "tokens:x"}, "a whole number from 1 up"),
        (("beam", "beam,width=2,name=beam"), {}, "two methods are called 'beam'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(
    methods: Sequence[str], search: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        planned(sweep(*methods, **search))


def test_recordings_neither_search_nor_steer(tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    pool.write_text('{"id": "x", "text": "y"}\n')
    settings = sweep("beam")
    with pytest.raises(ConfigError, match="needs a policy that can continue a draft"):
        planned(settings.model_copy(update={"policies": (f"pool:{pool}",)}))
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"id": "x", "scores": [1.0]}\n')
    with pytest.raises(ConfigError, match="cannot steer beam"):
        planned(settings.model_copy(update={"prms": (f"recorded:{scores}",)}))
    with pytest.raises(ConfigError, match="cannot steer beam"):
        planned(settings.model_copy(update={"prms": ("fake:oracle",)}))


def test_a_budget_that_no_method_heeds_is_refused(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    arguments = [
        "plan", "--task", "chain_arithmetic", "--policy", "embedded", "--prm", "prm-math-small",
        "--limit", "2", "--budget", "8", "--out", tmp_path / "out",
    ]  # fmt: skip
    done = cli(*arguments, "--method", "beam")
    assert done.code == 2
    assert "--set 'search.budgets=[8]'" in done.err
    mixed = cli(*arguments, "--method", "best_of_n,beam")
    assert mixed.code == 0
    assert "searches come up with 4, 16 candidates" in mixed.err
    for heeded in (["--method", "best_of_n"], ["--method=beam", "--set", "search.budgets=[8]"]):
        done = cli(*arguments, *heeded)
        assert (done.code, done.err) == (0, "")
