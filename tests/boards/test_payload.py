"""The page's data say what the board says: pairs, costs, scores of samples, nothing unsafe."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from harness.boards.site.payload import board_json
from harness.boards.standing import Board, Cost, Link, Pair
from tests.boards.synthetic import board


def data(of: Board) -> Any:
    return json.loads(board_json(of))


def test_pairs_are_those_of_the_board_whichever_way_they_are_written() -> None:
    made = board(5)
    turned = tuple(
        Pair(p.b, p.a, -p.difference, -p.high, -p.low, p.p, p.p_holm) if i % 2 else p
        for i, p in enumerate(made.pairs)
    )
    pairs = data(replace(made, pairs=turned))["pairs"]
    order = list(combinations([entry.id for entry in made.ranked], 2))
    assert {len(column) for column in pairs.values()} == {len(order)}
    by_ids = {(p.a, p.b): p for p in made.pairs}
    for i, ids in enumerate(order):
        pair = by_ids[ids]
        shown = [pairs[key][i] / 1e4 for key in ("difference", "low", "high")]
        assert shown == pytest.approx([pair.difference, pair.low, pair.high], abs=0.5e-4)
        assert pairs["p"][i] == (max(1, round(1e4 * pair.p_holm)) if pair.p_holm else 0)


def test_pairs_by_column_are_those_of_the_board() -> None:
    made = board(5)
    turned = tuple(
        replace(
            p, a=p.b, b=p.a,
            columns=tuple(
                replace(c, difference=-c.difference, low=-c.high, high=-c.low) for c in p.columns
            ),
        )
        if i % 2 else p
        for i, p in enumerate(made.pairs)
    )  # fmt: skip
    found = data(replace(made, pairs=turned))["column_pairs"]
    ranked = [place for place, column in enumerate(made.columns) if column.ranked]
    assert list(found) == list(map(str, ranked))
    by_ids = {(p.a, p.b): p.columns for p in made.pairs}
    for i, ids in enumerate(combinations([entry.id for entry in made.ranked], 2)):
        for place, own in zip(found, by_ids[ids], strict=True):
            shown = [found[place][key][i] / 1e4 for key in ("difference", "low", "high")]
            assert shown == pytest.approx([own.difference, own.low, own.high], abs=0.5e-4)
    earlier = tuple(replace(p, columns=()) for p in made.pairs)  # built before there were any
    found = data(replace(made, pairs=earlier))["column_pairs"]
    assert {item for own in found.values() for column in own.values() for item in column} == {None}


def test_a_pair_that_is_not_there_is_null() -> None:
    made = board(2)
    pairs = data(replace(made, pairs=made.pairs[1:]))["pairs"]
    assert [column[0] for column in pairs.values()] == [None] * 4
    assert all(column[1] is not None for column in pairs.values())


def test_a_sample_has_each_candidate_under_the_declared_aggregation() -> None:
    made = board(3)
    for sample in data(made)["samples"]:
        for entry in made.ranked:
            (scored,) = [one for one in entry.samples if one.sample == sample["id"]]
            for (whole, steps), scores in zip(
                sample["scored"][entry.id], scored.scores, strict=True
            ):
                assert scores is not None and steps == pytest.approx(scores, rel=1e-4)
                assert whole == pytest.approx(min(scores), rel=1e-4)


def test_the_cost_of_the_score_needs_every_ranked_column() -> None:
    made = board(1)
    first = made.ranked[0]
    found = data(made)["entries"][0]["cost"]
    flops = [value.cost.flops for value in first.values if value.cost.flops is not None]
    assert found[0] == pytest.approx(sum(flops) / len(flops), rel=1e-4)
    values = (replace(first.values[0], cost=Cost()), *first.values[1:])
    entries = (replace(first, values=values), *made.entries[1:])
    assert data(replace(made, entries=entries))["entries"][0]["cost"] == [None] * 4


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.org/a", True),
        ("HTTP://example.org", True),
        ("javascript:alert(1)", False),
        (" https://example.org", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        (f"https://example.org/{'a' * 5000}", False),
    ],
)
def test_only_addresses_of_the_web_become_links(url: str, safe: bool) -> None:
    made = board(1)
    first = made.entries[0]
    card = replace(first.card, links=(Link("a", url),))
    shown = data(replace(made, entries=(replace(first, card=card), *made.entries[1:])))
    assert shown["entries"][0]["card"]["links"][0][2] is safe


def test_what_is_unknown_is_absent() -> None:
    cited = next(e for e in data(board(1))["entries"] if e["trust"] == "published")
    assert cited["rank"] is None and cited["score"] is None and cited["mean"] is None
    assert cited["values"]["0"][1:5] == [None, None, 500, None]


def test_no_text_makes_the_page_long() -> None:
    long = "w" * 1_000_000
    made = board(1)
    first = made.entries[0]
    card = replace(
        first.card, note=long, command=long, training_data=(long,), provenance={"a": long}
    )
    entries = (replace(first, name=long, card=card, remarks=(long,)), *made.entries[1:])
    text = board_json(replace(made, entries=entries))
    assert len(text) < 100_000
    assert data(replace(made, entries=entries))["entries"][0]["card"]["note"].endswith(
        "w … (995,000 more letters)"
    )
