"""A board's page in a real Chromium: it works from a file, alone, with keyboard, phone and dark.

Screenshots are kept in the folder that HARNESS_ARTEFACTS names, or in the test's own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from harness.boards.site import page_html, write
from harness.boards.site.payload import board_json
from harness.boards.standing import Board, Card, Link, Value
from tests.boards.synthetic import board
from tests.browsing import Opened

ATTACKS = (
    "</script><script>window.broken = 1</script>",
    "<img src=x onerror='window.broken = 1'>",
    "--><!--<script>",
    "\u202ethgir ot tfel\u2066",
    "nul\x00 escape\x1b[31m separators\u2028\u2029 half\ud800",
    "{{ 7 * 7 }} {% raw %} ${window.broken = 1} 'quote' \"quote\" &amp; `tick`",
    "javascript:window.broken=1",
    "w" * 20_000,
)
LINK = "#v=3&choose=prm-003&choose=prm-004&choose=cited-0&compare=prm-003"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(board(), tmp_path_factory.mktemp("board"))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(board(500, samples=20), tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("HARNESS_ARTEFACTS") or tmp_path_factory.mktemp("artefacts"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def opened(browser: Any, page: Path) -> Iterator[Opened]:
    one = Opened(browser, page, viewport={"width": 1400, "height": 1000})
    yield one
    assert one.complaints == [] and one.reached == {"file"}
    one.context.close()


def names(opened: Opened, section: str = "ranked") -> list[str]:
    # Not the inner text: a browser leaves out the layout of rows that are out of sight.
    found = opened.page.locator(f"#table tbody.{section} button.name").all_text_contents()
    return list(found)


def leave(opened: Opened) -> None:
    """Close the dialog. The page hears of it a moment later, and forgets whose it was."""
    opened.page.keyboard.press("Escape")
    opened.page.wait_for_url(lambda url: "prm=" not in url and "compare=" not in url)


def heading(opened: Opened, title: str) -> Any:
    return opened.page.locator("#table thead button", has_text=re.compile(f"^{re.escape(title)}$"))


# --- without a browser ---------------------------------------------------------------------------


def test_page_holds_all_that_it_needs_and_may_fetch_nothing() -> None:
    html = page_html(board())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "http" not in policy and "connect" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert not re.findall(r"<(?:link|iframe|object|embed|base|form|img)\b", html)
    assert not re.findall(r"<script[^>]*\bsrc=", html)
    assert "sourceMappingURL=" not in html


@pytest.mark.parametrize("library", ["TanStack", "Observable", "Mike Bostock"])
def test_libraries_keep_their_licences(library: str) -> None:
    html = page_html(board(2))
    assert library in html
    assert html.count("Permission to use, copy, modify, and/or distribute this software") == 2
    assert html.count("Permission is hereby granted, free of charge") == 1


def test_same_board_same_page() -> None:
    assert page_html(board()) == page_html(board())


def test_five_hundred_rows_stay_below_five_megabytes(large: Path) -> None:
    assert large.stat().st_size < 5_000_000


def test_what_does_not_fit_is_left_out_and_said() -> None:
    full, small = board_json(board()), board_json(board(), 100_000)
    assert '"omitted":{"samples":0,"paired":25,"paired_by_column":25}' in full
    assert len(small) <= 100_000 < len(full)
    less = json.loads(small)["omitted"]
    assert less["paired"] == 25 > less["paired_by_column"] > 8  # those of the score go last
    few = json.loads(board_json(board(), 66_000))
    assert few["omitted"]["samples"] > 0 and few["omitted"]["paired"] < 25
    for shown, kept in (
        ([few["pairs"]], few["omitted"]["paired"]),
        (few["column_pairs"].values(), few["omitted"]["paired_by_column"]),
    ):
        pairs = kept * (kept - 1) // 2
        assert {len(column) for own in shown for column in own.values()} == {pairs}


# --- in a browser --------------------------------------------------------------------------------


def test_opens_from_a_file(opened: Opened, artefacts: Path) -> None:
    assert opened.page.title() == "Synthetic board"
    assert opened.page.locator("#count").inner_text() == "31 of 31 entries"
    assert [row.place.rank for row in board().ranked if row.place] == list(range(1, 26))
    assert names(opened) == [entry.name for entry in board().ranked]
    assert opened.page.locator("#scatter .points circle").count() == 24
    opened.page.screenshot(path=artefacts / "board-light.png", full_page=True)


def test_sorts_by_value_with_unknown_last(opened: Opened) -> None:
    title = heading(opened, "First error F1")
    title.click()
    values = opened.page.locator("#table tbody.ranked .task:nth-last-child(3)").all_inner_texts()
    shown = [text.split()[0] for text in values]
    assert shown[-1] == "–" and "–" not in shown[:-1]
    numbers = [float(text) for text in shown[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    cell = opened.page.locator("#table thead [role=columnheader][aria-sort]")
    assert cell.get_attribute("aria-sort") == "descending"
    title.press("Enter")
    assert cell.get_attribute("aria-sort") == "ascending"
    assert opened.page.locator("#table tbody.ranked .task").last.inner_text() == "–"
    assert cell.count() == 1 and "sort=c5" in opened.page.url


def test_cited_entries_never_stand_among_ranked_ones(opened: Opened) -> None:
    for title in ("MATH-500", "PRM", "Trust", "Score"):
        heading(opened, title).click()
        sections = opened.page.locator("#table tbody").evaluate_all("t => t.map(b => b.className)")
        assert sections == ["ranked", "reference", "published"]
        assert all(name.startswith("Zenith") for name in names(opened, "published"))
        ranks = opened.page.locator("#table tbody:not(.ranked) td.rank").all_inner_texts()
        assert set(ranks) == {"–"}


def test_tie_groups_are_shaded_and_ranks_have_intervals(opened: Opened) -> None:
    rows = opened.page.locator("#table tbody.ranked tr")
    shades = rows.evaluate_all("rows => rows.map(r => getComputedStyle(r).backgroundColor)")
    groups = [entry.place.group for entry in board().ranked if entry.place]
    assert [a == b for a, b in pairwise(shades)] == [a == b for a, b in pairwise(groups)]
    place = board().ranked[0].place
    assert place is not None
    said = rows.first.locator("td.rank").text_content()
    assert said == f"1{place.rank_low}–{place.rank_high}, tie group {place.group}"


def test_searches_and_filters(opened: Opened) -> None:
    search = opened.page.get_by_label("Search")
    search.fill("borealis 72b")
    assert names(opened) == ["Borealis-PRM-72B"]
    assert opened.page.locator("#count").text_content() == "1 of 31 entries"
    search.fill("math-shepherd")  # what it was trained on
    assert 0 < len(names(opened)) < 25
    opened.page.get_by_role("button", name="Clear filters").click()
    opened.page.locator("#pick-trust").select_option("published")
    assert names(opened) == [] and len(names(opened, "published")) == 4
    opened.page.locator("#pick-trust").select_option("")
    opened.page.locator("#pick-domain").select_option("code")
    coded = [e.name for e in board().ranked if "code" in e.card.training_domains]
    assert names(opened) == coded
    assert opened.page.locator("#scatter .points circle").count() == len(coded)
    search.fill("no such thing")
    assert "Nothing matches" in (opened.page.locator("#table").text_content() or "")


def test_columns_are_chosen(opened: Opened) -> None:
    assert heading(opened, "GSM8K").count() == 1 and heading(opened, "seconds").count() == 0
    opened.page.locator("#columns summary").click()
    opened.page.locator("#columns").get_by_label("GSM8K").uncheck()
    opened.page.locator("#columns").get_by_label("seconds").check()
    assert heading(opened, "GSM8K").count() == 0 and heading(opened, "seconds").count() == 1
    opened.page.keyboard.press("Escape")
    assert not opened.page.locator("#column-list").is_visible()


def test_columns_of_one_title_name_their_tasks(browser: Any, tmp_path: Path) -> None:
    made = board(2)
    more = tuple(replace(c, id=f"{c.id}/{i}", ranked=False) for i in "ab" for c in made.columns)
    path = write(replace(made, columns=(*more, *made.columns)), tmp_path)
    one = Opened(browser, path)
    shown = one.page.locator("#table thead .task button").all_inner_texts()
    assert [text.split() for text in shown][:2] == [["math500", "MATH-500"], ["gsm8k", "GSM8K"]]
    # Of many columns those that count, and the main figure of a pool that does not (three times).
    assert len(shown) == 5 + 3
    one.page.locator("#columns summary").click()
    assert one.page.locator("#columns").get_by_label("gsm8k, GSM8K").count() == 3
    assert one.complaints == []
    one.context.close()


def test_a_row_opens_its_details(opened: Opened, artefacts: Path) -> None:
    entry = board().ranked[5]
    opened.page.locator(f"tr[data-id={entry.id}] .trust").click()
    dialog = opened.page.get_by_role("dialog", name=entry.name)
    text = dialog.inner_text()
    place = entry.place
    assert place is not None
    assert f"rank 6 (the data allow {place.rank_low} to {place.rank_high}) of 25" in text
    for part in (
        entry.card.command,
        entry.card.revision,
        "p_correct",
        "none known",
        "1 GPU, 80 GB",
    ):
        assert part in text
    assert dialog.locator("svg[aria-label^='Reliability on process: score 0.05']").count() == 1
    assert dialog.locator("svg[aria-label^='Figures of']").count() == 1
    dialog.get_by_text("MATH-500, by level").click()
    assert dialog.get_by_role("row").filter(has_text="Number theory").count() == 0
    assert dialog.locator("details[open] tbody tr").count() == 5
    opened.page.screenshot(path=artefacts / "board-details.png")
    leave(opened)
    assert not dialog.is_visible()


def test_the_keyboard_alone_opens_and_closes_details(opened: Opened) -> None:
    name = opened.page.get_by_role("button", name=board().ranked[2].name, exact=True)
    name.press("Enter")
    dialog = opened.page.get_by_role("dialog")
    assert dialog.is_visible()
    assert opened.page.evaluate("document.activeElement.id") == "details-title"
    dialog.get_by_role("button", name="Next entry").press("Enter")
    opened.page.keyboard.press("Enter")
    assert dialog.get_by_role("heading", level=2).inner_text() == board().ranked[4].name
    leave(opened)
    assert name.evaluate("e => e === document.activeElement")


def test_skip_link_comes_first(opened: Opened) -> None:
    opened.page.keyboard.press("Tab")
    assert opened.page.evaluate("document.activeElement.textContent") == "Skip to the standings"
    opened.page.keyboard.press("Enter")
    assert opened.page.evaluate("document.activeElement.id") == "standings"


def test_the_command_is_copied(browser: Any, page: Path) -> None:
    one = Opened(
        browser, page, "#v=3&prm=prm-003", permissions=["clipboard-read", "clipboard-write"]
    )
    button = one.page.get_by_role("button", name="Copy command")
    button.click()
    one.page.get_by_role("button", name="Copied").wait_for()
    copied = one.page.evaluate("navigator.clipboard.readText()")
    assert copied == next(e.card.command for e in board().entries if e.id == "prm-003")
    one.context.close()


def test_samples_show_steps_by_score_with_verdicts(opened: Opened) -> None:
    opened.page.locator("tr[data-id=prm-003] .rank").click()
    dialog = opened.page.get_by_role("dialog")
    viewer = dialog.locator(".viewer")
    assert "Ana buys 12 pencils" in viewer.inner_text()
    cards = viewer.locator("details.candidate")
    scores = [float(t.split()[1]) for t in cards.locator("summary .number").all_inner_texts()]
    assert cards.count() == 6 and scores == sorted(scores, reverse=True)
    for one in cards.all():
        one.evaluate("e => { e.open = true }")
    text = viewer.inner_text()
    assert "✓ correct" in text and "✗ wrong" in text and "? ungraded" in text
    assert "✗ first wrong step, as labelled" in text
    colours = viewer.locator("li").evaluate_all("items => items.map(i => i.style.backgroundColor)")
    assert len(set(colours)) > 5 and all(colour.startswith("rgba(") for colour in colours)
    dialog.get_by_role("button", name="Next →").click()
    assert "remainder when" in viewer.inner_text() and "sample=gsm8k%2F1" in opened.page.url


def test_chosen_entries_are_compared(opened: Opened, artefacts: Path) -> None:
    a, b = board().ranked[0], board().ranked[12]
    cited = next(e for e in board().entries if e.trust == "published")
    for entry in (a, b, cited):
        opened.page.get_by_label(f"Compare {entry.name}", exact=True).check()
    opened.page.get_by_role("button", name="Compare 3").click()
    dialog = opened.page.get_by_role("dialog", name="Comparison")
    pair = next(p for p in board().pairs if (p.a, p.b) == (a.id, b.id))
    text = dialog.inner_text()
    size = f"−{100 * pair.difference:.1f} points [−{100 * pair.high:.1f}, −{100 * pair.low:.1f}]"
    assert f"{b.name} scores lower than {a.name}: {size}, p < 0.001 after Holm." in text
    assert f"{cited.name} and {a.name}: at least one is cited, so nothing is paired." in text
    # On MATH-500 the interval excludes 0, and Holm's correction does not follow.
    for place, title, kind, word in (
        (0, "MATH-500", ".paired", "not told apart"),
        (3, "HumanEval+", ".worse", "lower"),
    ):
        own = pair.columns[place]
        row = dialog.get_by_role("row").filter(has_text=title)
        size = f"−{100 * own.difference:.1f} points [−{100 * own.high:.1f}, −{100 * own.low:.1f}]"
        assert row.locator("td").nth(1).locator(kind).inner_text() == f"{size}\n{word}"
        assert row.locator("td").nth(2).locator(".apart").count() == 0
    # No part of the score, so nothing is paired.
    row = dialog.get_by_role("row").filter(has_text="First error F1")
    assert re.fullmatch(r"[+−]\d+\.\d points", row.locator("td .apart").inner_text())
    opened.page.screenshot(path=artefacts / "board-compare.png")
    dialog.get_by_label("Against").select_option(b.id)
    assert f"{a.name} scores higher than {b.name}: +" in dialog.inner_text()
    leave(opened)
    opened.page.get_by_role("button", name="Clear", exact=True).click()
    assert not opened.page.locator("#tray").is_visible()


def test_entries_of_one_tie_group_are_not_told_apart(browser: Any, page: Path) -> None:
    a, b = board().ranked[:2]
    one = Opened(browser, page, f"#v=3&choose={a.id}&choose={b.id}&compare={a.id}")
    text = one.page.get_by_role("dialog").inner_text()
    assert f"{b.name} and {a.name} are not told apart: −" in text
    row = one.page.get_by_role("row").filter(has_text="MATH-500")
    assert row.locator(".paired .word").inner_text() == "not told apart"
    one.context.close()


def test_points_name_their_prm_and_open_it(opened: Opened) -> None:
    entry = board().ranked[0]
    point = opened.page.locator(f"#scatter circle[data-id={entry.id}]")
    point.scroll_into_view_if_needed()
    point.hover()
    tip = opened.page.locator("#scatter .tip")
    assert tip.inner_text().startswith(entry.name) and "FLOPs" in tip.inner_text()
    point.click()
    assert opened.page.get_by_role("dialog", name=entry.name).is_visible()
    leave(opened)
    first = opened.page.locator("#scatter circle[tabindex='0']")
    first.focus()
    opened.page.keyboard.press("ArrowRight")
    assert opened.page.evaluate("document.activeElement.dataset.id") != first.get_attribute("x")
    assert tip.is_visible()
    opened.page.keyboard.press("Enter")
    assert opened.page.get_by_role("dialog").is_visible()


def test_the_plot_follows_its_axes(opened: Opened) -> None:
    opened.page.locator("#pick-x").select_option("parameters")
    opened.page.locator("#pick-y").select_option(board().columns[0].id)
    figure = opened.page.locator("#scatter svg")
    assert figure.get_attribute("aria-label") == "MATH-500 against parameters of the PRM"
    # Cited figures appear where they were published, hollow.
    assert opened.page.locator("#scatter circle.published").count() == 4


def test_what_a_search_writes_is_its_cost(browser: Any, tmp_path: Path) -> None:
    made = board(3)
    one = replace(made.columns[0], ranked=False, method="speculative_rejection")
    ids = [f"math500/speculative_rejection@64/{metric}" for metric in ("accuracy", "written")]
    columns = [
        replace(one, id=id_, metric=id_.split("/")[-1], title=f"search {i}")
        for i, id_ in enumerate(ids)
    ]
    entries = tuple(
        replace(
            e, values=(*e.values, Value(ids[0], 0.6, 0.5, 0.7, 9), Value(ids[1], 0.5, 0.4, 0.6, 9))
        )
        if e.place
        else e
        for e in made.entries
    )
    path = write(replace(made, columns=(*made.columns, *columns), entries=entries), tmp_path)
    opened = Opened(browser, path)
    page = opened.page
    figures = page.locator("#pick-y option").all_inner_texts()
    assert any("search 0" in text for text in figures)
    assert not any("search 1" in text for text in figures)
    page.locator("#pick-y").select_option(ids[0])
    assert "choose another cost" in page.locator("#scatter").inner_text()
    page.locator("#pick-x").select_option("written")
    circles = page.locator("#scatter circle[role=button]")
    assert circles.count() == len(made.ranked)
    assert "50.0 % of the steps" in (circles.first.get_attribute("aria-label") or "")
    page.locator(f"tr[data-id={made.ranked[0].id}] .trust").click()
    dialog = page.get_by_role("dialog")
    figure = dialog.locator("svg[aria-label^='Figures of']").get_attribute("aria-label") or ""
    assert "search 0" in figure and "search 1" not in figure
    assert opened.complaints == []
    opened.context.close()


def test_a_link_brings_back_what_was_seen(browser: Any, page: Path) -> None:
    one = Opened(browser, page, "#v=3&sort=-c1&q=prm&trust=re-run&x=parameters&choose=prm-003")
    assert heading(one, "GSM8K").locator("..").get_attribute("aria-sort") == "descending"
    assert one.page.get_by_label("Search").input_value() == "prm"
    assert one.page.locator("#pick-x").input_value() == "parameters"
    assert one.page.get_by_label("Compare Delta-PRM-72B", exact=True).is_checked()
    assert not one.page.locator("#notice").is_visible()
    one.page.evaluate("location.hash = '#v=3&prm=prm-006'")
    assert one.page.get_by_role("dialog").is_visible()
    one.context.close()


def test_a_link_to_another_version_says_so(browser: Any, page: Path) -> None:
    one = Opened(browser, page, "#v=2&prm=gone&sort=nonsense&x=nonsense&hide=,,")
    assert "version 2 of this board; this is version 3" in one.page.locator("#notice").inner_text()
    assert one.complaints == [] and names(one) == [e.name for e in board().ranked]
    one.context.close()


def test_a_link_to_an_earlier_version_leads_to_what_it_published(
    browser: Any, tmp_path: Path
) -> None:
    write(replace(board(), version=2), tmp_path / "v2")
    now = write(board(), tmp_path, kept=(2,))
    one = Opened(browser, now, "#v=2&q=prm")
    one.page.get_by_role("link", name="Open version 2").click()
    one.page.wait_for_url("**/v2/index.html#v=2&q=prm")
    assert one.page.get_by_label("Search").input_value() == "prm"
    assert not one.page.locator("#notice").is_visible()
    one.context.close()
    assert one.complaints == []


@pytest.mark.parametrize("width", [1400, 375])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_its_window_in_light_and_dark(
    browser: Any, page: Path, artefacts: Path, width: int, scheme: str
) -> None:
    for fragment in ("", "#v=3&prm=prm-003", LINK):
        one = Opened(
            browser, page, fragment, viewport={"width": width, "height": 800}, color_scheme=scheme
        )
        assert one.page.evaluate("document.documentElement.scrollWidth") <= width
        for box in one.page.locator("dialog[open] .content").all():
            assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
        kind = "compare" if fragment == LINK else "details" if fragment else "board"
        one.page.screenshot(path=artefacts / f"{kind}-{scheme}-{width}.png")
        one.context.close()


def test_light_and_dark_are_the_readers_choice(browser: Any, page: Path) -> None:
    one = Opened(browser, page, color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = one.page.evaluate(paper)
    one.page.get_by_role("button", name="Dark colours").click()
    dark = one.page.evaluate(paper)
    assert light == "rgb(255, 255, 255)" and dark != light
    one.page.reload()
    assert one.page.evaluate(paper) == dark
    one.context.close()


def test_axe_finds_no_serious_fault(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    page = write(board(6, cited=1, samples=1), tmp_path)
    for scheme in ("light", "dark"):
        for fragment in ("", "#v=3&prm=prm-003", LINK):
            one = Opened(browser, page, fragment, color_scheme=scheme)
            one.page.evaluate(axe)
            # Colours are all that dark changes.
            rules = "{}" if scheme == "light" else "{runOnly: ['color-contrast']}"
            found = one.page.evaluate(f"axe.run({rules})")
            assert len(found["passes"]) > (15 if scheme == "light" else 0)
            serious = [
                (fault["id"], fault["nodes"][0]["html"][:200], fault["nodes"][0]["failureSummary"])
                for fault in found["violations"]
                if fault["impact"] in ("serious", "critical")
            ]
            assert serious == []
            one.context.close()


def hostile(text: str) -> Board:
    """A board whose every text is `text`."""
    made = board(3, cited=1, samples=1, names=(text[:400],) * 3)
    card = Card(
        authors=(text,), links=(Link(text, text),), licence=text, model=text, revision=text,
        base=text, recipe=text, recipe_digest=text, training_domains=(text,), training_data=(text,),
        contamination_note=text, command=text, provenance={text: {text: [text]}}, note=text,
        parameters=10**9,
    )  # fmt: skip
    entries = tuple(
        replace(
            entry,
            card=card,
            values=tuple(replace(value, aggregation="min") for value in entry.values),
            slices=tuple(replace(one, facet=text, name=text) for one in entry.slices),
            calibration=tuple(replace(one, task=text) for one in entry.calibration),
            remarks=(text,),
        )
        for entry in made.entries
    )
    samples = tuple(
        replace(
            one,
            prompt=text,
            facts={text: text},
            problem=text,
            solutions=tuple(
                replace(s, steps=(text,) * len(s.steps), answer=text) for s in one.solutions
            ),
        )
        for one in made.samples
    )
    columns = tuple(replace(c, title=text[:60], task=text) for c in made.columns)
    pools = tuple(replace(p, name=text, task=text, licence=text, policy=text) for p in made.pools)
    return replace(
        made, title=text, description=text, aggregation=text, ranking=text, harness=text,
        columns=columns, pools=pools, entries=entries, samples=samples, remarks=(text,),
    )  # fmt: skip


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_no_text_is_taken_for_markup(browser: Any, tmp_path: Path, number: int) -> None:
    text = ATTACKS[number]
    path = write(hostile(text), tmp_path)
    one = Opened(browser, path, "#v=3&choose=prm-000&choose=prm-001&compare=prm-000")
    leave(one)
    one.page.evaluate("location.hash = '#v=3&prm=prm-000'")
    dialog = one.page.get_by_role("dialog")
    shown = dialog.inner_text()
    if "script" in text:
        assert text in shown
    assert one.page.evaluate("window.broken") is None
    assert one.complaints == [] and one.reached == {"file"}
    assert one.page.evaluate("document.scripts.length") == 5
    assert one.page.evaluate("document.querySelectorAll('img, iframe').length") == 0
    assert dialog.locator("a").count() == 0  # no address of these is one
    assert one.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    one.context.close()


def test_a_board_of_nothing_opens(browser: Any, tmp_path: Path) -> None:
    empty = replace(board(1), entries=(), pairs=(), samples=(), columns=(), pools=(), remarks=())
    one = Opened(browser, write(empty, tmp_path))
    assert one.complaints == []
    assert one.page.locator("#count").inner_text() == "0 of 0 entries"
    assert "No entry of this board says what it costs." in one.page.locator("#plot").inner_text()
    one.context.close()


def test_five_hundred_rows_are_sorted_at_once(browser: Any, large: Path) -> None:
    """Within 100 ms on an idle machine (`python -m benchmarks.board_page`); here, that nothing
    grows out of hand: the work of the fastest of five sorts, by the browser's own clock of work."""
    one = Opened(browser, large)
    session = one.context.new_cdp_session(one.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def work() -> float:
        found = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        parts = ("LayoutDuration", "RecalcStyleDuration", "ScriptDuration")
        return 1000 * sum(found[part] for part in parts)

    took = []
    for number in range(2, 7):
        before = work()
        one.page.evaluate(
            "i => { document.querySelectorAll('#table thead button')[i].click();"
            "document.body.offsetHeight }",
            number,
        )
        took.append(work() - before)
    assert one.page.locator("#table tbody.ranked tr").count() == 501
    assert min(took) < 250
    one.context.close()
