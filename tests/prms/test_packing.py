"""Packed solutions: the tree is right, and its scores are those of the solutions alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cost import Architecture
from harness.prms.packing import BLOCK, Tree, blocks, pack
from harness.prms.render import Encoded

IDS = st.lists(
    st.lists(st.integers(0, 2), min_size=1, max_size=7), min_size=1, max_size=9, unique_by=tuple
)


def encoded(ids: list[int]) -> Encoded:
    return Encoded(tuple(ids), tuple(range(len(ids))))


def trees(requests: list[list[list[int]]]) -> list[tuple[int, Tree]]:
    return [(i, Tree.of([encoded(row) for row in rows])) for i, rows in enumerate(requests)]


@given(requests=st.lists(IDS, min_size=1, max_size=12), limit=st.integers(1, 300))
def test_every_token_sees_exactly_its_own_beginning(
    requests: list[list[list[int]]], limit: int
) -> None:
    packs = list(pack(trees(requests), limit))
    members = sorted(member for one in packs for member in one.members)
    assert members == [(i, k) for i, rows in enumerate(requests) for k in range(len(rows))]
    for one in packs:
        assert len(one.ids) <= limit or len(one.members) == 1
        assert len(one.ids) == sum(one.spent)
        keys, sees = blocks(one)
        for (request, member), reads in zip(one.members, one.reads, strict=True):
            row = requests[request][member]
            assert one.ids[reads].tolist() == row
            assert one.places[reads].tolist() == list(range(len(row)))
            for place, column in enumerate(reads):
                block, token = divmod(int(column), BLOCK)
                seen = keys[block][sees[block, token]]
                assert sorted(seen.tolist()) == sorted(reads[: place + 1].tolist())


@given(requests=st.lists(IDS, min_size=1, max_size=3))
def test_one_large_pack_holds_every_beginning_of_a_request_once(
    requests: list[list[list[int]]],
) -> None:
    (one,) = pack(trees(requests), 1000)
    sizes = [
        len({tuple(row[: i + 1]) for row in rows for i in range(len(row))}) for rows in requests
    ]
    assert [tree.tokens for _, tree in trees(requests)] == sizes
    spent = [0] * len(requests)
    for (request, _), tokens in zip(one.members, one.spent, strict=True):
        spent[request] += tokens
    assert spent == sizes


def test_blocks_have_the_keys_that_they_need_and_few_others() -> None:
    """A block looks at one path of ancestors and at itself: attention grows with the tokens."""
    rows = [[0] * 20 + [i] * 30 for i in range(1, 40)]
    (one,) = pack(trees([rows]), 10_000)
    keys, _ = blocks(one)
    assert len(one.ids) == 20 + 39 * 30
    count, width = keys.shape
    assert count == -(-len(one.ids) // BLOCK)
    assert BLOCK < width < BLOCK + 50


def test_packing_pays_for_shared_beginnings_only() -> None:
    shape = Architecture(matrices=10_000, active=10_000, head=1, layers=1, attention_width=10)
    ((_, same), (_, other)) = trees(
        [[[0] * 50 + [i] for i in range(20)], [[i] * 50 for i in range(20)]]
    )
    assert same.pays(shape)
    assert not other.pays(shape)


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


def test_passes_side_by_side_give_the_scores_of_one_after_the_other(tiny: Path) -> None:
    torch = pytest.importorskip("torch")
    from harness.prms.transformers import TransformersPrm
    from harness.types import Draft, Judge, Question, Spec

    drafts = [
        tuple(Draft(("a=40+45\n", f"b={i}\n", f"c={j}\n")) for j in range(3)) for i in range(9)
    ]
    judges = [Judge(Question("t", f"p{i}", f"a={i}+38;a?\n"), d) for i, d in enumerate(drafts)]
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            prm = TransformersPrm(Spec("x", "transformers", str(tiny), {"batch": 128}))
            found.append([s.values for verdict in prm.judge(judges) for s in verdict.scores])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    one, two = found
    assert len(one) == 27
    assert two == [pytest.approx(values, abs=1e-6) for values in one]


def test_a_model_with_attention_of_its_own_keeps_it(make_prm) -> None:
    torch = pytest.importorskip("torch")
    import transformers
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    from harness.prms.forward import Forward

    def odd(*arguments, scaling=1.0, **settings):
        return sdpa_attention_forward(*arguments, scaling=9 * scaling, **settings)

    transformers.AttentionInterface.register("odd", odd)
    load = transformers.AutoModelForTokenClassification.from_pretrained
    model = load(make_prm("Qwen2"), dtype=torch.float32).eval()
    model.set_attn_implementation("odd")
    ids = torch.arange(4, 24)[None]
    with torch.inference_mode():
        before = model(input_ids=ids).logits
        reader = Forward(model, 99, Architecture(10_000, 10_000, 1, 1, 10))
        assert not reader._packs
        assert torch.equal(model(input_ids=ids).logits, before)
