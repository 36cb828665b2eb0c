"""Packed solutions: the tree is right, and its scores are those of the solutions alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cost import Architecture
from harness.prms.packing import best_size, pack, pays
from harness.prms.recipe import Encoded

IDS = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=7), min_size=1, max_size=9, unique_by=tuple
)


def encoded(ids: list[int]) -> Encoded:
    return Encoded(tuple(ids), tuple(range(len(ids))))


@given(rows=IDS, limit=st.integers(1, 30))
def test_every_token_sees_exactly_its_own_beginning(rows: list[list[int]], limit: int) -> None:
    inputs = [encoded(row) for row in rows]
    packs = pack(inputs, limit)
    assert sorted(m for one in packs for m in one.members) == list(range(len(rows)))
    for one in packs:
        assert len(one.ids) <= limit or len(one.members) == 1
        for member, reads in zip(one.members, one.reads, strict=True):
            assert one.ids[reads].tolist() == rows[member]
            assert one.places[reads].tolist() == list(range(len(rows[member])))
            for place, column in enumerate(reads):
                assert np.flatnonzero(one.sees[column]).tolist() == sorted(reads[: place + 1])


@given(rows=IDS)
def test_one_large_pack_holds_every_beginning_once(rows: list[list[int]]) -> None:
    (one,) = pack([encoded(row) for row in rows], 1000)
    beginnings = {tuple(row[: i + 1]) for row in rows for i in range(len(row))}
    assert len(one.ids) == len(beginnings)


def test_packing_pays_for_shared_beginnings_only() -> None:
    shape = Architecture(matrices=10_000, active=10_000, head=1, layers=1, attention_width=10)
    same = [encoded([0] * 50 + [i]) for i in range(20)]
    other = [encoded([i] * 50) for i in range(20)]
    assert best_size(shape) == 500
    assert pays(pack(same, 500), same, shape)
    assert not pays(pack(other, 500), other, shape)


@pytest.mark.parametrize(
    ("family", "settings", "packs"),
    [
        ("Qwen2", {}, True),
        ("Llama", {}, True),
        ("Qwen3", {"head_dim": 8}, True),
        ("Mistral", {"sliding_window": 8}, False),
    ],
)
def test_packed_scores_are_the_scores_of_the_solutions_alone(
    make_prm, family: str, settings: dict[str, int], packs: bool
) -> None:
    pytest.importorskip("torch")
    from harness.prms.transformers import TransformersPrm
    from harness.types import Draft, Judge, Question, Spec

    folder: Path = make_prm(family, **settings)
    prm = TransformersPrm(Spec("x", "transformers", str(folder)))
    begin = ("a=40+45\n", "a=85\n")
    drafts = [Draft((*begin, f"b={i}\n", "c=1\n")[: 2 + i % 3]) for i in range(12)]
    question = Question("t", "p", "a=47+38;b=a;b?\n")
    together = prm.judge([Judge(question, tuple(drafts))])[0]
    alone = [prm.judge([Judge(question, (draft,))])[0].scores[0] for draft in drafts]
    assert [s.values for s in together.scores] == [pytest.approx(s.values, abs=1e-5) for s in alone]
    distinct = {draft.steps: s.tokens for draft, s in zip(drafts, alone, strict=True)}
    assert (together.tokens.prefill_computed < sum(distinct.values())) is packs
