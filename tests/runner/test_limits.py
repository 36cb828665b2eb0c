"""A launch stops at a limit, keeps what is finished, and the next one goes on: real models."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from harness.config import Sweep
from harness.errors import LimitReached
from harness.registry import open_policy
from harness.runner.arrays import load_pool, load_scores
from harness.runner.estimate import estimate
from harness.runner.execute import execute
from harness.runner.plan import Plan, make_plan
from harness.runner.progress import Silent
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder
from harness.store.sweepfile import read_sweep
from harness.telemetry.limits import Limits
from harness.telemetry.telemetry import Telemetry
from harness.telemetry.trace import Trace
from tests.runner.results import evaluated
from tests.telemetry.traces import lanes


def planned() -> tuple[Plan, RunTruth]:
    settings = Sweep(
        tasks=("chain_arithmetic",),
        policies=("embedded,batch=1",),  # units of 4 drafts: 2 problems
        prms=("prm-math-small",),
        methods=("majority", "best_of_n", "beam,width=2"),
        samples=2,
        limit=4,
        search={"budgets": (2,)},
    )
    truth = RunTruth()
    return make_plan(settings, None, open_policy, truth.open_prm), truth


def launches(out: Path, limits: Limits, stop: Callable[[int], None]) -> tuple[int, float]:
    """Launch until nothing is owed; return how often, and the operations of all launches."""
    plan, truth = planned()
    flops = 0.0
    for number in range(1, 100):
        telemetry = Telemetry(limits)
        try:
            execute(plan, out, truth, Silent(), [], telemetry=telemetry)
        except LimitReached:
            flops += telemetry.flops
            stop(number)
            continue
        return number, flops + telemetry.flops
    raise AssertionError("launches make no progress")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunFolder, float, Path]:
    """A run without limits, its operations, and its trace."""
    out = tmp_path_factory.mktemp("whole")
    plan, truth = planned()
    with Telemetry(trace=Trace(out / "trace.json")) as telemetry:
        folder = execute(plan, out / "run", truth, Silent(), [], telemetry=telemetry)
    return folder, telemetry.flops, out / "trace.json"


def test_operations_are_those_of_the_tables(whole: tuple[RunFolder, float, Path]) -> None:
    run, flops, _ = whole
    sweep = read_sweep(run)
    expected = 0.0
    for pool in sweep.pools:
        arrays = load_pool(run, pool)
        expected += arrays.flops.sum() + arrays.prompt_flops.sum()
        for scores in sweep.scores:
            shape = arrays.correct.shape
            expected += load_scores(run, sweep, scores, arrays.problems, shape).flops.sum()
    for search in sweep.searches:
        expected += sum(a.usage.flops for a in search.folder(run).read_attempts().values())
    assert flops == pytest.approx(expected, rel=1e-12)


def test_short_launches_come_to_the_same_end(
    tmp_path: Path, whole: tuple[RunFolder, float, Path]
) -> None:
    out, seen = tmp_path / "cut", set[str]()

    def stop(number: int) -> None:
        for stage in estimate(planned()[0], RunFolder(out)):
            if 0 < stage.done < stage.count:
                seen.add(stage.stage)
        if any(out.rglob("journal.jsonl")):  # replies of searches that have not ended
            seen.add("search")
        assert not (out / "results.csv").exists()

    number, flops = launches(out, Limits(flops=whole[1] / 5), stop)
    assert 4 <= number <= 8
    assert {"generate", "search"} <= seen, "it stopped in the middle of these"
    assert flops == pytest.approx(whole[1], rel=1e-12)
    run = RunFolder(out)
    assert evaluated(run) == evaluated(whole[0])
    for name in ("candidates.jsonl", "grades.jsonl"):
        (one,), (other,) = out.rglob(f"pools/*/{name}"), whole[0].root.rglob(f"pools/*/{name}")
        assert one.read_bytes() == other.read_bytes()


def test_a_launch_of_no_time_does_one_unit_of_each_kind(tmp_path: Path) -> None:
    """Seconds that are over at once: two units of a pool, then scores, grades, replies."""
    states: list[tuple[int, int]] = []
    plan, truth = planned()
    plan = replace(plan, searches=())

    def stages() -> list[tuple[int, int]]:
        return [(s.done, s.count) for s in estimate(plan, RunFolder(tmp_path))]

    for _ in range(3):
        with pytest.raises(LimitReached, match="--max-seconds"):
            execute(plan, tmp_path, truth, Silent(), [], telemetry=Telemetry(Limits(seconds=1e-9)))
        states.append(stages())  # type: ignore[arg-type]
    assert states == [
        [(4, 8), (0, 8), (0, 8)],
        [(8, 8), (0, 8), (0, 8)],
        [(8, 8), (8, 8), (0, 8)],
    ]
    execute(plan, tmp_path, truth, Silent(), [], telemetry=Telemetry(Limits(seconds=1e-9)))
    assert stages() == [(8, 8)] * 3


def test_a_trace_has_a_lane_for_whoever_works(whole: tuple[RunFolder, float, Path]) -> None:
    found = lanes(whole[2])
    assert set(found) == {
        "starting", "policy embedded", "PRM prm-math-small", "grader math",
    }  # fmt: skip
    written = found["policy embedded"]
    units = [event for event in written if event["name"].startswith("unit")]
    requests = [event for event in written if event["ph"] == "b"]
    assert len(units) == 2 and len(requests) > 4 + 4, "pool requests, and those of searches"
    drafts = [event["args"]["drafts"] for event in requests[:4]]
    assert drafts == [2] * 4
    assert any(event["name"] == "judge" for event in found["PRM prm-math-small"])


def test_telemetry_of_a_run_adds_up(whole: tuple[RunFolder, float, Path]) -> None:
    import json

    ends = [json.loads(text) for text in whole[0].telemetry.read_text().splitlines()]
    ends = [line for line in ends if line["end"]]
    kinds = [line["stage"].split(" · ")[0] for line in ends]
    assert kinds == ["generate", "grade", "score", "search", "grade"]
    run = whole[0]
    (pool,) = read_sweep(run).pools
    assert ends[0]["policy_tokens"] == load_pool(run, pool).tokens.sum()
    assert (ends[0]["done"], ends[0]["total"], ends[0]["unit"]) == (8, 8, "candidates")
    attempts = read_sweep(run).searches[0].folder(run).read_attempts().values()
    assert ends[3]["policy_tokens"] == sum(a.usage.policy.decode for a in attempts)
    assert ends[3]["prm_tokens"] == sum(a.usage.prm.prefill_logical for a in attempts)
    assert 0 < ends[3]["prm_share"] < 1 and 0 < ends[3]["policy_share"] < 1
    assert ends[3]["prm_share"] + ends[3]["policy_share"] <= 1
    assert ends[2]["prm_share"] > 0 and ends[2]["policy_share"] is None
    assert math.isclose(ends[-1]["flops"], whole[1], rel_tol=1e-6)
