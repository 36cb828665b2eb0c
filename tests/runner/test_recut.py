"""One PRM, the same solutions, cut in several ways: side by side in one run."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from harness.segment.recut import parse_recut
from harness.store.format import RunFolder, read_scores
from harness.store.sweepfile import read_sweep

pytest.importorskip("torch")
RULES = ("each", "whole", "join:2", "characters:7")


def test_rules_are_compared_side_by_side(cli: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prms = [f"--prm=prm-mixed,steps={rule}" for rule in RULES]
    done = cli(
        "run", "--task", "chain_arithmetic", "--policy", "embedded", *prms, "--limit", "4",
        "--budget", "1,4", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    run, names = RunFolder(out), ["prm-mixed", *(f"prm-mixed,steps={r}" for r in RULES[1:])]
    sweep = read_sweep(run)
    assert [entry.prm for entry in sweep.scores] == names
    steps = {
        (c.problem, c.index): c.draft.steps
        for pool in sweep.pools
        if not pool.greedy
        for c in pool.folder(run).read_candidates()
    }
    seen = []
    for entry, rule in zip(sweep.scores, RULES, strict=True):
        for problem, index, scores in read_scores(sweep.scores_path(run, entry)):
            assert scores is not None
            assert len(scores.values) == len(parse_recut(rule)(steps[problem, index]))
            seen.append((rule, problem, index, scores.values[-1]))
    # All read the same text to its end: the last score is the same whatever came before. (A cut
    # within a word is another text to a tokenizer.)
    for rule, problem, index, last in (one for one in seen if one[0] != "characters:7"):
        expected = next(one[3] for one in seen if one[:3] == ("each", problem, index))
        assert last == pytest.approx(expected, abs=1e-4), rule
    with (out / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = {(row["prm"], row["metric"]) for row in rows if row["method"] == "solution_scores"}
    assert {(name, "solution_auroc") for name in names} <= metrics
    table = (out / "report/tables/recut.md").read_text()
    assert [line.split("|")[4].strip() for line in table.splitlines() if "| prm-mixed" in line] == [
        *RULES
    ]


def test_another_cut_names_no_step_of_a_task(cli: Any, tmp_path: Path) -> None:
    run = ["run", "--task", "chain_errors", "--limit", "2", "--out", tmp_path / "out"]
    done = cli(*run, "--prm", "prm-mixed,steps=join:2")
    assert done.code == 2
    assert "cuts solutions its own way: it names no wrong step" in done.err
    done = cli(*run, "--prm", "prm-mixed,steps=joint:2")
    assert done.code == 2 and "unknown rule for steps 'joint:2'" in done.err


def test_probes_are_held_beside_the_plain_prm(cli: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    names = ["prm-mixed", "prm-mixed,probe=repeat:2", "prm-mixed,probe=filler:1"]
    done = cli(
        "run", "--task", "chain_arithmetic", "--policy", "embedded", "--limit", "4",
        *(f"--prm={name}" for name in names), "--budget", "1,4", "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    run = RunFolder(out)
    sweep = read_sweep(run)
    assert [entry.prm for entry in sweep.scores] == names
    least = [
        {(p, i): min(s.values) for p, i, s in read_scores(sweep.scores_path(run, entry)) if s}
        for entry in sweep.scores
    ]
    wrong = [
        (problem, index)
        for pool in sweep.pools
        if not pool.greedy
        for problem, index, grade in pool.folder(run).read_grades()
        if grade.verdict == "wrong"
    ]
    with (out / "results.csv").open(newline="") as file:
        rows = {(row["prm"], row["metric"]): row for row in csv.DictReader(file)}
    for name, scores in zip(names[1:], least[1:], strict=True):
        moved = [scores[one] - least[0][one] for one in wrong]
        row = rows[name, "probe_change_wrong"]
        assert float(row["value"]) == pytest.approx(sum(moved) / len(moved), abs=1e-6)
        risen = float(rows[name, "probe_rises_wrong"]["value"])
        assert risen == pytest.approx(sum(step > 0 for step in moved) / len(moved))
    assert ("prm-mixed", "probe_change_wrong") not in rows
    table = (out / "report/tables/probe.md").read_text()
    assert "| repeat:2" in table and "| filler:1" in table


def test_a_recording_cannot_be_probed(cli: Any, tmp_path: Path) -> None:
    scores = tmp_path / "scores.jsonl"
    scores.write_text('{"id": "a", "scores": [0.5]}\n')
    done = cli("run", "--task", "chain_errors", "--prm", f"recorded:{scores},probe=repeat:1")
    assert done.code == 2 and "cannot score what probe=repeat:1 adds" in done.err
