"""Runs with critics: the metric finds what was said, silence is wrong and told, all is paid."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from harness.problems import load

TASK = "chain_errors_arithmetic"


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_first_errors_are_those_that_were_said(cli: Any, tmp_path: Path) -> None:
    (task,) = load(TASK, limit=30, seed=0)
    hits = {True: 0, False: 0}
    totals = {True: 0, False: 0}
    silent, script = 0, tmp_path / "script.jsonl"
    lines = []
    for number, problem in enumerate(task.problems):
        assert isinstance(problem.reference, dict)
        label = problem.reference["label"]
        assert isinstance(label, int)
        said = [f"so \\boxed{{{label}}}", "\\boxed{0}" if label else "\\boxed{1}", "I pass"]
        lines.append({"id": f"{problem.id}/{len(problem.steps)}/0", "texts": [said[number % 3]]})
        totals[label >= 0] += 1
        hits[label >= 0] += number % 3 == 0
        silent += number % 3 == 2
    script.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    prm = f"critic:processbench,model=fake:{script}"
    done = cli("run", "--task", TASK, "--limit", "30", "--prm", prm, "--out", out)
    assert done.code == 0, done.err
    found = {r["metric"]: r for r in rows(out) if r["method"] == "first_error"}
    wrong, right = hits[True] / totals[True], hits[False] / totals[False]
    assert float(found["acc_error"]["value"]) == pytest.approx(wrong)
    assert float(found["acc_correct"]["value"]) == pytest.approx(right)
    assert float(found["f1"]["value"]) == pytest.approx(2 * wrong * right / (wrong + right))
    assert float(found["unparsed"]["value"]) == pytest.approx(silent / 30)
    assert int(found["unparsed"]["n_problems"]) == 30
    assert found["f1"]["prm"] == "processbench by script"
    assert "Answers without a verdict, in percent: processbench by script" in done.out
    # A character of a fake policy is a token: what was written is paid for, read or not.
    ledger = next(out.glob("scores/*.ledger.jsonl")).read_text().splitlines()[1:]
    spent = [n for line in ledger for n in json.loads(line)["usage"].values()]
    written = sum(len(str(line["texts"][0])) for line in lines)
    assert sum(one[3] for one in spent) == written
    paid = sum(one[1] + one[3] for one in spent) / 30
    assert float(found["f1"]["prm_tokens"]) == pytest.approx(paid)


def test_a_real_writer_runs_from_end_to_end(cli: Any, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out = tmp_path / "out"
    critic = "critic:think-prm,model=[embedded,batch=32],max_tokens=4"
    arguments = ["run", "--task", "chain_arithmetic", "--limit", "1", "--policy", "embedded"]
    arguments += ["--method", "best_of_n", "--budget", "2", "--prm", f"{critic},name=t"]
    done = cli(*arguments, "--out", out)
    assert done.code == 0, done.err
    wanted = ("last", "2", "accuracy")
    (found,) = [r for r in rows(out) if (r["aggregation"], r["budget"], r["metric"]) == wanted]
    assert float(found["flops"]) > 0 and float(found["prm_tokens"]) > 2 * 4
    done = cli("run", "--task", TASK, "--limit", "2", "--prm", critic, "--out", tmp_path / "no")
    assert done.code == 2 and "tell a critic per=prefix" in done.err
