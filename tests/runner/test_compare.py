"""`compare` through the command line, on runs that need no model."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.config import Sweep
from harness.registry import open_policy
from harness.runner.evaluate import evaluate
from harness.runner.execute import execute
from harness.runner.plan import make_plan
from harness.runner.progress import Silent
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder
from tests.conftest import write_script, write_sums

Cli = Callable[..., Any]


def run(settings: Sweep, out: Path, data: Path | None = None) -> Path:
    truth = RunTruth()
    plan = make_plan(settings, data, open_policy, truth.open_prm)
    execute(plan, out, truth, Silent(), [])
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of `sums` (12 problems, 4 candidates): `one` with a perfect PRM, its opposite and a
    coin; `other` with a worse oracle on the same pool; `short` with another pool; `two` with two
    policies."""
    place = tmp_path_factory.mktemp("compare")
    settings: dict[str, Any] = {
        "tasks": ("sums",),
        "include": (str(write_sums(place)),),
        "policies": (f"fake:{write_script(place)}",),
        "samples": 4,
        "methods": ("majority", "best_of_n"),
    }
    run(Sweep(prms=("fake:oracle", "fake:anti-oracle", "fake:constant"), **settings), place / "one")
    run(Sweep(prms=("fake:noisy,p=0.6,name=oracle",), **settings), place / "other")
    short = {"sampling": {"max_tokens": 50}, "prms": ("fake:oracle",)}
    run(Sweep(**settings, **short), place / "short")
    two = {
        **settings,
        "policies": (*settings["policies"], f"fake:{place / 'worse.jsonl'},name=worse"),
        "methods": ("best_of_n",),
    }
    texts = (place / "script.jsonl").read_text().replace("\\\\boxed{2}", "\\\\boxed{3}")
    (place / "worse.jsonl").write_text(texts)
    run(Sweep(prms=("fake:oracle",), **two), place / "two")
    return place


def edited(runs: Path, name: str, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return a copy of `one` whose sweep.json says something else."""
    folder = runs / name
    shutil.copytree(runs / "one", folder)
    sweep = json.loads((folder / "sweep.json").read_text())
    change(sweep)
    (folder / "sweep.json").write_text(json.dumps(sweep))
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "versus.csv").open() as lines:
        return list(csv.DictReader(lines))


def words(text: str) -> str:
    return " ".join(text.replace("\u00a0", " ").split())


def test_two_prms(cli: Cli, runs: Path) -> None:
    one = runs / "one"
    done = cli("compare", one, "--prm", "oracle", "--prm", "anti-oracle")
    assert done.code == 0, done.err
    said = words(done.out)
    assert "of 4 candidates, oracle picks a right solution on 100.0 points more problems" in said
    # One candidate leaves no choice: budgets 2 and 4 are the family.
    assert "Holm over 2 budgets" in said
    (folder,) = (one / "compare").iterdir()
    assert folder.name.startswith("oracle-vs-anti-oracle-")
    assert {p.name for p in folder.iterdir()} == {"index.html", "versus.csv", "figures", "tables"}
    found = rows(folder)
    assert [row["budget"] for row in found] == ["2", "4"]
    assert float(found[-1]["difference"]) == 1.0
    # The same comparison goes to the same place.
    cli("compare", one, "--prm", "oracle", "--prm", "anti-oracle")
    assert [folder] == list((one / "compare").iterdir())


def test_the_numbers_are_those_of_results(cli: Cli, runs: Path, tmp_path: Path) -> None:
    two = ("--method", "majority", "--method", "best_of_n")
    cli("compare", runs / "one", "--prm", "oracle", *two, "--out", tmp_path / "out")
    value = {
        (row.method, row.prm, str(row.budget)): row.value
        for row in evaluate(RunFolder(runs / "one")).rows
        if row.metric == "accuracy" and row.headline
    }
    found = rows(tmp_path / "out")
    assert [row["budget"] for row in found] == ["2", "4"]
    for row in found:
        assert (row["a"], row["b"]) == ("majority", "best_of_n with oracle")
        assert float(row["a_value"]) == pytest.approx(value["majority", None, row["budget"]])
        assert float(row["b_value"]) == pytest.approx(value["best_of_n", "oracle", row["budget"]])


def test_two_runs_of_one_pool(cli: Cli, runs: Path, tmp_path: Path) -> None:
    both = runs / "one", runs / "other"
    done = cli("compare", *both, "--prm", "oracle", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    found = rows(tmp_path / "out")
    assert {(row["a"], row["b"]) for row in found} == {("one", "other")}
    assert float(found[-1]["difference"]) > 0


def test_two_policies(cli: Cli, runs: Path, tmp_path: Path) -> None:
    both = ("compare", runs / "two", "--prm", "oracle", "--out", tmp_path / "out")
    done = cli(*both)
    assert done.code == 2
    assert "name two of something" in done.err or "several policies" in done.err
    done = cli(*both, "--policy", "script", "--policy", "worse")
    assert done.code == 0, done.err
    found = rows(tmp_path / "out")
    # Other pools: one candidate is not the same one, and the worse policy never solves s1.
    assert [row["budget"] for row in found] == ["1", "2", "4"]
    assert {(row["a"], row["b"]) for row in found} == {("by script", "by worse")}
    assert float(found[-1]["difference"]) == pytest.approx(1 / 12)


def test_a_search_against_the_pool(cli: Cli, tmp_path: Path) -> None:
    """On the problems that the search was run on, at the budgets that both have."""
    pytest.importorskip("torch")
    settings = Sweep(
        tasks=("chain_arithmetic",),
        policies=("embedded",),
        prms=("prm-math-small",),
        methods=("best_of_n", "beam,width=2"),
        samples=4,
        limit=10,
        search={"budgets": (4,), "limit": 6},
    )
    folder, out = run(settings, tmp_path / "run"), tmp_path / "out"
    done = cli("compare", folder, "-m", "beam,width=2", "-m", "best_of_n", "--out", out)
    assert done.code == 0, done.err
    found = [row for row in rows(out) if not row["key"]]
    assert [(row["a"], row["budget"]) for row in found] == [("beam,width=2", "4")]
    assert found[0]["n_problems"] == "6"
    assert "4 are best_of_n's" in words(done.out)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    sweep = json.loads((other / "sweep.json").read_text())
    sweep["config"]["search"]["cut"] = "tokens:5"
    (other / "sweep.json").write_text(json.dumps(sweep))
    done = cli("compare", folder, other, "-m", "beam,width=2", "--out", tmp_path / "no")
    assert done.code == 2
    assert "search.cut: None and tokens:5 differ" in done.err


def test_budgets_and_a_wanted_difference_are_those_asked_for(
    cli: Cli, runs: Path, tmp_path: Path
) -> None:
    both = ("compare", runs / "one", "--prm", "oracle", "--prm", "constant", "-o", tmp_path / "out")
    done = cli(*both, "--budget", "4", "--detect", "10")
    assert [row["budget"] for row in rows(tmp_path / "out")] == ["4"]
    assert "A difference of 10.0 points needs" in words(done.out)
    assert cli(*both, "--detect", "0").code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "has several PRMs; name one: --prm oracle | anti-oracle | constant"),
        ("--prm oracle", "both sides are the same; name two of something"),
        ("--prm oracle --prm oracle", "both sides are the same"),
        ("--prm orakle --prm constant", "did you mean 'oracle'?"),
        ("--prm oracle --prm constant --method bestofn", "unknown method 'bestofn'"),
        ("--prm oracle --prm constant --task sum", "did you mean 'sums'?"),
        ("--prm oracle --prm constant --budget 3", "no budget 3 on both sides"),
        ("--prm oracle --prm constant --budget x", "no whole number"),
        ("--prm oracle --prm constant --prm anti-oracle", "3 --prm named"),
        ("--prm oracle --policy nobody", "unknown policy 'nobody'"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    cli: Cli, runs: Path, tmp_path: Path, arguments: str, message: str
) -> None:
    done = cli("compare", runs / "one", *arguments.split(), "--out", tmp_path / "out")
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["config"].update(seed=7), "sums cannot be compared, seed: 0 and 7 differ"),
        (lambda s: s["config"].update(limit=5), "limit: None and 5 differ"),
        (lambda s: s["config"].update(budgets=[3]), "budgets differ: 1, 2, 4 and 3"),
        (
            lambda s: [pool.update(task_version="2.0") for pool in s["pools"]],
            "task_version: 1.0 and 2.0 differ",
        ),
        (
            lambda s: [pool.update(task="sums2") for pool in s["pools"]],
            "no task in common",
        ),
    ],
)
def test_runs_that_differ_otherwise_are_refused_with_the_key(
    cli: Cli, runs: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    other = edited(runs, tmp_path.name, change)
    both = ("compare", runs / "one", other, "--prm", "oracle", "--out", tmp_path / "out")
    done = cli(*both, "--method", "best_of_n")
    assert done.code == 2, done.out
    assert message in done.err
    assert not (tmp_path / "out").exists()


def test_another_pool_is_refused_with_what_made_it_another(
    cli: Cli, runs: Path, tmp_path: Path
) -> None:
    done = cli("compare", runs / "one", runs / "short", "--prm", "oracle", "-o", tmp_path / "out")
    assert done.code == 2
    assert "'max_tokens': 50" in done.err
    assert "score one pool with both" in done.err


def test_no_run_folder(cli: Cli, tmp_path: Path) -> None:
    done = cli("compare", tmp_path, "--prm", "a", "--prm", "b")
    assert (done.code, "is no run folder" in done.err) == (2, True)


# --- recorded scores -----------------------------------------------------------------------------


def test_processbench_of_two_published_prms(cli: Cli, data_dir: Path, tmp_path: Path) -> None:
    """Two recorded PRMs: F1 of each subset as in the results, and the mean of all four."""
    folder = data_dir / "recorded" / "processbench_prm_scores"
    names = ("Qwen2.5-Math-PRM-7B", "Skywork-o1-Open-PRM-Qwen-2.5-7B")
    files = [folder / f"{name}.jsonl.gz" for name in names]
    if not all(map(Path.is_file, files)):
        pytest.skip(f"no recorded scores in {folder}")
    prms = tuple(f"recorded:{file},covers=prefix" for file in files)
    settings = Sweep(tasks=("processbench",), prms=prms, methods=("first_error",), limit=60)
    run(settings, tmp_path / "run", data_dir)
    f1 = {
        (row.task, row.prm): row.value
        for row in evaluate(RunFolder(tmp_path / "run")).rows
        if (row.method, row.metric) == ("first_error", "f1")
    }
    both = ("compare", tmp_path / "run", "--prm", names[0], "--prm", names[1])
    done = cli(*both, "--task", "processbench", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    found = [row for row in rows(tmp_path / "out") if not row["key"]]
    assert [row["task"] for row in found][-1] == "processbench"
    assert len(found) == 5
    for row in found:
        assert float(row["a_value"]) == pytest.approx(f1[row["task"], names[0]])
        assert float(row["b_value"]) == pytest.approx(f1[row["task"], names[1]])
        assert row["test"] == "delta-t"
