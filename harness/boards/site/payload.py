"""The data of a board's page: what the browser gets to read.

Everything that a text may hold is hostile (see `harness.reporting.payload`): the JSON is ASCII and
holds no tag, control characters are made visible, long texts are cut with a note. Addresses that
are not http(s) never become links.

The page is to stay below 5 MB, and no text can make it long. What grows with the square of the
entries (paired differences) is written as whole numbers of a hundredth of a point; what does not
fit is left out, first letters and candidates of samples, then pairs of the lower ranks, those by
column before those of the score, and the page says what is missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from harness.boards.definition import main_columns
from harness.boards.standing import (
    TRUST,
    Board,
    Card,
    ColumnPair,
    Cost,
    Entry,
    Pair,
    Sample,
    Scored,
    Value,
)
from harness.prms.aggregate import AGGREGATIONS, aggregate_many
from harness.reporting.payload import cut, html_json, visible

MAX_BYTES = 4_200_000
"""Of JSON; libraries, scripts and style come on top (0.65 MB)."""

NAME_LETTERS = 200
"""Of a name, a title or a facet; nobody reads more of it."""

TEXT_LETTERS = 5000
"""Of any other text about an entry."""

POINT = 1e-4
"""Unit of the paired differences: a hundredth of a percentage point."""

_LIMITS = ((16, 16, 4000), (8, 8, 2000), (6, 4, 800), (3, 3, 400), (2, 2, 200), (0, 0, 0))
"""Samples, candidates per sample and letters per step: the first that fit are taken."""

_COSTS = ("flops", "prm_tokens", "policy_tokens", "seconds")


def board_json(board: Board, max_bytes: int = MAX_BYTES) -> str:
    """Return the page's data as JSON text of at most `max_bytes`, safe in a script element.

    The rows themselves are never cut: a board with too many of them comes out larger. Of what they
    leave, samples may take a half, and more where pairs need less; of what these leave, pairs by
    column may take a third, and more where those of the score need less.
    """
    rows = html_json(_rows(board))
    room = max_bytes - len(rows) - 120
    pairs, by_column = (html_json(made(board, len(board.ranked))) for made in (_pairs, _by_column))
    for limit in _LIMITS:
        samples = html_json(_samples(board, *limit))
        if len(samples) <= max(room - len(pairs) - len(by_column), room // 2):
            break
    left = room - len(samples)
    by_column, by_columns = _fitting(
        board, _by_column, by_column, max(left - len(pairs), left // 3)
    )
    pairs, paired = _fitting(board, _pairs, pairs, left - len(by_column))
    shown = {"samples": max(0, len(board.samples) - limit[0])}
    omitted = html_json({**shown, "paired": paired, "paired_by_column": by_columns})
    return (
        f'{rows[:-1]},"pairs":{pairs},"column_pairs":{by_column},"samples":{samples},'
        f'"omitted":{omitted}}}'
    )


def _fitting(
    board: Board, made: Callable[[Board, int], Any], whole: str, room: int
) -> tuple[str, int]:
    """Return the JSON of the pairs of as many ranked entries as fit, the best first, and how many;
    `whole` is that of all."""
    text, kept = whole, len(board.ranked)
    while len(text) > room and kept:
        # Their number grows with the square; a hundredth less in case that these are longer.
        kept = int(0.99 * kept * math.sqrt(max(0.0, room / len(text))))
        text = html_json(made(board, kept))
    return text, kept


def _rows(board: Board) -> Any:
    place = {column.id: number for number, column in enumerate(board.columns)}
    main = main_columns(board.columns)
    return {
        **_texts(board),
        "version": board.version,
        "trust": board.trust,
        "levels": list(TRUST),
        "columns": [
            {
                "id": column.id,
                "title": _name(column.title),
                "task": _name(column.task),
                "method": _name(column.method),
                "budget": column.budget,
                "metric": _name(column.metric),
                "ranked": column.ranked,
                "main": column in main,
            }
            for column in board.columns
        ],
        "entries": [_entry(board, entry, place) for entry in board.entries],
    }


def _texts(board: Board) -> dict[str, str]:
    return {name: visible(getattr(board, name)) for name in ("name", "title")}


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


# --- entries -------------------------------------------------------------------------------------


def _entry(board: Board, entry: Entry, place: Mapping[str, int]) -> Any:
    standing = entry.place
    return {
        "id": entry.id,
        "name": _name(entry.name),
        "role": entry.role,
        "trust": entry.trust,
        "rank": standing and [standing.rank, standing.rank_low, standing.rank_high],
        "score": standing and _numbers(standing.score, standing.low, standing.high),
        "group": standing and standing.group,
        "mean": _mean(board, entry),
        "cost": _cost(board, entry),
        "values": {place[value.column]: _value(value) for value in entry.values},
        "card": _card(entry.card),
        "slices": [
            [
                place[one.column],
                _name(one.facet),
                _name(one.name),
                *_numbers(one.value, one.low, one.high),
                one.n,
            ]
            for one in entry.slices
        ],
        "calibration": [
            {
                "task": _name(one.task),
                "bins": [[*_numbers(b.score, b.right, b.low, b.high), b.n] for b in one.bins],
            }
            for one in entry.calibration
        ],
        "remarks": [_text(remark) for remark in entry.remarks],
    }


def _value(value: Value) -> Any:
    """Interval, items, cost and the settings that a reader asks for first."""
    cost = None if value.cost == Cost() else [_short(getattr(value.cost, key)) for key in _COSTS]
    rest = {
        "aggregation": value.aggregation and _text(value.aggregation),
        "threshold": _short(value.threshold),
        "replicas": value.replicas if value.replicas > 1 else None,
        "ungraded": value.ungraded or None,
        "source": value.source and _text(value.source),
    }
    return [
        *_numbers(value.value, value.low, value.high),
        value.n,
        cost,
        {key: item for key, item in rest.items() if item is not None},
    ]


def _mean(board: Board, entry: Entry) -> float | None:
    """The ranked columns' mean of a figure of the pools: no rank, but a line to compare with."""
    ranked = [entry.value(column.id) for column in board.columns if column.ranked]
    if entry.role != "reference" or not ranked or None in ranked:
        return None
    return _short(sum(value.value for value in ranked if value) / len(ranked))


def _cost(board: Board, entry: Entry) -> list[float | None]:
    """The mean cost of a problem over the ranked columns; None where one of them is unknown."""
    ranked = [entry.value(column.id) for column in board.columns if column.ranked]
    costs: list[float | None] = []
    for key in _COSTS:
        each = [None if value is None else getattr(value.cost, key) for value in ranked]
        known = [one for one in each if one is not None]
        costs.append(_short(sum(known) / len(known)) if known and len(known) == len(each) else None)
    return costs


def _card(card: Card) -> Any:
    made: dict[str, Any] = {}
    for name, value in _fields(card).items():
        if name == "links":
            made[name] = [[_name(one.label), _text(one.url), _safe(one.url)] for one in value]
        elif name == "provenance":
            made[name] = [[_name(str(key)), _words(item)] for key, item in value.items()]
        elif isinstance(value, tuple):
            made[name] = [_text(one) for one in value]
        else:
            made[name] = _text(value) if isinstance(value, str) else value
    return {name: value for name, value in made.items() if value not in ("", [], None)}


def _safe(address: str) -> bool:
    """Whether it may become a link: of the web, and whole."""
    whole = len(address) <= TEXT_LETTERS
    return whole and address.lower().startswith(("https://", "http://"))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{_name(str(key))} {_words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return _text(str(value))


# --- pairs ---------------------------------------------------------------------------------------


def _pairs(board: Board, kept: int) -> Any:
    """The differences of ranked entries i < j in the order (0, 1), (0, 2), …; null where absent."""
    return _numbered(_between(board, kept))


def _by_column(board: Board, kept: int) -> Any:
    """The same column by column, under the places of the ranked columns."""
    between = [
        ({one.column: one for one in pair.columns} if pair else {}, sign)
        for pair, sign in _between(board, kept)
    ]
    return {
        place: _numbered((own.get(column.id), sign) for own, sign in between)
        for place, column in enumerate(board.columns)
        if column.ranked
    }


def _between(board: Board, kept: int) -> Iterator[tuple[Pair | None, int]]:
    """Yield the pairs of the best entries, and -1 where one is written the other way round."""
    found = {(pair.a, pair.b): pair for pair in board.pairs}
    for a, b in combinations([entry.id for entry in board.ranked][:kept], 2):
        pair = found.get((a, b))
        yield (pair, 1) if pair else (found.get((b, a)), -1)


def _numbered(pairs: Iterable[tuple[Pair | ColumnPair | None, int]]) -> Any:
    columns: list[list[int | None]] = [[], [], [], []]
    for pair, sign in pairs:
        if pair is None:
            row: list[int | None] = [None] * 4
        else:
            low, high = sorted((sign * pair.low, sign * pair.high))
            # A test's probability is not rounded to nought.
            chance = max(1, _whole(pair.p_holm)) if pair.p_holm > 0 else 0
            row = [_whole(sign * pair.difference), _whole(low), _whole(high), chance]
        for column, item in zip(columns, row, strict=True):
            column.append(item)
    return dict(zip(("difference", "low", "high", "p"), columns, strict=True))


def _whole(share: float) -> int:
    return round(share / POINT)


# --- samples -------------------------------------------------------------------------------------


def _samples(board: Board, samples: int, candidates: int, letters: int) -> Any:
    chosen = _some(board.samples, samples)
    return [_sample(board, one, candidates, letters) for one in chosen]


def _some(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return so many in their order, of each pool as many as of any other."""
    seen: Counter[str] = Counter()
    turns = []
    for place, one in enumerate(samples):
        turns.append((seen[one.pool], place))
        seen[one.pool] += 1
    return [samples[place] for place in sorted(place for _, place in sorted(turns)[:most])]


def _sample(board: Board, sample: Sample, candidates: int, letters: int) -> Any:
    verdicts = {True: "correct", False: "wrong", None: "ungraded"}
    return {
        "id": sample.id,
        "pool": _name(sample.pool),
        "problem": _name(sample.problem),
        "prompt": cut(sample.prompt, 4 * letters),
        "facts": [[_name(str(key)), _words(value)] for key, value in sample.facts.items()],
        "n": len(sample.solutions),
        "solutions": [
            {
                "index": one.index,
                "steps": [cut(step, letters) for step in one.steps],
                "verdict": verdicts[one.correct],
                "answer": None if one.answer is None else cut(one.answer, letters),
                "first_wrong": one.first_wrong,
                "wrong": one.wrong,
            }
            for one in sample.solutions[:candidates]
        ],
        "scored": {
            entry.id: _scored(entry, scored, sample, candidates)
            for entry in board.entries
            for scored in entry.samples
            if scored.sample == sample.id
        },
    }


def _scored(entry: Entry, scored: Scored, sample: Sample, candidates: int) -> Any:
    """Per candidate its step scores and, under the entry's aggregation, its score."""
    rules = {
        value.aggregation
        for value in entry.values
        if value.aggregation in AGGREGATIONS and value.column.split("/")[0] == sample.pool
    } or {value.aggregation for value in entry.values if value.aggregation in AGGREGATIONS}
    rule = rules.pop() if len(rules) == 1 else None
    shown = scored.scores[:candidates]
    known = [scores for scores in shown if scores]
    whole: Iterator[float | None] = iter(_aggregated(rule, known) if rule else [None] * len(known))
    return [
        None
        if scores is None
        else [_short(next(whole) if scores else None), list(map(_short, scores))]
        for scores in shown
    ]


def _aggregated(rule: str, known: Sequence[tuple[float, ...]]) -> list[float | None]:
    offsets = np.concatenate([[0], np.cumsum([len(scores) for scores in known])])
    values = np.array([score for scores in known for score in scores])
    return list(map(float, aggregate_many(rule, values, offsets.astype(np.int64)))) if known else []


def _name(text: str) -> str:
    return cut(text, NAME_LETTERS)


def _text(text: str) -> str:
    return cut(text, TEXT_LETTERS)


def _numbers(*values: float | None) -> list[float | None]:
    return [_short(value) for value in values]


def _short(value: float | None) -> float | None:
    """Four significant digits more than a table prints are a third of the bytes."""
    return None if value is None else float(f"{value:.5g}")
