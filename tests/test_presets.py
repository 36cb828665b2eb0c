"""The presets for published models: every name in them is known, and each runs with stand-ins.

Their weights are gigabytes; here the same files run on the embedded and the fake models, which take
the names that the preset gives, on a few real problems.
"""

from __future__ import annotations

import csv
import itertools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.config import load_sweep, preset_about, preset_names, preset_text
from harness.errors import DataError
from harness.forecast.throughput import throughputs
from harness.policies import catalog as policy_catalog
from harness.prms import catalog as prm_catalog
from harness.problems import load, names
from harness.registry import POLICIES, PRMS, open_policy, parse_spec
from harness.runner.evaluate import evaluate
from harness.runner.execute import execute
from harness.runner.plan import make_plan
from harness.runner.progress import Silent
from harness.runner.truth import RunTruth
from harness.sandbox.namespaces import probe
from harness.search.methods import parse_method
from harness.store.format import RunFolder
from harness.store.published import read_published

PUBLISHED = ("math500-qwen", "code-qwen", "processbench-all", "scaling")


def _specs(catalog: Any) -> dict[str, Any]:
    return {name: entry.spec for name, entry in catalog.entries().items()}


def _commands(preset: str) -> list[dict[str, list[str]]]:
    """The values of each option of the commands, of several lines, in a preset's comment."""
    found = []
    pattern = rf"run-benchmark run {preset} .*\\\n(?:#.*\\\n)*#.*\n"
    for line in re.findall(pattern, preset_text(preset)):
        given: dict[str, list[str]] = {}
        for word, after in itertools.pairwise(shlex.split(line.replace("\\\n#", " "))):
            if word.startswith("--"):
                given.setdefault(word, []).append(after)
        found.append(given)
    return found


@pytest.mark.parametrize("preset", preset_names())
def test_every_name_in_a_preset_is_known(preset: str) -> None:
    sweep = load_sweep(preset, {})
    assert set(sweep.tasks) <= set(names())
    methods = {parse_method(text).name for text in sweep.methods}
    policies = {
        parse_spec(text, adapters=POLICIES, catalog=_specs(policy_catalog), what="policy").name
        for text in sweep.policies
    }
    prms = {
        parse_spec(text, adapters=PRMS, catalog=_specs(prm_catalog), what="PRM").name
        for text in sweep.prms
    }
    assert set(sweep.search.prms or ()) <= prms
    # A figure may be of a command of its own, which the comment gives.
    budgets = {*(sweep.budgets or ()), *sweep.search.budgets}
    for given in _commands(preset):
        policies |= set(re.findall(r",name=([\w.-]+)", " ".join(given.get("--policy", ()))))
        budgets |= {int(n) for text in given.get("--budget", ()) for n in text.split(",")}
    for one in sweep.published:
        assert one.task in names()
        assert one.policy is None or one.policy in policies
        assert one.prm is None or one.prm in prms
        assert one.method in methods
        assert one.budget is None or one.budget in budgets
    assert preset_about(preset) and "\n" not in preset_about(preset)


@pytest.mark.parametrize("preset", PUBLISHED)
def test_a_published_preset_says_its_command_and_hours(preset: str) -> None:
    text = preset_text(preset)
    assert f"\n#   run-benchmark run {preset}\n" in text
    assert re.search(r"# Expected on .*H100", text)
    assert f"\n#   run-benchmark plan {preset} --device h100\n" in text
    # Other command lines in the comment name models that exist, and call the policy as the figures.
    for given in _commands(preset):
        known = _specs(prm_catalog)
        texts = given.get("--prm", ())
        chosen = {parse_spec(w, adapters=PRMS, catalog=known, what="PRM").name for w in texts}
        assert chosen <= set(load_sweep(preset, {}).prms)


def test_the_hours_that_presets_state_are_those_of_the_plan(  # type: ignore[no-untyped-def]
    cli, data_dir: Path
) -> None:
    for preset in PUBLISHED:
        done = cli("plan", preset, "--device", "h100", "--json", "--data-dir", data_dir)
        assert done.code == 0, done.err
        told = json.loads(done.out)
        prms = {True: 0.0, False: 0.0}  # of the 72B, of the others; r-prm-7b-dpo has none
        for line in told["lines"]:
            prms["72b" in line["work"]] += line["prm_hours"] or 0
        policy, grading = (told["at_least"][f"{who}_hours"] for who in ("policy", "grading"))
        wanted = [hours for hours in (policy, prms[False], prms[True], grading) if hours]
        (stated,) = re.findall(r"# Expected on (.*?)\n#\n", preset_text(preset), re.DOTALL)
        hours = [float(found) for found in re.findall(r"\d+\.\d+(?= hours| for)", stated)]
        assert hours == pytest.approx(wanted, rel=0.07), preset


def test_what_the_critiques_of_processbench_take(data_dir: Path) -> None:
    steps = sum(
        len(p.steps) for task in load("processbench", data_dir=data_dir) for p in task.problems
    )
    critiques = 10 * steps
    speed = throughputs().rate("decode", "h100", "vllm", 7e9)
    assert speed is not None
    text = " ".join(preset_text("processbench-all").replace("\n#", "").split())
    assert f"its {round(critiques, -3):,} critiques" in text
    assert f"take {100 * critiques / speed.value / 3600:.1f} hours for every 100 tokens" in text


def test_processbench_all_has_every_prm_with_a_published_figure() -> None:
    stated = [n for n, e in prm_catalog.entries().items() if "ProcessBench F1" in e.published]
    assert sorted(load_sweep("processbench-all", {}).prms) == sorted(stated)


def test_a_figure_that_presets_and_catalogue_state_is_one() -> None:
    found = 0
    for preset in preset_names():
        for one in load_sweep(preset, {}).published:
            if one.source.startswith("arXiv:2501.07301") and one.prm and one.method == "best_of_n":
                figures = prm_catalog.entries()[one.prm].published
                assert figures[f"Qwen2.5-Math-7B-Instruct rm@{one.budget}"][one.task] == one.value
                found += 1
    assert found >= 5


def test_scaling_goes_from_the_smallest_to_the_largest_size() -> None:
    entries = prm_catalog.entries()
    sizes = [float(entries[n].size.removesuffix("B")) for n in load_sweep("scaling", {}).prms]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (0.5, 72)


def test_figures_are_no_part_of_the_identity_and_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    plain = "tasks: [math500]\npolicies: [embedded]\n"
    file.write_text(plain)
    without = load_sweep(str(file), {}).digest
    figure = "{task: math500, method: greedy, value: 79.6, source: a paper}"
    file.write_text(f"{plain}published:\n  - {figure}\n")
    assert load_sweep(str(file), {}).digest == without
    for wrong, message in (
        (figure.replace("value: 79.6", "value: 179"), r"mine.yaml:3: published.0.value"),
        (figure.replace("source", "sources"), r"mine.yaml:3: .*published.0.source"),
        (figure.replace("}", ", prn: x}"), r"unknown key 'published.0.prn'; did you mean 'prm'"),
    ):
        file.write_text(f"{plain}published:\n  - {wrong}\n")
        with pytest.raises(Exception, match=message):
            load_sweep(str(file), {})
    run = RunFolder(tmp_path)
    run.published.write_text('[{"task": "math500"}]')
    with pytest.raises(DataError, match=r"published.json: 0.method"):
        read_published(run)


def _rows(preset: str, out: Path, data_dir: Path, policy: str, prm: str, **more: Any) -> set[Any]:
    """Run a preset on few problems, its models' names given to stand-ins; return what was measured:
    (task, PRM, method, budget)."""
    own = load_sweep(preset, {})
    given = {
        "limit": 2,
        "policies": [f"{policy},name={name}" for name in own.policies],
        "prms": [f"{prm},name={name}" for name in own.prms],
        **{key.replace("__", "."): value for key, value in more.items()},
    }
    truth = RunTruth()
    plan = make_plan(load_sweep(preset, given), data_dir, open_policy, truth.open_prm)
    run = execute(plan, out, truth, Silent(), ["run"], workers=1)
    return {(row.task, row.prm, row.method, row.budget) for row in evaluate(run).rows}


def test_math500_qwen_runs(tmp_path: Path, data_dir: Path) -> None:
    found = _rows(
        "math500-qwen", tmp_path, data_dir, "embedded", "prm-math-small",
        budgets=[1, 2], search__budgets=[4], sampling__max_tokens=8, limit=1,
    )  # fmt: skip
    assert {row[2] for row in found} >= set(load_sweep("math500-qwen", {}).methods)


@pytest.mark.skipif(not probe().works, reason=probe().why)
def test_code_qwen_runs(tmp_path: Path, data_dir: Path) -> None:
    found = _rows(
        "code-qwen", tmp_path, data_dir, "fake:echo", "fake:oracle", budgets=[1, 2], limit=1
    )
    for task in ("humaneval_plus", "mbpp_plus", "livecodebench_v4"):
        for prm in load_sweep("code-qwen", {}).prms:
            assert (task, prm, "best_of_n", 2) in found


def test_processbench_all_runs(tmp_path: Path, data_dir: Path) -> None:
    found = _rows("processbench-all", tmp_path, data_dir, "", "fake:noisy")
    prms = load_sweep("processbench-all", {}).prms
    assert {("processbench", prm, "first_error", None) for prm in prms} <= found


def test_scaling_runs(tmp_path: Path, data_dir: Path) -> None:
    found = _rows("scaling", tmp_path, data_dir, "fake:echo", "fake:noisy", budgets=[1, 2])
    for prm in load_sweep("scaling", {}).prms:
        assert ("math500", prm, "best_of_n", 2) in found
        assert ("processbench", prm, "first_error", None) in found


def test_a_run_sets_published_figures_beside_its_own(
    cli: Any, tmp_path: Path, quick_tasks: Path, script: Path
) -> None:
    file, out = tmp_path / "mine.yaml", tmp_path / "run"
    file.write_text(
        f"""
tasks: [sums]
include: ["{quick_tasks}"]
policies: ["fake:{script},name=tiny"]
prms: [fake:oracle]
methods: [greedy, best_of_n]
budgets: [2]
published:
  - {{task: sums, policy: Tiny, method: greedy, value: 61.3, source: one paper}}
  - {{task: sums, policy: tiny, prm: oracle, method: best_of_n, budget: 2, value: 12.5,
     source: another, note: half of it}}
  - {{task: sums, policy: tiny, prm: oracle, method: best_of_n, budget: 64, value: 99.9, source: z}}
"""
    )
    done = cli("run", file, "--out", out)
    assert done.code == 0, done.err
    rows = _cells(out / "report" / "tables" / "published.md")
    by_method = {row["method"]: row for row in rows}
    assert set(by_method) == {"greedy", "best_of_n"} and len(rows) == 2
    with (out / "results.csv").open(newline="") as csv_file:
        values = {r["method"]: float(r["value"]) for r in csv.DictReader(csv_file)
                  if r["metric"] == "accuracy" and r["headline"] == "true"}  # fmt: skip
    for method, published, inside in (("greedy", "61.3", "no"), ("best_of_n", "12.5", "no")):
        row = by_method[method]
        assert row["published %"] == published
        assert row["here %"] == f"{100 * values[method]:.1f}"
        assert row["inside"] == inside
    assert by_method["best_of_n"]["measured on"] == "half of it"
    text = (out / "report" / "tables" / "published.md").read_text()
    assert "figures of others (one paper; another)" in text
    assert "61.3" in (out / "report" / "index.html").read_text()
    file.write_text(re.sub(r"(?s)published:.*", "", file.read_text()))
    assert cli("run", file, "--out", out).code == 0  # the same run, which has lost its figures
    assert not (out / "published.json").exists()


def _cells(path: Path) -> list[dict[str, str]]:
    """Read a Markdown table back."""
    lines = [line for line in path.read_text().splitlines() if line.startswith("|")]
    split = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(split[0], row, strict=True)) for row in split[2:]]


def test_a_preset_whose_models_are_out_of_reach_says_what_to_do(
    cli: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    done = cli("run", "math500-qwen", "--data-dir", data_dir, "--limit", "1")
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1
    assert "preset math500-qwen:" in done.err
    assert "cannot get Qwen/Qwen2.5-Math-7B-Instruct from the hub" in done.err
    assert "check the name and the network, or name the folder of a copy" in done.err


def test_a_preset_whose_models_are_out_of_reach_can_be_planned(
    cli: Any, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is downloaded, and what hangs on a model's shape is not known."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a plan asks the hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    monkeypatch.setenv("COLUMNS", "120")
    given = ("plan", "math500-qwen", "--data-dir", data_dir)
    stages = json.loads(cli(*given, "--json").out)
    pool = next(stage for stage in stages if stage["count"] == 32_000)
    assert (pool["tokens_max"], pool["flops_max"]) == (32_000 * 2048, None)
    out = cli(*given).out
    assert "500 searches" in out
    missing = "finished work was not looked for: qwen2.5-math-7b-instruct, qwen2.5-math-prm-7b"
    assert f"not on this machine, so that {missing}" in out
    refused = cli(*given, "--engine", "vllm", "--device", "h100")
    assert refused.code == 2 and "write --policy qwen2.5-math-7b-instruct,gpu" in refused.err
