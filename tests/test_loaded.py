"""`harness.load_run`: frames that say what a run's files say, and the notebook that uses it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.config import Sweep
from harness.errors import DataError
from harness.loaded import Run
from harness.registry import open_policy
from harness.runner.evaluate import evaluate
from harness.runner.execute import execute
from harness.runner.plan import make_plan
from harness.runner.progress import Silent
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder
from tests.conftest import ROOT, write_script, write_sums

NOTEBOOK = ROOT / "docs" / "figure.ipynb"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """12 problems, 4 candidates and a greedy one, two PRMs."""
    place = tmp_path_factory.mktemp("loaded")
    settings = Sweep(
        tasks=("sums",),
        include=(str(write_sums(place)),),
        policies=(f"fake:{write_script(place)}",),
        prms=("fake:oracle", "fake:constant"),
        methods=("greedy", "majority", "best_of_n"),
        samples=4,
    )
    truth = RunTruth()
    plan = make_plan(settings, None, open_policy, truth.open_prm)
    execute(plan, place / "run", truth, Silent(), [])
    return harness.load_run(place / "run")


def test_the_public_names() -> None:
    assert sorted(harness.__all__) == ["__version__", "load_run"]


def test_results_are_those_of_the_report(run: Run) -> None:
    frame, rows = run.results(), evaluate(RunFolder(run.path)).rows
    assert len(frame) == len(rows)
    assert frame.value.tolist() == pytest.approx([row.value for row in rows], nan_ok=True)


def test_answers_have_the_accuracies_as_means(run: Run) -> None:
    keys = ["method", "prm", "budget"]
    means = run.answers().fillna({"prm": ""}).groupby(keys).correct.mean()
    rows = run.results().query("metric == 'accuracy' and headline").fillna({"prm": ""})
    assert len(means) == len(rows) == 1 + 3 + 2 * 3
    for row in rows.itertuples():
        assert means[row.method, row.prm, row.budget] == pytest.approx(row.value)


def test_candidates_have_their_grades(run: Run) -> None:
    frame = run.candidates()
    assert len(frame) == 12 * 4 + 12
    pool = frame[~frame.greedy]
    # One, two and three of four are right, on four problems each.
    assert pool.correct.mean() == pytest.approx(0.5)
    assert ((pool.verdict == "correct") == (pool.correct == 1)).all()
    assert (pool.steps == 2).all()
    first = pool[(pool.problem == "s0") & (pool["index"] == 0)].iloc[0]
    assert (first.text, first.answer) == ("step one of 0\nso \\boxed{0}\n", "0")


def test_scores_have_a_row_per_step(run: Run) -> None:
    frame = run.scores()
    assert len(frame) == 2 * 12 * 4 * 2
    oracle = frame[frame.prm == "oracle"].merge(run.candidates().query("not greedy"))
    assert (oracle.score == oracle.correct).all()
    assert set(frame.semantics) == {"p_correct"}


def test_problems_are_there_once(run: Run) -> None:
    frame = run.problems()
    assert frame.problem.tolist() == [f"s{i}" for i in range(12)]
    assert frame.prompt[3] == "3+3=?"
    assert "6" in json.loads(frame.reference[3]) or json.loads(frame.reference[3]) == "6"


@pytest.mark.parametrize("name", ["results", "answers", "problems", "candidates", "scores"])
def test_columns_are_those_that_are_described(run: Run, name: str) -> None:
    """Every column stands in the docstring and in docs/python.md; none holds Python objects."""
    frame = getattr(run, name)()
    described = (getattr(Run, name).__doc__ or "") + (ROOT / "docs" / "python.md").read_text()
    if name != "results":
        for column in frame.columns:
            assert re.search(rf"\b{re.escape(column)}\b", described), column
    assert list(frame.select_dtypes(object)) == []


def test_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no run folder"):
        harness.load_run(tmp_path)


def test_the_notebook_makes_its_figure_in_ten_lines(run: Run, tmp_path: Path) -> None:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line for text in code for line in text.splitlines() if line.strip()]
    assert sum(not line.startswith("import") for line in lines) == 10
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "embedded").symlink_to(run.path)
    code.append("print([line.get_label() for line in plt.gca().lines])")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert {"greedy", "majority", "best_of_n"} == set(json.loads(done.stdout.replace("'", '"')))
    assert (tmp_path / "figure.png").stat().st_size > 10_000
