"""Streams of real models: whatever the order of arrival, the drafts are those of `extend`."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import InfrastructureError
from harness.policies.policy import Policy
from harness.policies.rows import Done, Task, Written
from harness.policies.stream import TransformersStream
from harness.policies.transformers import TransformersPolicy
from harness.store.searches import entry_from, entry_record
from harness.types import (
    Cut,
    Draft,
    Entry,
    Extend,
    Extended,
    Json,
    Question,
    Sampling,
    Spec,
    Tokens,
)

torch = pytest.importorskip("torch")
import transformers  # noqa: E402

PROMPTS = ["a=47+38;a?\n", "b=1;c=b*2;d=c-9;d?\n", "x?\n", "y=1;y?\n", "?"]
FAMILIES = [
    ("Qwen2", {}),
    ("Qwen2", {"num_key_value_heads": 4}),
    ("Llama", {"num_key_value_heads": 1}),
    ("Mistral", {"sliding_window": 6}),
    ("Gemma3Text", {"sliding_window": 5, "head_dim": 8, "num_hidden_layers": 6}),
    ("Qwen3", {"head_dim": 16}),
]


def open_(folder: Path, **options: Json) -> TransformersPolicy:
    return TransformersPolicy(Spec("x", "transformers", str(folder), options))


def ask(
    prompt: str = PROMPTS[0], *drafts: Draft, cut: Cut | None = None, **settings: object
) -> Extend:
    sampling = Sampling(**{"max_tokens": 24, **settings})
    return Extend(Question("t", prompt, prompt), drafts or (Draft(),), sampling, cut)


def mixed() -> list[Extend]:
    """Requests of all kinds: settings, cuts, new and begun drafts, several per question."""
    begun = (Draft(("7\n",), None, 2), Draft(), Draft(("7\n", "a=8"), None, 5))
    found = []
    for i, prompt in enumerate(PROMPTS):
        found += [
            ask(prompt, *(Draft(),) * 3, seed=i),
            ask(prompt, *begun, temperature=0.5, top_p=0.9, stop=("=", "ab")),
            ask(prompt, *begun, temperature=0, cut=Cut(("\n", "1", "a"), tokens=5)),
            ask(prompt, *(Draft(),) * 2, cut=Cut(tokens=3), seed=9),
            ask(prompt, *begun, cut=Cut(confidence=0.2), max_tokens=9),
        ]
    return found


def same(a: Extended, b: Extended) -> bool:
    """Whether two replies hold the same drafts, up to rounding of log-probabilities."""
    return [replace(d, logprobs=None) for d in a.drafts] == [
        replace(d, logprobs=None) for d in b.drafts
    ]


def through_stream(policy: Policy, requests: list[Extend], seed: int) -> list[Extended]:
    """Submit in a random order, some at a time, collecting in between."""
    chance = random.Random(seed)
    order, stream = list(range(len(requests))), policy.stream()
    chance.shuffle(order)
    replies: dict[int, Extended] = {}
    while order or stream.rows:
        for _ in range(chance.randint(0 if stream.rows else 1, 4)):
            if order:
                stream.submit(order[-1], requests[order.pop()])
        replies.update(stream.collect())
    assert stream.collect() == []
    stream.close()
    return [replies[i] for i in range(len(requests))]


@pytest.mark.parametrize(("family", "settings"), FAMILIES)
def test_alone_together_and_in_any_order_are_the_same(make_model, family, settings) -> None:
    policy = open_(make_model(family, **settings), batch=7)
    requests = mixed()
    alone = [policy.extend([request])[0] for request in requests]
    together = policy.extend(requests)
    assert together == policy.extend(requests)
    for seed in range(2):
        for replies in (together, through_stream(policy, requests, seed)):
            assert all(map(same, alone, replies))


@pytest.mark.parametrize("cache", [0, 40, 100_000])
@pytest.mark.parametrize(("family", "settings"), FAMILIES)
def test_steps_of_a_stream_are_those_of_calls(make_model, family, settings, cache) -> None:
    """A tree of continuations: every child's text and log-probabilities are a fresh reading's."""
    policy = open_(make_model(family, **settings), batch=5, cache=cache, logprobs=True)
    stream, calls = policy.stream(), 0
    for ticket, prompt in enumerate(PROMPTS):
        stream.submit(ticket, ask(prompt, *(Draft(),) * 2, cut=Cut(("a", "3"), tokens=6)))
    requests = {
        i: ask(p, *(Draft(),) * 2, cut=Cut(("a", "3"), tokens=6)) for i, p in enumerate(PROMPTS)
    }
    while stream.rows:
        for ticket, reply in stream.collect():
            calls += 1
            fresh = policy.extend([requests[ticket]])[0]
            assert same(reply, fresh)
            for a, b in zip(reply.drafts, fresh.drafts, strict=True):
                assert a.logprobs == pytest.approx(b.logprobs, abs=2e-4)
            alive = [d for d in reply.drafts if d.finish is None]
            if alive and calls < 40:
                requests[ticket] = replace(requests[ticket], drafts=(alive[-1],) * 3 + (alive[0],))
                stream.submit(ticket, requests[ticket])
    assert calls > 15


def test_what_was_read_or_written_is_not_read_again(tiny: Path) -> None:
    stream = open_(tiny).stream()
    size = len(PROMPTS[0])
    stream.submit(0, ask(PROMPTS[0], *(Draft(),) * 3, cut=Cut(tokens=5)))
    [(_, reply)] = stream.collect()
    assert reply.tokens == Tokens(3, 3 * size, size - 1 + 3, 15)
    children = ask(PROMPTS[0], *(reply.drafts[0],) * 4, cut=Cut(tokens=2))
    stream.submit(1, children)
    [(_, step)] = stream.collect()
    assert step.tokens == Tokens(4, 4 * (size + 5), 4, 8)
    # Half of it is known: a text that departs from it after three tokens.
    other = Draft((reply.drafts[0].text[:3] + "zz",), None, 5)
    stream.submit(2, ask(PROMPTS[0], other, cut=Cut(tokens=1)))
    [(_, step)] = stream.collect()
    assert step.tokens.prefill_computed == 2
    stream.close()
    stream.submit(3, children)
    [(_, step)] = stream.collect()
    assert step.tokens.prefill_computed == size + 5 - 1 + 4


def test_an_unlimited_memory_and_none_read_the_same_tokens(tiny: Path) -> None:
    stream = open_(tiny, cache=0).stream()
    stream.submit(0, ask(PROMPTS[0], Draft(), cut=Cut(tokens=5)))
    [(_, reply)] = stream.collect()
    stream.submit(1, ask(PROMPTS[0], *reply.drafts, cut=Cut(tokens=5)))
    [(_, step)] = stream.collect()
    assert step.tokens.prefill_computed == step.tokens.prefill_logical


def test_a_short_draft_is_not_held_up_by_a_long_one(tiny: Path) -> None:
    stream = open_(tiny).stream()
    stream.submit(0, ask(PROMPTS[0], temperature=0, max_tokens=200))
    stream.submit(1, ask(PROMPTS[1], temperature=0, max_tokens=3))
    assert [ticket for ticket, _ in stream.collect()] == [1]
    stream.submit(2, ask(PROMPTS[2], temperature=0, max_tokens=3))
    assert [ticket for ticket, _ in stream.collect()] == [2]
    assert stream.rows == 1
    assert [ticket for ticket, _ in stream.collect()] == [0]


def test_token_cuts_make_the_whole_text(tiny: Path) -> None:
    policy = open_(tiny, logprobs=True)
    whole = policy.extend([ask(temperature=0, max_tokens=17)])[0].drafts[0]
    for cut in (Cut(tokens=5), Cut(confidence=0.6), Cut(("=",), tokens=4, confidence=0.3)):
        draft = Draft()
        while draft.finish is None:
            draft = policy.extend([ask(PROMPTS[0], draft, cut=cut, temperature=0, max_tokens=17)])[
                0
            ].drafts[0]
        assert (draft.text, draft.tokens, draft.finish) == (whole.text, whole.tokens, "length")
        assert draft.logprobs == pytest.approx(whole.logprobs, abs=1e-4)


class Scripted:
    """A writer that writes "a" and "b" one after the other, which its tokenizer would join."""

    works_on = False

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    def submit(self, task: Task) -> None:
        self.tasks.append(task)

    def work(self) -> list[Done]:
        task = self.tasks[-1]
        letter = len(task.text)
        return [Done(task.key, (Written("ab"[letter], None, 1, None, (letter + 1,)),), 1, 1)]


def test_a_draft_goes_on_from_the_tokens_that_were_written() -> None:
    class Joining:
        def asked(self, question: Question) -> tuple[int, ...]:
            return (9,)

        def text(self, text: str) -> tuple[int, ...]:
            return {"a": (1,), "ab": (3,)}[text]

    writer = Scripted()
    stream = TransformersStream(lambda: writer, Joining(), (9,), 99, False, "x")  # type: ignore[arg-type,return-value]
    drafts: tuple[Draft, ...] = (Draft(),)
    for i in range(2):
        stream.submit(i, ask("?", *drafts, cut=Cut(tokens=1)))
        ((_, reply),) = stream.collect()
        drafts = reply.drafts
    (draft,) = drafts
    assert (draft.text, draft.ids) == ("ab", (1, 2))
    assert [task.text for task in writer.tasks] == [(), (1,)]
    stream.submit(2, ask("?", draft, replace(draft, ids=None), cut=Cut(tokens=1)))
    assert [task.text for task in writer.tasks[2:]] == [(1, 2), (3,)]
    # A search that is resumed goes on from the same tokens.
    entry = Entry("p", 0, 1, reply, 0.5)
    again = entry_from(json.loads(json.dumps(entry_record(entry))))
    assert again == entry and again.reply.drafts[0].ids == (1, 2)  # type: ignore[union-attr]


def test_a_step_ends_before_a_token_the_model_does_not_believe_in(tiny: Path) -> None:
    policy = open_(tiny)
    drafts = (Draft(),) * 40
    sure = replace(
        ask(PROMPTS[0], *drafts, temperature=1.5, cut=Cut(confidence=0.3)), logprobs=True
    )
    reply = policy.extend([sure])[0]
    plain = policy.extend([replace(sure, cut=None)])[0]
    refused = 0
    for draft, free in zip(reply.drafts, plain.drafts, strict=True):
        assert draft.logprobs is not None and free.logprobs is not None and draft.tokens
        assert free.logprobs[: draft.tokens] == pytest.approx(draft.logprobs, abs=1e-4)
        low = [i for i, p in enumerate(free.logprobs) if i and p < torch.tensor(0.3).log()]
        assert draft.tokens == (low[0] if low else free.tokens)
        assert draft.finish == (None if low else free.finish)
        refused += bool(low)
    assert refused > 5
    # A refused token was computed, and is written by nobody.
    assert reply.tokens.decode == sum(d.tokens or 0 for d in reply.drafts) + refused


def test_alternatives_are_the_most_probable_next_tokens(tiny: Path) -> None:
    policy = open_(tiny)
    begun = Draft(("x=1",), None, 3)
    request = replace(ask(PROMPTS[0], Draft(), begun), alternatives=4, logprobs=True)
    reply = policy.extend([request])[0]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    for first, text in ((0, ""), (4, "x=1")):
        ids = torch.tensor([tokenizer(PROMPTS[0] + text).input_ids])
        with torch.inference_mode():
            chances, best = model(ids).logits[0, -1].log_softmax(-1).topk(4)
        for draft, token, chance in zip(
            reply.drafts[first : first + 4], best.tolist(), chances.tolist(), strict=True
        ):
            ended = token == 1
            assert draft.finish == ("stop" if ended else None)
            assert draft.text == text + ("" if ended else tokenizer.decode([token]))
            assert draft.tokens == (3 if text else 0) + 1
            known = draft.logprobs
            assert known is None if text else known == pytest.approx((chance,), abs=1e-4)
    assert reply.tokens.decode == 2
    few = policy.extend([replace(ask(PROMPTS[0]), alternatives=10_000)])[0]
    assert len(few.drafts) == model.config.vocab_size
    assert sum(d.finish == "stop" for d in few.drafts) == 1
    last = policy.extend([replace(ask(PROMPTS[0], max_tokens=1), alternatives=3)])[0]
    assert {d.finish for d in last.drafts} <= {"length", "stop"}
    mark = reply.drafts[0].text
    stopped = policy.extend([replace(ask(PROMPTS[0], stop=(mark,)), alternatives=2)])[0].drafts
    assert (stopped[0].text, stopped[0].finish) == ("", "stop")


def test_an_engine_out_of_memory_drops_all_and_goes_on(tiny: Path, monkeypatch) -> None:
    policy = open_(tiny)
    stream = policy.stream()

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("full")

    stream.submit(0, ask(PROMPTS[0], *(Draft(),) * 3))
    with monkeypatch.context() as patch:
        patch.setattr("harness.policies.decoding.Table.feed", full)
        with pytest.raises(InfrastructureError, match="out of memory with 3 drafts at once"):
            stream.collect()
    assert stream.rows == 0
    stream.submit(1, ask(PROMPTS[0]))
    assert [ticket for ticket, _ in stream.collect()] == [1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("family", "settings"), FAMILIES)
def test_cuda_writes_the_greedy_text_of_the_cpu(make_model, family, settings) -> None:
    folder = make_model(family, **settings)
    requests = [
        replace(r, sampling=replace(r.sampling, temperature=0.0)) for r in mixed() if r.cut is None
    ]
    expected = open_(folder, device="cpu").extend(requests)
    policy = open_(folder, device="cuda", dtype="float32", batch=7)
    for replies in (policy.extend(requests), through_stream(policy, requests, 0)):
        assert all(map(same, expected, replies))
