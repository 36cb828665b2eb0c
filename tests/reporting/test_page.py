"""The page: what it holds, and that a real browser opens it without harm.

The browser tests drive an installed Chromium through playwright, with no network, and are skipped
where either is missing.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.reporting.page import About, page_html
from harness.reporting.report import Report, write_report
from harness.reporting.sample import Sample, SampleCandidate
from harness.reporting.tables import all_tables
from tests.browsing import Opened
from tests.reporting.report_rows import first_error_rows, row, samples, selection_rows

ATTACKS = (
    "</script><script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    "--><!--<script>",
    "\u202ethgir ot tfel\u2066",
    "nul\x00 escape\x1b[31m separators\u2028\u2029 half\ud800",
    "{{ 7 * 7 }} {% raw %} ${window.broken = 1} 'quote' \"quote\" &amp; `tick`",
    "javascript:window.broken=1",
    "w" * 200_000,
)
ABOUT = About(
    title="A run",
    command="run-benchmark run embedded --out 'runs/a b'",
    digest="ab" * 32,
    date="2026-11-20",
    versions=(("prm-harness", "0.1.0"), ("torch", "2.13.0")),
    facts=(("machine", "2 cores"),),
)
NO_COST: dict[str, Any] = {"policy_tokens": None, "seconds_per_problem": None}
ROWS = selection_rows(("chain_arithmetic",)) + first_error_rows()


def hostile_sample(number: int, text: str) -> Sample:
    candidates = tuple(
        SampleCandidate(
            index=i,
            steps=(text, f"{text} again"),
            step_scores=(0.9 - i, -3.5) if number % 2 else (0.9, 0.2),
            score=0.9 - i,
            verdict="wrong" if i else "correct",
            answer=text,
            finish="length",
            chosen_by=(text[:60],) if i == 0 else (),
        )
        for i in range(2)
    )
    return Sample(
        text[:80], "p", text[:80], "min", f"{number} {text[:80]}", text, text, candidates, 2
    )


def hostile_report(folder: Path) -> Report:
    names = [text[:80] for text in ATTACKS]
    rows = [
        row(task=name, policy=name, prm=name, method=name, aggregation=name, flops=None, **NO_COST)
        for name in names[:2]
    ]
    rows += [row(task=names[0], prm=name, method=name, **NO_COST) for name in names]
    about = replace(
        ABOUT,
        title=" ".join(names),
        command="\n".join(names),
        facts=tuple((name, name) for name in names),
        versions=tuple((name, name) for name in names),
    )
    shown = [hostile_sample(i, text) for i, text in enumerate(ATTACKS)]
    return write_report(rows, (), shown, about, folder)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return write_report(ROWS, (), samples(), ABOUT, tmp_path_factory.mktemp("report"))


# --- without a browser ---------------------------------------------------------------------------


class Outline(HTMLParser):
    """Collects what the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def test_page_is_self_contained(report: Report) -> None:
    outline = Outline(report.page.read_text())
    assert not outline.of("link", "iframe", "object", "embed", "base", "form")
    assert all("src" not in script for script in outline.of("script"))
    assert all((image["src"] or "").startswith("data:image/") for image in outline.of("img"))
    assert all((link["href"] or "").startswith("#") for link in outline.of("a"))


def test_policy_forbids_the_network_and_foreign_scripts(report: Report) -> None:
    (policy,) = [
        meta["content"] or ""
        for meta in Outline(report.page.read_text()).of("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy and "http" not in policy


def test_page_is_accessible(report: Report) -> None:
    outline = Outline(report.page.read_text())
    assert outline.of("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert all(len(image["alt"] or "") > 40 for image in outline.of("img"))
    labelled = {label["for"] for label in outline.of("label") if "for" in label}
    assert {one["id"] for one in outline.of("input")} <= labelled


def test_page_says_what_was_run(report: Report) -> None:
    text = report.page.read_text()
    assert "run-benchmark run embedded --out &#39;runs/a b&#39;" in text
    for part in (ABOUT.digest, ABOUT.date, "torch&nbsp;2.13.0", "2 cores"):
        assert part in text


def test_every_line_and_figure_is_in_the_page(report: Report) -> None:
    outline = Outline(report.page.read_text())
    lines = sum(len(table.rows) for table in report.tables)
    assert len(outline.of("tr")) == lines + len(report.tables)
    assert len(outline.of("img")) == len(report.figures) - 1  # the overview repeats two of them


def test_missing_figures_are_named(tmp_path: Path) -> None:
    rows = [row(seconds_per_problem=None)]
    text = write_report(rows, (), (), ABOUT, tmp_path).page.read_text()
    assert "Not drawn: Accuracy against measured seconds: chain_arithmetic" in text
    assert 'id="samples"' not in text


def test_an_empty_run_makes_a_page(tmp_path: Path) -> None:
    made = write_report((), (), (), ABOUT, tmp_path)
    assert "The run has no results yet." in made.page.read_text()


def test_same_input_same_bytes(tmp_path: Path) -> None:
    rows = [row(**NO_COST), row(prm="p", method="best_of_n", **NO_COST)]
    one, other = (write_report(rows, (), samples(), ABOUT, tmp_path / name) for name in "ab")
    assert one.page.read_bytes() == other.page.read_bytes()


def test_mixed_runs_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="report each run by itself"):
        write_report([row(), row(run_digest="1" * 64)], (), (), ABOUT, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_two_hundred_samples_stay_below_five_megabytes(report: Report) -> None:
    text = "So the next value is 47 plus 38, which makes 85, and we go on from there. " * 10
    shown = []
    for one in samples(problems=100, candidates=48):
        longer = tuple(
            replace(c, steps=tuple(f"{text}{step}" for step in c.steps)) for c in one.candidates
        )
        shown.append(replace(one, candidates=longer))
    html = page_html(ABOUT, all_tables(ROWS), report.figures, (), shown)
    assert len(shown) == 200 and len(html) < 5_000_000


def test_library_keeps_its_licence(report: Report) -> None:
    assert "Permission is hereby granted, free of charge" in report.page.read_text()


def test_nothing_heavy_is_loaded_before_it_is_used() -> None:
    heavy = ("pandas", "pyarrow", "matplotlib", "jinja2", "rich", "torch", "numpy")
    code = (
        "import sys, harness.reporting.report, harness.reporting.frames\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- in a browser --------------------------------------------------------------------------------


def column(opened: Opened, number: int) -> list[str]:
    return opened.page.locator(f"#table-1 tbody tr td:nth-child({number})").all_inner_texts()


@pytest.fixture
def opened(browser: Any, report: Report) -> Iterator[Opened]:
    one = Opened(browser, report.page)
    yield one
    one.context.close()


def test_browser_opens_it_without_complaint_or_network(opened: Opened) -> None:
    assert opened.complaints == []
    assert opened.reached <= {"file", "data"}
    broken = "[...document.images].filter((i) => !i.complete || !i.naturalWidth).length"
    assert opened.page.evaluate(broken) == 0


def test_browser_sorts_by_value_and_unknown_comes_last(opened: Opened) -> None:
    header = opened.page.locator("#table-1 th", has_text="accuracy")
    header.click()
    up = [float(text) for text in column(opened, 7)]
    assert up == sorted(up)
    header.press("Enter")
    down = [float(text) for text in column(opened, 7)]
    assert down == sorted(up, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    smaller = opened.page.locator("#table-1 th", has_text="FLOPs")
    smaller.click()
    prm_tokens = opened.page.locator("#table-1 th", has_text="PRM tokens")
    for _ in range(2):
        prm_tokens.press(" ")
        texts = column(opened, 13)
        assert texts[-3:] == ["–"] * 3 and "–" not in texts[:-3]
    assert opened.complaints == []


def test_browser_filters_by_words_in_any_column(opened: Opened) -> None:
    opened.page.get_by_label("Filter").first.fill("best_of math-")
    visible = opened.page.locator("#table-1 tbody tr:visible")
    assert [text.split("\t")[2:4] for text in visible.all_inner_texts()] == [
        ["best_of_n", "math-large"],
        ["best_of_n", "math-small"],
    ]
    assert opened.page.locator("output").first.inner_text() == "2 of 11 lines"


def test_browser_shows_a_sample(opened: Opened) -> None:
    viewer = opened.page.locator("#viewer")
    assert "a=47+38;b=20+a;b?" in viewer.inner_text()
    assert "8 of 64 candidates shown" in viewer.inner_text()
    cards = viewer.locator("details")
    assert cards.count() == 8
    first = cards.first.inner_text()
    for part in ("score 0.837", "✓ correct", "answer 105", "chosen by best_of_n", "0.930"):
        assert part in first
    assert "? ungraded" in viewer.inner_text() and "✗ wrong" in viewer.inner_text()
    colours = viewer.locator("li").evaluate_all("items => items.map(i => i.style.backgroundColor)")
    assert len(set(colours)) > 3 and all(colour.startswith("rgba(") for colour in colours)


def test_browser_moves_between_samples_and_keeps_the_prm(opened: Opened) -> None:
    page = opened.page
    page.get_by_label("PRM").select_option(label="math-small (min)")
    page.get_by_role("button", name="Next").press("Enter")
    assert page.get_by_label("Problem").evaluate("s => s.selectedOptions[0].text") == (
        "chain_arithmetic/1"
    )
    assert page.get_by_label("PRM").evaluate("s => s.selectedOptions[0].text") == "math-small (min)"
    assert page.url.endswith("#sample-3")
    page.reload()
    assert "a=48+40" in page.locator("#viewer").inner_text()
    assert opened.complaints == []


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_page_fits_its_window(
    browser: Any, report: Report, width: int, scheme: str
) -> None:
    one = Opened(
        browser, report.page, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    assert one.page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = one.page.evaluate(
        "(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))"
    )
    bright = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (bright[0] > bright[1]) == (scheme == "dark")
    one.context.close()


def test_browser_is_not_fooled_by_hostile_text(browser: Any, tmp_path: Path) -> None:
    made = hostile_report(tmp_path / "report")
    one = Opened(browser, made.page)
    for index in range(len(ATTACKS)):
        one.page.goto(f"{made.page.as_uri()}#sample-{index}")
        assert one.page.evaluate("window.broken") is None
        shown = one.page.locator("#viewer").inner_text()
        assert "✗ wrong" in shown and "cut at the token limit" in shown
    assert one.complaints == []
    assert one.reached <= {"file", "data"}
    assert one.page.evaluate("document.scripts.length") == 3
    assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    one.page.goto(f"{made.page.as_uri()}#sample-0")
    assert "</script><script>window.broken = 1" in one.page.locator("#viewer").inner_text()
    one.context.close()


def test_browser_shows_no_verdict_where_none_was_asked_for(browser: Any, tmp_path: Path) -> None:
    one = samples(problems=1, candidates=1)[0]
    bare = replace(one.candidates[0], verdict=None, step_scores=None, score=None, chosen_by=())
    path = tmp_path / "index.html"
    path.write_text(page_html(ABOUT, (), (), (), [replace(one, policy="", candidates=(bare,))]))
    shown = Opened(browser, path)
    text = shown.page.locator("#viewer").inner_text()
    assert "score –" in text and "a=47+38=85" in text
    assert not any(word in text for word in ("ungraded", "wrong", "correct", "answer 105"))
    assert shown.page.get_by_label("Task").evaluate("s => s.value") == "chain_arithmetic"
    assert shown.complaints == []
    shown.context.close()
