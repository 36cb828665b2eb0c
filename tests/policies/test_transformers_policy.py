"""The sampler of real models: right distribution, right ends, the library's own greedy text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from harness.errors import ConfigError, DataError
from harness.policies.transformers import TransformersPolicy
from harness.types import Cut, Draft, Extend, Json, Question, Sampling, Spec

torch = pytest.importorskip("torch")
import transformers  # noqa: E402

PROMPTS = ["a=47+38;a?\n", "b=1;c=b*2;d=c-9;d?\n", "x?\n"]


def ask(prompt: str = "a=47+38;a?\n", n: int = 1, *, id: str = "p", **sampling: Any) -> Extend:
    """A request for n new drafts."""
    return Extend(Question("t", id, prompt), (Draft(),) * n, Sampling(**sampling))


def open_(folder: Path, **options: Json) -> TransformersPolicy:
    return TransformersPolicy(Spec("x", "transformers", str(folder), options))


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("Qwen2", {}),
        ("Qwen2", {"num_key_value_heads": 4}),
        ("Llama", {"num_key_value_heads": 1}),
        ("Mistral", {"sliding_window": 6}),
        ("Gemma3Text", {"sliding_window": 5, "head_dim": 8, "num_hidden_layers": 6}),
        ("Qwen3", {"head_dim": 16}),
    ],
)
def test_greedy_equals_generate_token_for_token(make_model, family, settings) -> None:
    folder = make_model(family, **settings)
    policy = open_(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    replies = policy.extend([ask(p, 2, temperature=0, max_tokens=30) for p in PROMPTS])
    for prompt, reply in zip(PROMPTS, replies, strict=True):
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        out = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=30, do_sample=False
        )[0, ids.shape[1] :]
        expected = tokenizer.decode(out, skip_special_tokens=True)
        assert [expected] * 2 == [draft.text for draft in reply.drafts]


def test_the_first_token_follows_the_softmax(tiny: Path) -> None:
    policy = open_(tiny, logprobs=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    ids = tokenizer(PROMPTS[0], return_tensors="pt").input_ids
    with torch.inference_mode():
        p = (model(ids).logits[0, -1] / 2.0).softmax(-1).double().numpy()
    n = 4000
    reply = policy.extend([ask(PROMPTS[0], n, temperature=2.0, max_tokens=1)])[0]
    counts = np.zeros(len(p))
    for draft in reply.drafts:
        token = tokenizer(draft.text, add_special_tokens=False).input_ids if draft.text else [1]
        if len(token) == 1:
            counts[token[0]] += 1
    likely = p * n >= 8
    observed = np.append(counts[likely], n - counts[likely].sum())
    expected = np.append(p[likely], 1 - p[likely].sum()) * n
    assert chisquare(observed, expected).pvalue > 1e-4


def test_logprobs_are_the_models_own(tiny: Path) -> None:
    policy = open_(tiny, logprobs=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    draft = policy.extend([ask(PROMPTS[0], 1, temperature=0, max_tokens=9)])[0].drafts[0]
    ids = tokenizer(PROMPTS[0] + draft.text, return_tensors="pt").input_ids
    with torch.inference_mode():
        chances = model(ids).logits[0].log_softmax(-1)
    start = ids.shape[1] - draft.tokens
    expected = [chances[i - 1, ids[0, i]].item() for i in range(start, ids.shape[1])]
    assert draft.logprobs == pytest.approx(expected, abs=1e-4)
    assert open_(tiny).extend([ask()])[0].drafts[0].logprobs is None


def test_batch_size_and_neighbours_change_nothing(tiny: Path) -> None:
    requests = [ask(p, 5, id=p, max_tokens=20) for p in PROMPTS]
    large = [r.drafts for r in open_(tiny).extend(requests)]
    small = [r.drafts for r in open_(tiny, batch=4).extend(requests)]
    assert large == small


def test_seed_question_and_index_make_the_stream(tiny: Path) -> None:
    policy = open_(tiny)

    def texts(**change: object) -> list[str]:
        return [d.text for d in policy.extend([ask(n=6, max_tokens=15, **change)])[0].drafts]

    base = texts()
    assert len(set(base)) > 1
    assert base == texts()
    assert base != texts(seed=1)
    assert base != texts(id="other")
    assert base[:2] == [d.text for d in policy.extend([ask(n=2, max_tokens=15)])[0].drafts]


def test_a_continued_draft_reads_prompt_ids_and_text_ids(tiny: Path) -> None:
    policy = open_(tiny)
    begun = Draft(("x = x", " + 1\n"), None, 3)
    question = Question("t", "p", PROMPTS[0])
    sampling = Sampling(temperature=0, max_tokens=20)
    reply = policy.extend([Extend(question, (begun, begun), sampling)])[0]
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny)
    ids = torch.tensor([tokenizer(PROMPTS[0]).input_ids + tokenizer("x = x + 1\n").input_ids])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=17, do_sample=False
    )[0, ids.shape[1] :]
    assert reply.drafts[0].steps == (*begun.steps, tokenizer.decode(out, skip_special_tokens=True))
    assert reply.drafts[0].tokens == 3 + len(out)
    assert reply.tokens.prefill_logical == 2 * ids.shape[1]
    # What they share is read once, the last token by each.
    assert reply.tokens.prefill_computed == ids.shape[1] + 1


def test_new_and_begun_drafts_mix(tiny: Path) -> None:
    policy = open_(tiny)
    drafts = (Draft(), Draft(("7\n",)), Draft(("8",)), Draft())
    request = Extend(Question("t", "p", PROMPTS[0]), drafts, Sampling(max_tokens=9))
    together = policy.extend([request])[0].drafts
    assert [len(d.steps) for d in together] == [1, 2, 2, 1]
    assert together[1].steps[0] == "7\n"


def test_a_continuation_does_not_repeat_its_random_numbers(tiny: Path) -> None:
    policy = open_(tiny)
    question, sampling = Question("t", "p", PROMPTS[0]), Sampling(max_tokens=8, temperature=9.0)
    first = policy.extend([Extend(question, (Draft(),), sampling)])[0].drafts[0]
    begun = Draft(first.steps, None, 0)
    again = policy.extend([Extend(question, (begun,), sampling)])[0].drafts[0]
    assert again.steps[1] != first.steps[0]


def test_length_and_context_end_a_draft(tiny: Path) -> None:
    draft = open_(tiny).extend([ask(temperature=0, max_tokens=4)])[0].drafts[0]
    assert (draft.finish, draft.tokens) == ("length", 4)
    prompt = len(transformers.AutoTokenizer.from_pretrained(tiny)(PROMPTS[0]).input_ids)
    policy = open_(tiny, max_length=prompt + 3)
    draft = policy.extend([ask(temperature=0, max_tokens=50)])[0].drafts[0]
    assert (draft.finish, draft.tokens) == ("length", 3)
    full = open_(tiny, max_length=prompt).extend([ask(max_tokens=50)])[0]
    assert full.drafts == (Draft((), "length", 0),)
    assert full.tokens.decode == 0


def test_stop_strings_are_cut_and_delimiters_kept(tiny: Path) -> None:
    policy = open_(tiny)
    whole = policy.extend([ask(temperature=0, max_tokens=40)])[0].drafts[0].text
    stop = whole[6:9]
    cut = policy.extend([ask(temperature=0, max_tokens=40, stop=(stop,))])[0].drafts[0]
    assert (cut.text, cut.finish) == (whole[: whole.find(stop)], "stop")
    request = ask(temperature=0, max_tokens=40)
    step = policy.extend(
        [Extend(request.question, request.drafts, request.sampling, Cut((stop,)))]
    )[0]
    at = whole.find(stop) + len(stop)
    assert (step.drafts[0].text, step.drafts[0].finish) == (whole[:at], None)


def test_steps_one_by_one_make_the_whole_greedy_text(tiny: Path) -> None:
    policy = open_(tiny)
    request = ask(temperature=0, max_tokens=40)
    whole = policy.extend([request])[0].drafts[0]
    mark = whole.text[3]
    draft = Draft()
    while draft.finish is None:
        reply = policy.extend([Extend(request.question, (draft,), request.sampling, Cut((mark,)))])
        draft = reply[0].drafts[0]
    assert len(draft.steps) > 1
    assert (draft.text, draft.tokens) == (whole.text, whole.tokens)


def test_chat_template_system_and_its_digest(tiny: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "chat"
    shutil.copytree(tiny, folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}>"
    tokenizer.save_pretrained(folder)
    auto, off = open_(folder), open_(folder, chat=False)
    texts = [p.extend([ask(temperature=0, max_tokens=9)])[0].drafts[0].text for p in (auto, off)]
    asked = open_(tiny, chat="off").extend(
        [ask("<user>" + PROMPTS[0] + ">", temperature=0, max_tokens=9)]
    )
    assert texts[0] == asked[0].drafts[0].text != texts[1]
    system = open_(folder, system="be brief").identity()
    assert len({str(i) for i in (auto.identity(), off.identity(), system)}) == 3
    with pytest.raises(ConfigError, match="no chat template; use chat=off"):
        open_(tiny, chat=True)
    with pytest.raises(ConfigError, match="system= needs a chat template"):
        open_(tiny, system="be brief")


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("embedded:polcy", {}, "did you mean 'policy'"),
        ("embedded:../weights/policy", {}, "no embedded model"),
        ("nowhere", {}, "neither a folder nor a hub name"),
        ("TINY", {"batsh": 3}, "no option 'batsh'; did you mean 'batch'"),
        ("TINY", {"batch": 0}, "must be a whole number, at least 1"),
        ("TINY", {"dtype": "float33"}, "did you mean 'float32'"),
        ("TINY", {"device": "cuda:99"}, "is not there; try device=cpu"),
        ("TINY", {"revision": "main"}, "is a folder"),
    ],
)
def test_mistakes(tiny: Path, target: str, options: dict[str, Json], message: str) -> None:
    spec = Spec("x", "transformers", target.replace("TINY", str(tiny)), options)
    with pytest.raises(ConfigError, match=message):
        TransformersPolicy(spec)


def test_pickled_weights_are_not_read(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text((tiny / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(DataError, match="no safetensors weights"):
        open_(tmp_path)


def test_an_architecture_that_takes_no_positions_is_refused(make_model) -> None:
    folder = make_model("Bloom", n_layer=2, n_head=4)
    with pytest.raises(ConfigError, match="BloomForCausalLM"):
        open_(folder).extend([ask()])
