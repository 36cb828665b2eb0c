"""PRMs read the solutions that come with a task as they read a policy's own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from scipy.stats import spearmanr

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from harness.embedded import datasets, prms  # noqa: E402
from harness.embedded.samples import Sample  # noqa: E402
from harness.embedded.shapes import WEIGHTS  # noqa: E402
from harness.store.format import RunFolder, read_scores  # noqa: E402
from harness.store.sweepfile import read_sweep  # noqa: E402

METHOD = "solution_scores"


def test_given_steps_are_read_at_their_line_ends(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The run's scores equal those of the training code, which joins steps with line ends."""
    out = tmp_path / "out"
    done = cli(
        "run", "--task", "chain_errors", "--prm", "prm-math-small", "--limit", "40", "--out", out
    )
    assert done.code == 0, done.err
    kind = transformers.AutoModelForTokenClassification
    model = kind.from_pretrained(WEIGHTS / "prm-math-small", dtype=torch.float32).eval()
    rows = {row["id"]: row for row in datasets.shipped("chain_errors")}
    run = RunFolder(out)
    sweep = read_sweep(run)
    compared = 0
    for entry in sweep.scores:
        for problem, _, scores in read_scores(sweep.scores_path(run, entry)):
            row = rows[problem]
            item = Sample(row["domain"], row["problem"], tuple(row["steps"]), -1)
            assert scores is not None
            assert scores.values == pytest.approx(prms.score(model, [item])[0], abs=1e-4)
            compared += 1
    assert compared == 80
    with (out / "results.csv").open(newline="") as file:
        told = {(r["task"], r["metric"]): r for r in csv.DictReader(file) if r["method"] == METHOD}
    assert len(told) == 2 * 6  # in steps and characters, of all, right and wrong ones
    for entry in sweep.scores:
        task = sweep.pool(entry.pool).task
        for among in ("right", "wrong"):
            own = [
                (min(scores.values), len(rows[problem]["steps"]))
                for problem, _, scores in read_scores(sweep.scores_path(run, entry))
                if scores is not None and (rows[problem]["label"] < 0) == (among == "right")
            ]
            found = told[task, f"length_steps_{among}"]
            assert float(found["value"]) == pytest.approx(spearmanr(*zip(*own, strict=True))[0])
            assert (found["aggregation"], found["n_problems"]) == ("min", "40")
