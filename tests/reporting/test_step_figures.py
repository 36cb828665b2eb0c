"""Figures of step scores: what is drawn for which curves, and what the words beside them say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.reporting.step_curves import StepCurves
from harness.reporting.step_figures import write_step_figures
from harness.reporting.thresholds import threshold_table
from harness.stats import Judged, Subset, reliability, threshold_curve
from tests.reporting.report_rows import row


def made(prm: str, tasks: tuple[str, ...], probabilities: bool = True) -> list[StepCurves]:
    rng = np.random.default_rng(len(prm))
    curves, subsets = [], []
    for task in tasks:
        items = []
        for i in range(60):
            scores = rng.random(5)
            label = int(rng.integers(0, 5)) if i % 2 else -1
            if label >= 0:
                scores[label] /= 4
            items.append(Judged(tuple(scores), label))
        subset = Subset.of(task, items)
        subsets.append(subset)
        marks = {"first_error": 0.5, "first_error_oracle": 0.3}
        diagram = reliability(items) if probabilities else None
        curve = threshold_curve([subset])
        curves.append(StepCurves(task, (task,), prm, 60, curve, marks, diagram))
    if len(tasks) > 1:
        mean = threshold_curve(subsets)
        curves.append(StepCurves("all", tasks, prm, 120, mean, {"first_error": 0.5}, None))
    return curves


def rows(prms: tuple[str, ...]) -> list:
    place = {"method": "step_scores", "budget": None, "aggregation": None, "task": "all_a"}
    return [
        row(**place, prm=prm, metric=metric, value=0.8, ci_low=0.7, ci_high=0.9)
        for prm in prms
        for metric in ("auroc_step_1", "auroc_steps_3_4")
    ]


def test_one_figure_for_thresholds_one_per_task_for_reliability(tmp_path: Path) -> None:
    curves = made("p", ("all_a", "all_b")) + made("reward", ("all_a", "all_b"), False)
    figures = write_step_figures(rows(("p", "reward")), curves, tmp_path)
    names = ["thresholds", "all_a-reliability", "all_b-reliability", "step_auroc"]
    assert [figure.name for figure in figures] == names
    best, low, high = curves[0].thresholds.plateau()  # type: ignore[union-attr]
    assert f"all_a, p: best {100 * best:.1f}, within 2 points from {low:.4g} to {high:.4g}" in (
        figures[0].alt
    )
    first = curves[0].reliability.overall[0]  # type: ignore[union-attr]
    assert f"{100 * first.score:.0f} → " in figures[1].alt and "reward" not in figures[1].alt
    assert "all_a, reward, step 3–4: 80.0" in figures[3].alt


@pytest.mark.parametrize("count", [1, 4])
def test_hostile_names(tmp_path: Path, count: int) -> None:
    prms = tuple(f"_$\\frac{{1}}$ <{i}>/../" for i in range(count))
    curves = [one for prm in prms for one in made(prm, ("../x\n",))]
    figures = write_step_figures(rows(prms), curves, tmp_path / "in")
    assert len(figures) == 3
    assert {path.parent for path in tmp_path.rglob("*.*")} == {tmp_path / "in"}


def test_without_curves_nothing_is_written(tmp_path: Path) -> None:
    assert write_step_figures(rows(("p",)), (), tmp_path / "none") == ()
    one_kind = StepCurves("t", ("t",), "p", 3, None, {"first_error": 0.5}, None)
    assert write_step_figures([row(prm="p")], [one_kind], tmp_path / "none") == ()
    assert not (tmp_path / "none").exists()


def test_the_table_says_what_the_declared_threshold_loses() -> None:
    place = {"task": "t", "prm": "p", "budget": None, "aggregation": None}
    table = threshold_table(
        [
            row(**place, method="first_error", metric="f1", value=0.5),
            row(**place, method="threshold_curve", metric="best_f1", value=0.625),
            row(**place, method="threshold_curve", metric="plateau_low", value=0.50031),
            row(**place, method="threshold_curve", metric="plateau_high", value=0.50052),
        ]
    )
    assert table is not None
    (cells,) = table.rows
    assert [cell.text for cell in cells] == ["t", "p", "50.0", "62.5", "12.5", "0.5003", "0.5005"]
    assert threshold_table([row()]) is None
