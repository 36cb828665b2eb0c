"""Accuracy beside the score of what is chosen: which pools get a figure, and what it says."""

from __future__ import annotations

from pathlib import Path

from harness.reporting.proxy_figures import write_proxy_figures
from harness.types import ResultRow
from tests.reporting.report_rows import row, selection_rows


def scores(prm: str, scale: float = 1.0) -> list[ResultRow]:
    return [
        row(
            prm=prm,
            method="best_of_n",
            aggregation="min",
            headline=False,
            metric="chosen_score",
            budget=n,
            value=scale * (0.4 + 0.05 * i),
            ci_low=scale * (0.38 + 0.05 * i),
            ci_high=scale * (0.42 + 0.05 * i),
        )
        for i, n in enumerate((1, 2, 4, 8, 16, 32, 64))
    ]


def test_one_figure_per_pool_with_every_prm_that_has_both(tmp_path: Path) -> None:
    rows = [*selection_rows(), *scores("math-large"), *scores("code", 30.0)]
    figures = write_proxy_figures(rows, tmp_path)
    assert [figure.name for figure in figures] == ["chain_arithmetic-tiny-proxy"]
    alt = figures[0].alt
    assert "math-large: accuracy 41.0 to 86.8, score 0.4 to 0.7" in alt
    assert "code: accuracy" in alt and "score 12 to 21" in alt
    assert "math-small" not in alt
    assert figures[0].png.exists() and b"<svg" in figures[0].svg.read_bytes()


def test_nothing_to_compare_nothing_drawn(tmp_path: Path) -> None:
    assert write_proxy_figures(selection_rows(), tmp_path / "none") == ()
    lone = [one for one in scores("math-large") if one.budget == 1]
    assert write_proxy_figures([*selection_rows(), *lone], tmp_path / "none") == ()
    assert not (tmp_path / "none").exists()
