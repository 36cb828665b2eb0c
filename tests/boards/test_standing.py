"""A built board survives its file, and a file of another form is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.boards.standing import (
    Bin,
    Board,
    Calibration,
    Card,
    Column,
    ColumnPair,
    Cost,
    Entry,
    Link,
    Pair,
    Place,
    Pool,
    Sample,
    Scored,
    Slice,
    Solution,
    Value,
    dumps,
    from_json,
    to_json,
)
from harness.errors import DataError

COLUMN = Column(
    "sums/best_of_n@4/accuracy",
    "sums",
    "math",
    "sums",
    "best_of_n",
    4,
    "accuracy",
    "best of 4",
    True,
)
ENTRY = Entry(
    id="a",
    name="A <b>",
    role="prm",
    trust="recomputed",
    card=Card(
        authors=("N. N.",),
        links=(Link("paper", "https://example.org/a"),),
        parameters=10**6,
        provenance={"cores": 2},
    ),
    values=(Value(COLUMN.id, 0.5, 0.4, 0.6, 12, "min", cost=Cost(prm_tokens=10.0)),),
    place=Place(0.5, 0.4, 0.6, 1, 1, 2, 1),
    slices=(Slice(COLUMN.id, "level", "3", 1.0, 0.6, 1.0, 4),),
    calibration=(Calibration("given", (Bin(0.1, 0.0, 0.0, 0.2, 9),)),),
    samples=(Scored("sums/s1", ((0.1, 0.2), None)),),
    remarks=("a remark",),
)
BOARD = Board(
    name="tiny",
    title="Tiny",
    version=1,
    description="",
    digest="0" * 64,
    harness="0.0",
    aggregation="declared",
    ranking="mean",
    replicas=1,
    trust="recomputed",
    columns=(COLUMN,),
    pools=(
        Pool("sums", "sums", "1.0", "math", "math", "p", 12, 4, "1" * 64, "MIT", "", True, False),
    ),
    entries=(ENTRY, replace(ENTRY, id="c", trust="published", place=None)),
    pairs=(
        Pair(
            "a", "b", 0.1, -0.1, 0.3, 0.2, 0.4, (ColumnPair(COLUMN.id, 0.1, -0.1, 0.3, 0.2, 0.4),)
        ),
    ),
    samples=(
        Sample("sums/s1", "sums", "s1", "1+1=?", {"level": 3}, (Solution(0, ("x\n",), None),)),
    ),
)


def test_round_trip() -> None:
    assert from_json(json.loads(dumps(BOARD))) == BOARD
    assert json.loads(dumps(BOARD)) == to_json(BOARD)
    assert BOARD.ranked == (ENTRY,)
    assert ENTRY.value(COLUMN.id) is not None and ENTRY.value("other") is None
    assert BOARD.column(COLUMN.id) is COLUMN


def test_other_forms_are_refused() -> None:
    good = to_json(BOARD)
    assert isinstance(good, dict)
    with pytest.raises(DataError, match="schema version 1"):
        from_json({**good, "schema_version": 2})
    with pytest.raises(DataError, match=r"entries\.0\.name: Field required"):
        from_json({**good, "entries": [{"id": "a"}]})
    with pytest.raises(DataError, match="trust"):
        from_json({**good, "trust": "certain"})


def test_no_nan_is_published() -> None:
    hidden = replace(ENTRY, values=(Value(COLUMN.id, float("nan"), None, None, 0),))
    with pytest.raises(ValueError, match="JSON"):
        json.dumps(to_json(replace(BOARD, entries=(hidden,))), allow_nan=False)
