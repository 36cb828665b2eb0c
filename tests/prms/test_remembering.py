"""PRMs that go on where they were: the numbers of a fresh reading, for the new tokens alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.prms.transformers import TransformersPrm
from harness.types import Draft, Json, Judge, Judged, Question, Spec

torch = pytest.importorskip("torch")

PROMPTS = ["a=47+38;a?\n", "b=1;c=b*2;d=c-9;d?\n", "x=1;x?\n"]
LINES = ["a=85\n", "b=7*8=56\n", "c=1\n", "\\boxed{85}\n"]
FAMILIES = [
    ("Qwen2", {}),
    ("Qwen2", {"num_labels": 2}),
    ("Llama", {"num_key_value_heads": 1}),
    ("Qwen3", {"head_dim": 16}),
]


def open_(folder: Path, **options: Json) -> TransformersPrm:
    return TransformersPrm(Spec("x", "transformers", str(folder), options))


def ask(prompt: str, *drafts: tuple[str, ...]) -> Judge:
    return Judge(Question("t", prompt, prompt), tuple(Draft(tuple(steps)) for steps in drafts))


def close(a: Judged, b: Judged) -> bool:
    """Whether two replies hold the same scores up to rounding."""
    pairs = zip(a.scores, b.scores, strict=True)
    return all(
        x.values == pytest.approx(y.values, abs=1e-5)
        and x.raw == pytest.approx(y.raw, abs=1e-4)
        and x.tokens == y.tokens
        for x, y in pairs
    )


def growing(seed: int) -> list[list[Judge]]:
    """Calls of a search: drafts of several problems branch, stay, return and grow."""
    chance = random.Random(seed)
    known = {prompt: [()] for prompt in PROMPTS}
    calls = []
    for _ in range(8):
        requests = []
        for prompt in chance.sample(PROMPTS, chance.randint(1, len(PROMPTS))):
            drafts = []
            for _ in range(chance.randint(1, 4)):
                parent = chance.choice(known[prompt][-4:])
                drafts.append((*parent[:6], *chance.choices(LINES, k=chance.randint(1, 2))))
            drafts.append(drafts[0])
            known[prompt] += drafts
            requests.append(ask(prompt, *drafts))
        calls.append(requests)
    return calls


@pytest.mark.parametrize("cache", [0, 60, 100_000])
@pytest.mark.parametrize(("family", "settings"), FAMILIES)
def test_numbers_are_those_of_a_fresh_reading(make_prm, family, settings, cache) -> None:
    folder = make_prm(family, **settings)
    head = "softmax" if "num_labels" in settings else "sigmoid"
    fresh, prm = open_(folder, head=head), open_(folder, head=head, cache=cache, batch=64)
    prm.remember(True)
    saved = 0
    for requests in growing(3):
        for a, b in zip(prm.judge(requests), fresh.judge(requests), strict=True):
            assert close(a, b)
            assert a.tokens.prefill_logical == b.tokens.prefill_logical
            saved += b.tokens.prefill_computed - a.tokens.prefill_computed
    assert saved > 500 if cache == 100_000 else True


def test_only_new_tokens_are_computed(tiny: Path) -> None:
    prm = open_(tiny)
    prm.remember(True)
    [first] = prm.judge([ask(PROMPTS[0], LINES[:1])])
    size = first.tokens.prefill_logical
    assert first.tokens.prefill_computed == size
    [second] = prm.judge([ask(PROMPTS[0], tuple(LINES[:2]), (LINES[0], LINES[2]), (LINES[0],))])
    new = sum(s.tokens for s in second.scores) - 3 * size
    assert second.tokens.prefill_computed == new
    [third] = prm.judge([ask(PROMPTS[0], tuple(LINES[:2]), tuple(LINES[:1]))])
    assert third.tokens.prefill_computed == 0
    assert third.scores[0].values == second.scores[0].values
    prm.remember(False)
    [last] = prm.judge([ask(PROMPTS[0], tuple(LINES[:2]))])
    assert last.tokens.prefill_computed == last.tokens.prefill_logical
    prm.remember(True)
    [again] = prm.judge([ask(PROMPTS[0], tuple(LINES[:2]))])
    assert again.tokens.prefill_computed == again.tokens.prefill_logical


def test_a_prompt_is_read_once_for_new_drafts(tiny: Path) -> None:
    prm = open_(tiny)
    prm.remember(True)
    alone = [open_(tiny).judge([ask(p, LINES[:1])])[0].tokens.prefill_logical for p in PROMPTS]
    replies = prm.judge([ask(p, LINES[:1], LINES[1:2], LINES[2:3]) for p in PROMPTS])
    for reply, one in zip(replies, alone, strict=True):
        prompt = one - 5
        assert reply.tokens.prefill_computed == reply.tokens.prefill_logical - 2 * prompt


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("Mistral", {"sliding_window": 6}),
        ("Gemma2", {"sliding_window": 5, "head_dim": 8}),
    ],
)
def test_sliding_windows_are_read_from_the_start(make_prm, family, settings) -> None:
    folder = make_prm(family, **settings)
    prm, fresh = open_(folder), open_(folder)
    prm.remember(True)
    for requests in growing(4)[:3]:
        assert prm.judge(requests) == fresh.judge(requests)


def test_an_engine_out_of_memory_forgets_and_goes_on(tiny: Path, monkeypatch) -> None:
    prm = open_(tiny)
    prm.remember(True)
    prm.judge([ask(PROMPTS[0], LINES[:1])])

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("full")

    request = ask(PROMPTS[0], tuple(LINES[:2]))
    with monkeypatch.context() as patch:
        patch.setattr("harness.adapters.memory.Memory._reserve", full)
        with pytest.raises(InfrastructureError, match="out of memory"):
            prm.judge([request])
    assert close(prm.judge([request])[0], open_(tiny).judge([request])[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("family", "settings"), FAMILIES)
def test_cuda_gives_the_scores_of_the_cpu(make_prm, family, settings) -> None:
    folder = make_prm(family, **settings)
    head = "softmax" if "num_labels" in settings else "sigmoid"
    cpu = open_(folder, head=head, device="cpu")
    plain, going_on = (open_(folder, head=head, device="cuda", dtype="float32") for _ in range(2))
    going_on.remember(True)
    for requests in growing(5):
        for expected, *found in zip(
            cpu.judge(requests), plain.judge(requests), going_on.judge(requests), strict=True
        ):
            for reply in found:
                for a, b in zip(expected.scores, reply.scores, strict=True):
                    assert b.values == pytest.approx(a.values, abs=1e-3)
