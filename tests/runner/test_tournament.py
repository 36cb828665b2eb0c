"""Runs with a critic that compares: what it is used for, and what refuses it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from harness.problems import load
from harness.registry import open_prm
from harness.runner.serving import PrmServer
from harness.runner.standins import Opener
from harness.store.format import RunFolder
from harness.store.sweepfile import read_sweep

# The embedded policy reads 512 characters: a short question leaves room for solutions.
SHORT = """
recipe: pairwise
template: |-
  {prompt}
  {first}
  or
  {second}
"""


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def pairwise(tmp_path: Path) -> str:
    """A critic that compares, with a real writer whose verdicts are noise."""
    pytest.importorskip("torch")
    (tmp_path / "short.yaml").write_text(SHORT)
    return f"critic:{tmp_path}/short.yaml,model=[embedded,batch=32],max_tokens=8,name=pairs"


def test_a_tournament_runs_from_end_to_end(cli: Any, tmp_path: Path, pairwise: str) -> None:
    def run(out: Path) -> list[dict[str, str]]:
        done = cli(
            "run", "--task", "chain_arithmetic", "--limit", "4", "--policy", "embedded",
            "--prm", pairwise, "--prm", "prm-math-small", "--method", "best_of_n,tournament",
            "--budget", "2", "--set", "search.budgets=[1,4]", "--out", out,
        )  # fmt: skip
        assert done.code == 0, done.err
        return rows(out)

    out = tmp_path / "out"
    found = run(out)
    # Each PRM does what it is for: the other one scored the pool, this one none of it.
    assert {(r["method"], r["prm"]) for r in found} == {
        ("best_of_n", "prm-math-small"),
        ("tournament", "pairs"),
    }
    assert [path.name.split("-")[0] for path in (out / "scores").glob("*.ledger.jsonl")] == [
        "chain_arithmetic"
    ]
    sweep = read_sweep(RunFolder(out))
    assert [entry.prm for entry in sweep.scores] == ["prm-math-small"]
    for entry in sweep.searches:
        for attempt in entry.folder(RunFolder(out)).read_attempts().values():
            texts = [one.draft.text for one in attempt.found]
            comparisons = attempt.notes.get("comparisons", 0)
            assert len(texts) == entry.n and comparisons <= entry.n - 1
            if len(set(texts)) == len(texts):
                assert comparisons == entry.n - 1
            # Two chains for each, one in either order; what they cost is in the bill.
            assert attempt.usage.prm.calls == 2 * comparisons
            assert (attempt.usage.prm.decode > 0) == (comparisons > 0)
            assert attempt.marks[-1].ballot is None or len(attempt.marks[-1].ballot) == 1
    one, four = (r for r in found if r["method"] == "tournament")
    assert (one["budget"], four["budget"]) == ("1", "4")
    assert float(one["prm_tokens"]) == 0 < float(four["prm_tokens"])
    assert float(one["flops"]) < float(four["flops"]) / 4
    seconds = {"seconds_per_problem", "run_digest"}
    again = run(tmp_path / "again")
    for first, second in zip(found, again, strict=True):
        assert {k: first[k] for k in first.keys() - seconds} == {
            k: second[k] for k in second.keys() - seconds
        }


def test_tasks_of_pairs_are_judged_as_they_are(cli: Any, data_dir: Path, tmp_path: Path) -> None:
    (task,) = load("rewardbench_math", data_dir=data_dir, limit=3, seed=0)
    lines = []
    for number, problem in enumerate(task.problems):
        assert isinstance(problem.reference, dict)
        sizes = [len(steps) for steps in problem.solutions]
        said = "AB" if problem.reference["right"] == 0 else "BA"
        for chain, letter in enumerate(said):
            first, second = sizes if chain == 0 else sizes[::-1]
            text = "I pass" if number == 2 else f"\\boxed{{{letter}}}"
            lines.append({"id": f"{problem.id}/{first}-{second}/{chain}", "texts": [text]})
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    done = cli(
        "run", "--task", "rewardbench_math", "--limit", "3", "--data-dir", data_dir, "--out", out,
        "--prm", f"critic:pairwise,read=labels,model=fake:{script}",
    )  # fmt: skip
    assert done.code == 0, done.err
    found = {r["metric"]: float(r["value"]) for r in rows(out) if r["headline"] == "true"}
    # Two are right; silence is a tie, which is shared, and lost where ties are.
    assert found["preference_accuracy"] == pytest.approx((1 + 1 + 0.5) / 3)
    assert found["preference_strict"] == pytest.approx(2 / 3)
    assert found["preference_tied"] == pytest.approx(1 / 3)
    scores = [
        json.loads(line)
        for path in (out / "scores").glob("*.jsonl")
        if "ledger" not in path.name
        for line in path.read_text().splitlines()
    ]
    assert sorted(one.get("unparsed", 0) for one in scores) == [0, 0, 0, 0, 1, 1]


COMPARES = "critic:pairwise,model=fake:echo"
ALONE = "run it with --method tournament"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "chain_arithmetic", "--prm", COMPARES], ALONE),
        (["--task", "chain_arithmetic", "--prm", COMPARES, "--method", "majority"], ALONE),
        (
            ["--task", "chain_arithmetic", "--prm", COMPARES, "--method", "beam"],
            f"method beam needs a score of each; {ALONE}",
        ),
        (
            ["--task", "chain_arithmetic", "--prm", COMPARES, "--method", "best_of_n,tournament"],
            f"method best_of_n needs a score of each; {ALONE}",
        ),
        (
            [
                *("--task", "chain_arithmetic", "--prm", COMPARES, "--prm", "fake:oracle"),
                *("--method", "best_of_n"),
            ],
            f"the pool of chain_arithmetic needs a score of each; {ALONE}",
        ),
        (
            [
                *("--task", "chain_arithmetic", "--prm", COMPARES, "--prm", "fake:oracle"),
                *("--method", "tournament", "--set", "search.prms=[oracle]"),
            ],
            "oracle scores single ones; give --prm critic:pairwise,model=POLICY",
        ),
        (
            ["--task", "chain_arithmetic", "--prm", "fake:oracle", "--method", "tournament"],
            "oracle scores single ones; give --prm critic:pairwise,model=POLICY",
        ),
        (
            ["--task", "chain_arithmetic", "--method", "tournament"],
            "method tournament needs a PRM; give --prm NAME",
        ),
        (
            [
                *("--task", "chain_arithmetic,chain_errors", "--prm", COMPARES),
                *("--method", "tournament"),
            ],
            f"chain_errors_arithmetic needs a score of each; {ALONE}",
        ),
    ],
)
def test_what_cannot_use_it_says_what_to_type(
    cli: Any, tmp_path: Path, arguments: list[str], message: str
) -> None:
    policy = ["--policy", "fake:echo", "--limit", "2", "--out", str(tmp_path / "out")]
    done = cli("run", *arguments, *policy)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_more_than_two_solutions_are_refused(cli: Any, data_dir: Path, tmp_path: Path) -> None:
    done = cli(
        "run", "--task", "rewardmath", "--prm", COMPARES, "--data-dir", data_dir, "--out",
        tmp_path / "out",
    )  # fmt: skip
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "rewardmath has problems with more than two; choose another PRM" in done.err


def test_a_finished_run_is_not_scored_with_it(cli: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = cli(
        "run", "--task", "chain_arithmetic", "--policy", "fake:echo", "--prm", "fake:oracle",
        "--method", "best_of_n", "--budget", "2", "--limit", "2", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    done = cli("score", out, "--prm", COMPARES)
    assert done.code == 2 and f"chain_arithmetic needs a score of each; {ALONE}" in done.err


def test_whoever_asks_for_single_scores_refuses_it() -> None:
    prm = open_prm(COMPARES)
    with pytest.raises(ConfigError, match=f"serve-prm needs a score of each; {ALONE}"):
        PrmServer(prm, "127.0.0.1", 0)


def test_a_plan_knows_it_without_its_model() -> None:
    for family, covers in (("pairwise", "pair"), ("think-prm", "whole"), ("r-prm", "steps")):
        found = Opener().prm(f"critic:{family},model=transformers:Nobody/Has-7B", open_prm)
        assert found.covers == covers
