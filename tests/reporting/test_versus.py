"""A comparison as sentences, tables, figures and a page."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.analysis.versus import Answers, Pair, Versus, versus
from harness.reporting.page import About
from harness.reporting.versus import power_line, sentence, slice_table, versus_table
from harness.reporting.versus_report import write_versus

ABOUT = About("A against B", "run-benchmark compare RUN", "ab", "", (("prm-harness", "0"),), ())


def made(
    a: str = "A", b: str = "B", won: int = 30, lost: int = 10, task: str = "sums", **more: object
) -> Versus:
    """200 problems at 4 budgets: of each, `won` are solved by a alone and `lost` by b alone."""
    left, right = np.zeros((200, 4)), np.zeros((200, 4))
    left[:won], right[won : won + lost] = 1, 1
    left[100:], right[100:] = 1, 1
    ids, budgets = tuple(f"p{i}" for i in range(200)), (1, 2, 4, 8)
    meta = {"level": {name: str(i % 3) for i, name in enumerate(ids)}}
    sides = Answers(a, ids, budgets, left), Answers(b, ids, budgets, right)
    return replace(versus([Pair(task, "accuracy", *sides, meta)])[0], **more)


def test_the_sentence_of_a_paper() -> None:
    assert sentence(made()).replace("\u00a0", " ") == (
        "On sums, of 8 candidates, A picks a right solution on 10.0 points more problems than B "
        "(95 % interval 3.8 to 16.1, n = 200, p = 0.0089, Holm over 4 budgets)."
    )


def test_the_leader_is_named_first_whichever_side_it_is() -> None:
    turned = sentence(made(won=10, lost=30)).replace("\u00a0", " ")
    assert "B picks a right solution on 10.0 points more problems than A" in turned
    assert "interval 3.8 to 16.1" in turned


def test_no_difference_is_called_so_with_what_it_would_need() -> None:
    text = sentence(made(won=12, lost=10)).replace("\u00a0", " ")
    assert text.startswith("On sums, of 8 candidates, A and B cannot be told apart: A picks")
    assert "interval −3.7 to 5.7" in text
    assert text.endswith("A difference of 1.0 points needs 9,324 problems for a power of 80 %.")


def test_the_power_line_answers_what_is_asked() -> None:
    line = power_line(made(), 0.05).replace("\u00a0", " ")
    assert "200 problems can separate differences above 9.0 points" in line
    assert "correlate over problems by" in line
    assert "A difference of 5.0 points needs 651 problems" in line
    assert "5.0 points" not in power_line(made())


def test_tables_say_what_was_tested() -> None:
    table = versus_table([made()])
    assert len(table.rows) == 4
    cells = {c.header: cell.text for c, cell in zip(table.columns, table.rows[-1], strict=True)}
    assert (cells["points"], cells["only first"], cells["only second"]) == ("+10.0", "30.0", "10.0")
    assert cells["verdict"] == "A ahead"
    assert "mcnemar-exact; Holm over 4 tests" in table.notes[0]
    parts = slice_table([made()])
    assert parts is not None
    assert [row[2].text for row in parts.rows] == ["0", "1", "2"]
    assert slice_table([made(slices=())]) is None


def test_files_hold_every_number_and_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    found = [made(), made(task="code", slices=())]
    report = write_versus(found, ABOUT, tmp_path / "one", 0.02)
    write_versus(found, ABOUT, tmp_path / "two", 0.02)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    with (tmp_path / "one" / "versus.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 4 + 3 + 4
    last = rows[3]
    assert float(last["difference"]) == pytest.approx(0.1)
    assert (last["only_a"], last["only_b"], last["n_problems"]) == ("30.0", "10.0", "200")
    names = {figure.name for figure in report.figures}
    assert names == {"tasks", "versus-sums", "breakdown-sums", "versus-code"}
    for figure in report.figures:
        with Image.open(figure.png) as image:
            assert image.width > 600
        assert "points" in figure.alt.lower()


def test_names_and_values_are_text_in_every_file(tmp_path: Path) -> None:
    attack = "<script>window.broken=1</script> \x1b[31m {{ 7*7 }} $x$ _y"
    found = made(a=attack, b="</title><img src=x onerror=alert(1)>", task="../../" + attack)
    report = write_versus(
        [found], replace(ABOUT, title=attack, facts=((attack, attack),)), tmp_path
    )
    html = report.page.read_text()
    assert "<script>window" not in html
    assert "<img src=x" not in html
    assert "\x1b" not in html
    assert "{{ 7*7 }}" in html
    assert not re.search(r"(src|href)=[\"']?(https?:|//)", html)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "figures",
        "index.html",
        "tables",
        "versus.csv",
    ]
    for path in (tmp_path / "figures").iterdir():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name)


def test_a_comparison_without_a_result_is_said_to_be_one(tmp_path: Path) -> None:
    ids = ("p0", "p1")
    none = np.full((2, 1), np.nan)
    sides = Answers("A", ids, (4,), none), Answers("B", ids, (4,), none)
    found = versus([Pair("sums", "accuracy", *sides)])
    report = write_versus(found, ABOUT, tmp_path)
    assert report.sentences == ("On sums A and B share no problem with a result.",)
    assert report.figures == ()
