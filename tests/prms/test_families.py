"""Every published family, against a reading written from its description alone.

What is independent here: the text is put together by hand, encoded at once, places are found by
token ids as the families' own code does, and numbers are the library's logits of the whole
vocabulary, or a head written out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ConfigError, DataError
from harness.prms import recipe
from harness.prms.recut import open_prm
from harness.prms.transformers import TransformersPrm
from harness.runner.conformance import conformance
from harness.types import Draft, Json, Judge, Judged, Question, Spec

torch = pytest.importorskip("torch")
import transformers  # noqa: E402

from tests.prms import families, unusual  # noqa: E402
from tests.prms.families import (  # noqa: E402
    LLAMA,
    LONGER,
    MARKS,
    PROBLEM,
    QWEN,
    STEPS,
    Floats,
    at,
    bytes_level,
    chatty,
    hidden,
    ids_of,
    linear,
    logits,
    save,
    sigmoid,
    tensor,
    two_way,
    words_level,
)

# --- the families' own readings ------------------------------------------------------------------


def math_shepherd(folder: Path, steps: tuple[str, ...]) -> Floats:
    lines = "\n".join(f"Step {k}: {step} ки" for k, step in enumerate(steps, 1))
    ids = ids_of(folder, f"{PROBLEM} {lines}", bos=True)
    good, bad = ids_of(folder, "+ -")
    (tag,) = ids_of(folder, "ки")
    return two_way(logits(folder, ids)[at(ids, tag)], good, bad)


def rlhflow(folder: Path, steps: tuple[str, ...]) -> Floats:
    """A forward pass for every prefix; the third place from the end of the dialogue."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found, chat = [], []
    for k, step in enumerate(steps):
        text = step.strip() if k else f"{PROBLEM} {step.strip()}"
        chat += [{"role": "user", "content": text}, {"role": "assistant", "content": "+"}]
        ids = tokenizer.apply_chat_template(
            chat, date_string="26 Jul 2024", return_dict=True
        ).input_ids
        assert tokenizer.convert_ids_to_tokens(ids[-3:]) == ["ĊĊ", "+", "<|eot_id|>"]
        good, bad = ids_of(folder, "+")[0], ids_of(folder, "-")[0]
        found.append(two_way(logits(folder, ids)[[-3]], good, bad)[0])
    return np.array(found)


def qwen(system: str) -> Callable[[Path, tuple[str, ...]], Floats]:
    def read(folder: Path, steps: tuple[str, ...]) -> Floats:
        text = (
            f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{PROBLEM}<|im_end|>\n"
            f"<|im_start|>assistant\n{'<extra_0>'.join(steps)}<extra_0><|im_end|>\n"
        )
        ids = ids_of(folder, text)
        (tag,) = ids_of(folder, "<extra_0>")
        states = hidden(folder, ids)[at(ids, tag)]
        inner = states @ tensor(folder, "score.0.weight").T + tensor(folder, "score.0.bias")
        outer = np.maximum(inner, 0) @ tensor(folder, "score.2.weight").T
        return two_way(outer + tensor(folder, "score.2.bias"), 1, 0)

    return read


def skywork(folder: Path, steps: tuple[str, ...]) -> Floats:
    """Their code by lines; a step's lines joined before, so that each step is a line."""
    ids, flags = ids_of(folder, PROBLEM + "\n"), []
    for step in steps:
        ids += [*ids_of(folder, " ".join(step.split("\n"))), ids_of(folder, "\n")[-1]]
        flags.append(len(ids) - 1)
    states = hidden(folder, ids)[flags]
    weight, bias = (tensor(folder, f"v_head.summary.{kind}") for kind in ("weight", "bias"))
    return sigmoid(states @ weight[0] + bias[0])


def classifier(separator: str) -> Callable[[Path, tuple[str, ...]], Floats]:
    def read(folder: Path, steps: tuple[str, ...]) -> Floats:
        ids, places = ids_of(folder, PROBLEM), []
        for step in steps:
            ids += [*ids_of(folder, step), *ids_of(folder, separator)]
            places.append(len(ids) - 1)
        model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
        with torch.inference_mode():
            rows = model(torch.tensor([ids])).logits[0].double().numpy()[places]
        shares = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
        return shares[:, 1] - (shares[:, 0] if separator == "\n\n" else 0)

    return read


def tagged(
    text: Callable[[tuple[str, ...]], str], tag: str, before: int = 0, words: bool = False
) -> Callable[[Path, tuple[str, ...]], Floats]:
    def read(folder: Path, steps: tuple[str, ...]) -> Floats:
        ids = ids_of(folder, text(steps), bos=words)
        (mark,) = ids_of(folder, tag)
        good, bad = (ids_of(folder, sign if words else f" {sign}")[0] for sign in "+-")
        places = [place - before for place in at(ids, mark)]
        return two_way(logits(folder, ids)[places], good, bad)

    return read


def llemma(folder: Path, steps: tuple[str, ...]) -> Floats:
    text = f"# Question\n\n{PROBLEM}\n\n# Solution\n\n" + "\n\n".join(steps)
    ids = [*ids_of(folder, text, bos=True), ids_of(folder, "</s>")[0]]
    line = ids_of(folder, "\n\n")[-1]
    breaks = [i for i, (a, b) in enumerate(pairwise(ids), 1) if a == b == line]
    places = [*breaks[3:], len(ids) - 1]  # after the two of the heading and the prompt's own
    return sigmoid(logits(folder, ids)[places].mean(1))


def reasoneval(folder: Path, steps: tuple[str, ...]) -> Floats:
    ids, places = ids_of(folder, f"Question:\n{PROBLEM}\nAnswer:\nLet's think step by step.\n"), []
    for step in steps:
        ids += ids_of(folder, step)
        places.append(len(ids) - 1)
    rows = hidden(folder, ids)[places] @ tensor(folder, "score_head.weight").T
    shares = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
    return shares[:, 1] + shares[:, 2]


def pqm(folder: Path, steps: tuple[str, ...]) -> Floats:
    text = f"{PROBLEM}\n" + "".join(f"{step} [PRM]\n" for step in steps)
    ids = ids_of(folder, text)
    (tag,) = ids_of(folder, "[PRM]")
    return hidden(folder, ids)[at(ids, tag)] @ tensor(folder, "v_head.weight")[0]


def last_token(squash: Callable[[Floats], Floats]) -> Callable[[Path, tuple[str, ...]], Floats]:
    def read(folder: Path, steps: tuple[str, ...]) -> Floats:
        ids, places = ids_of(folder, PROBLEM + "\n"), []
        for step in steps:
            ids += ids_of(folder, step)
            places.append(len(ids) - 1)
        weight, bias = (tensor(folder, f"value_head.{kind}") for kind in ("weight", "bias"))
        return squash(hidden(folder, ids)[places] @ weight[0] + bias[0])

    return read


# --- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Family:
    read: Callable[[Path, tuple[str, ...]], Floats]
    make: Callable[[Path], Path]
    options: dict[str, Json]
    whole: bool = False
    """An outcome model: one number for all steps."""
    reference: bool = False
    """Needs a second model, which stands in the folder ``reference``."""

    def numbers(self, steps: tuple[str, ...]) -> int:
        return 1 if self.whole else len(steps)


WORDS = ["▁ки", "▁+", "▁-", "▁Step"]


def mistral(folder: Path) -> Path:
    return save(folder, words_level([], WORDS), "Mistral", causal=True)


def llama(folder: Path) -> Path:
    tokenizer = chatty(families.HEADERS, bytes_level(LLAMA, MARKS, bos="<|bos|>"))
    return save(folder, tokenizer, "Llama", causal=True)


def qwen_lm(folder: Path) -> Path:
    return save(folder, bytes_level(QWEN, MARKS), causal=True, tie_word_embeddings=True)


def qwen_prm(folder: Path) -> Path:
    head = {**linear("score.0", 32), **linear("score.2", 2)}
    return save(folder, chatty(families.CHATML, bytes_level(QWEN, MARKS)), head=head, labels=2)


def with_head(
    name: str, out: int, bias: bool = True, added: tuple[str, ...] = (), scale: float = 1
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        tokenizer = bytes_level([*QWEN, *added], MARKS)
        head = {key: scale * value for key, value in linear(name, out, bias=bias).items()}
        return save(folder, tokenizer, head=head)

    return make


def two_labels(folder: Path) -> Path:
    return save(folder, bytes_level(QWEN, MARKS), labels=2)


def spread(separator: str) -> Callable[[tuple[str, ...]], str]:
    return lambda steps: f"{PROBLEM} " + "".join(step + separator for step in steps)


def _id(word: str) -> str:
    """How a recipe names a token that is no word: by its number."""
    tokenizer = words_level([], WORDS) if word.startswith("▁") else bytes_level(LLAMA, MARKS, "x")
    return f"id:{tokenizer.convert_tokens_to_ids(word)}"


BY_NUMBER: dict[str, Json] = {"good": _id("Ġ+"), "bad": _id("Ġ-"), "tag": _id("ĠÐºÐ¸")}

FAMILIES = {
    "math-shepherd": Family(math_shepherd, mistral, {}),
    "rlhflow": Family(rlhflow, llama, {}),
    "qwen-prm": Family(
        qwen("Please reason step by step, and put your final answer within \\boxed{}."),
        qwen_prm,
        {},
    ),
    "reasonflux-7b": Family(qwen("You are a helpful assistant."), qwen_prm, {}),
    "skywork-o1": Family(skywork, with_head("v_head.summary", 1), {}),
    "token-classifier": Family(classifier("\n"), two_labels, {}),
    "pure": Family(classifier("\n\n"), two_labels, {}),
    "asprm-m": Family(unusual.numbered(words=True), mistral, {"good": _id("▁+"), "bad": _id("▁-")}),
    "asprm-l": Family(unusual.numbered(), llama, BY_NUMBER),
    "asprm-d": Family(unusual.numbered(), llama, BY_NUMBER),
    "qwen-rm": Family(unusual.qwen_rm, unusual.outcome, {}, whole=True),
    "bradley-terry": Family(unusual.bradley_terry, unusual.pairs, {}, whole=True),
    "reasonflux-1.5b": Family(
        unusual.reasonflux_small, unusual.head_aside, {"max_length": 16000}, whole=True
    ),
    "universal-prm": Family(unusual.universal, unusual.scalar, {}),
    "implicit-prm": Family(
        unusual.implicit, unusual.two_models, {"beta": unusual.BETA}, reference=True
    ),
    "er-prm": Family(
        lambda f, s: tagged(lambda t: "<|bos|>" + spread(" ки\n")(t), " ки")(f, s), llama, {}
    ),
    "math-psa": Family(tagged(spread(" \n\n\n\n\n"), " \n\n\n\n\n"), qwen_lm, {}),
    "o1-coder": Family(
        tagged(lambda s: f"{PROBLEM}\n" + "".join(f"{o} Rating" for o in s), " Rating", before=1),
        qwen_lm,
        {},
    ),
    "llemma": Family(llemma, mistral, {}),
    "reasoneval": Family(reasoneval, with_head("score_head", 3, bias=False), {}),
    "pqm": Family(pqm, with_head("v_head", 1, bias=False, added=("[PRM]",)), {}),
    "alphamath": Family(unusual.alphamath, unusual.deepseek, {}),
    "value-tanh": Family(last_token(np.tanh), with_head("value_head", 1), {}),
    "rest-mcts": Family(
        last_token(lambda x: np.clip(x, 0, 1)), with_head("value_head", 1, scale=0.1), {}
    ),
    "value-head": Family(
        last_token(sigmoid),
        with_head("value_head", 1),
        {"weights": "value_head", "template": "{prompt}\n{steps}"},
    ),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    name: str = request.param
    return name, FAMILIES[name].make(tmp_path_factory.mktemp(name))


def open_(family: tuple[str, Path], **more: Json) -> TransformersPrm:
    name, folder = family
    options = {"recipe": name, **FAMILIES[name].options, **more}
    if FAMILIES[name].reference:
        options = {"reference": str(folder / "reference"), **options}
    return TransformersPrm(Spec("x", "transformers", str(folder), options))


def judge(prm: TransformersPrm, *drafts: tuple[str, ...]) -> Judged:
    return prm.judge([Judge(Question("t", "p", PROBLEM), tuple(map(Draft, drafts)))])[0]


def test_all_families_are_here() -> None:
    assert set(FAMILIES) == set(recipe.families())


def test_scores_equal_the_familys_own_reading(family: tuple[str, Path]) -> None:
    name, folder = family
    prm = open_(family)
    for steps in (STEPS, LONGER, STEPS[:1]):
        (found,) = judge(prm, steps).scores
        assert found is not None
        expected = FAMILIES[name].read(folder, steps)
        assert len(expected) == FAMILIES[name].numbers(steps)
        assert found.values == pytest.approx(expected, abs=1e-5)


def test_scores_differ_from_step_to_step(family: tuple[str, Path]) -> None:
    if FAMILIES[family[0]].whole:
        pytest.skip("one number for all steps")
    (found,) = judge(open_(family), LONGER).scores
    assert found is not None and np.ptp(found.raw) > 0.01


def test_alone_together_and_prefix_by_prefix(family: tuple[str, Path]) -> None:
    prm = open_(family)
    drafts = [STEPS, LONGER, STEPS[:2], LONGER[:1], STEPS[::-1], STEPS]
    alone = [judge(prm, steps).scores[0] for steps in drafts]
    for batch in (1, 200, 4000):
        together = judge(open_(family, batch=batch), *drafts).scores
        for one, other in zip(alone, together, strict=True):
            assert one and other and other.values == pytest.approx(one.values, abs=1e-5)
    prm.remember(True)
    for k in range(1, len(LONGER) + 1):
        (grown,) = judge(prm, LONGER[:k]).scores
        assert grown and alone[1]
        if prm.covers == "whole" or family[0] == "llemma":  # there the last step is read elsewhere
            assert k < len(LONGER) or grown.values == pytest.approx(alone[1].values, abs=1e-4)
        else:
            assert grown.values == pytest.approx(alone[1].values[:k], abs=1e-4)


def test_text_of_a_step_is_never_a_special_token(family: tuple[str, Path]) -> None:
    hostile = ("<|im_end|>\n<extra_0>", "</s><s>", "<|eot_id|><extra_0>", "[PRM] +")
    prm = open_(family)
    (found,) = judge(prm, hostile).scores
    assert found is not None and len(found.values) == FAMILIES[family[0]].numbers(hostile)
    folder = family[1]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ((plain,),) = prm._encoder.encode(Question("t", "p", PROBLEM), [Draft(STEPS[:1])])
    ((whole,),) = prm._encoder.encode(Question("t", "p", PROBLEM), [Draft(hostile[:1])])
    specials = set(tokenizer.all_special_ids)
    assert sum(i in specials for i in whole.ids) == sum(i in specials for i in plain.ids)


MOVES = {"llemma": ["later steps change no earlier score"]}
"""There the last step is read elsewhere."""


def test_the_contract_is_kept(family: tuple[str, Path]) -> None:
    found = {trial.name: trial.said for trial in conformance(open_(family)) if trial.said}
    assert list(found) == MOVES.get(family[0], []), found


def test_what_is_longer_than_the_model_reads_is_said(family: tuple[str, Path]) -> None:
    long = STEPS * 20
    with pytest.raises(
        DataError, match=r"solution 1 of 'p': it has \d+ tokens, the model reads 300"
    ):
        judge(open_(family, max_length=300), STEPS, long)
    found = judge(open_(family, max_length=300, unreadable="skip"), STEPS, long).scores
    assert found[0] is not None and found[1] is None


ODD = ("a", "  lead", "trail \n\n", "x\r\ny", "é 漢字 😀", "1", "two\n\nparts", ".")


def test_one_score_per_step_whatever_is_in_it(family: tuple[str, Path]) -> None:
    prm = open_(family, unreadable="skip")
    for steps in (ODD, ODD[::-1], tuple(f"{i} + 1 = {i + 1}" for i in range(200))):
        (found,) = judge(prm, steps).scores
        assert found is not None and len(found.values) == FAMILIES[family[0]].numbers(steps)


def test_a_recipe_has_a_digest_and_what_goes_before_it(family: tuple[str, Path]) -> None:
    one, other = open_(family), open_(family, max_length=512)
    assert one.identity()["recipe"] != other.identity()["recipe"]
    declared = recipe.families()[family[0]]["aggregation"]
    assert one.aggregation == declared
    assert open_(family, aggregation="min").identity()["recipe"] == one.identity()["recipe"]


def pickled(folder: Path) -> Path:
    unusual.head_aside(folder)
    (folder / "reward_head.safetensors").rename(folder / "reward_head.pt")
    return folder


# --- what does not fit ---------------------------------------------------------------------------

WRONG: dict[str, tuple[Callable[[Path], Path], dict[str, Json], type[Exception], str]] = {
    "a tag that is several tokens": (
        mistral,
        {"recipe": "er-prm", "good": "+", "bad": "-"},
        ConfigError,
        r"tag ' ки' is not one token .* but 2 \('▁', '▁ки'\); the recipe is another family's",
    ),
    "words that are several tokens": (
        qwen_lm,
        {"recipe": "math-psa", "good": "good"},
        ConfigError,
        "good 'good' is not one token",
    ),
    "a chat without a template": (
        qwen_lm,
        {"recipe": "qwen-prm"},
        ConfigError,
        "chat=answer: the model's tokenizer has no chat template",
    ),
    "tensors that are not there": (
        with_head("v_head.summary", 1),
        {"recipe": "skywork-o1", "weights": "v_head.sumary"},
        DataError,
        "has no head 'v_head.sumary'; did you mean 'v_head.summary'",
    ),
    "a head of another width": (
        with_head("score", 3),
        {"recipe": "qwen-prm", "chat": "none", "template": "{prompt}{steps}"},
        ConfigError,
        r"head=softmax reads 2 number\(s\) per token and the model gives 3; use head=validity",
    ),
    "no classifier in the checkpoint": (
        qwen_lm,
        {"recipe": "token-classifier"},
        DataError,
        r"is no Qwen2ForTokenClassification: it lacks 2 of the weights, .* \(score.bias, score.w",
    ),
    "no language model in the checkpoint": (
        two_labels,
        {"recipe": "math-psa"},
        DataError,
        r"is no Qwen2ForCausalLM: it lacks 1 of the weights, .* \(lm_head.weight\)",
    ),
    "a head that reads another width": (
        lambda folder: save(folder, unusual.chatml(), head=linear("score", 1, inner=8)),
        {"recipe": "bradley-terry"},
        DataError,
        "the head 'score' reads 8 numbers and the model gives 32",
    ),
    "an outcome model of two classes": (
        qwen_prm,
        {"recipe": "qwen-rm"},
        ConfigError,
        r"head=raw reads 1 number\(s\) per token and the model gives 2; use head=softmax or diff",
    ),
    "a head in a pickle": (
        pickled,
        {"recipe": "reasonflux-1.5b"},
        DataError,
        "has no head 'reward_head'; .*; reward_head.pt may run code and is not read: docs/prms.md ",
    ),
    "a token beyond the vocabulary": (
        llama,
        {"recipe": "asprm-l", **BY_NUMBER, "good": "id:7820"},
        ConfigError,
        r"good=id:7820: this model's tokenizer has \d+ tokens; the recipe is another family's",
    ),
    "an end that the tokenizer does not have": (
        llama,
        {"recipe": "universal-prm"},
        ConfigError,
        "end={eos}: the model's tokenizer names no end of a text",
    ),
    "prefixes with a tag": (
        qwen_prm,
        {"recipe": "qwen-prm", "inputs": "prefixes"},
        ConfigError,
        "inputs=prefixes is read at its last token: no tag, chat=turns or read=before",
    ),
    "a number in the place of a tag between parts": (
        llama,
        {"recipe": "asprm-l", **BY_NUMBER, "encode": "parts"},
        ConfigError,
        "is found in a text: it needs encode=text",
    ),
    "logits that are capped": (
        lambda folder: save(
            folder,
            bytes_level(QWEN, MARKS),
            "Gemma2",
            causal=True,
            final_logit_softcapping=0.5,
            sliding_window=64,
        ),
        {"recipe": "math-psa"},
        ConfigError,
        "Gemma2ForCausalLM does more than multiply to get its logits; head=pair cannot read it",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_said(name: str, tmp_path: Path) -> None:
    make, options, kind, message = WRONG[name]
    folder = make(tmp_path)
    labels = {"num_labels": 2}
    if name == "no classifier in the checkpoint":
        config = transformers.AutoConfig.from_pretrained(folder, **labels)
        config.save_pretrained(folder)
    with pytest.raises(kind, match=message):
        judge(TransformersPrm(Spec("x", "transformers", str(folder), options)), STEPS)


def test_a_step_that_holds_the_tag_is_refused_or_left_out(tmp_path: Path) -> None:
    family = "math-shepherd", mistral(tmp_path)
    hostile = (STEPS[0], "all right ки and so on", STEPS[2])
    with pytest.raises(DataError, match=r"solution 1 of 'p': its text holds the tag 'ки' 1 times"):
        judge(open_(family), STEPS, hostile)
    found = judge(open_(family, unreadable="skip"), STEPS, hostile).scores
    assert found[0] is not None and found[1] is None


BLANK = {"rlhflow", "qwen-prm", "reasonflux-7b", "skywork-o1", "token-classifier", "pure", "pqm"}
"""White space at the end of a step gives way to their separator: of such a step nothing is left."""


def test_a_step_of_white_space_is_read_or_said(family: tuple[str, Path]) -> None:
    for number in range(2):
        blank = (*STEPS[:number], " \n\n", *STEPS[number:])
        if family[0] not in BLANK:
            (found,) = judge(open_(family), blank).scores
            assert found and len(found.values) == FAMILIES[family[0]].numbers(blank)
            continue
        said = f"cannot read solution 1 of 'p': step {number} is only white space; add unreadable="
        with pytest.raises(DataError, match=said):
            judge(open_(family), STEPS, blank)
        found, none = judge(open_(family, unreadable="skip"), STEPS, blank).scores
        assert found is not None and none is None


def test_certain_probabilities_move_nothing(tmp_path: Path) -> None:
    """Readers that look for numbers that are not zero lose a step whose probability is 0."""
    from safetensors.torch import load_file, save_file

    folder = qwen_prm(tmp_path)
    steps = tuple(f"step {i} " + "abc"[i % 3] * i for i in range(1, 12))
    (usual,) = judge(open_(("qwen-prm", folder)), steps).scores
    assert usual and usual.raw
    path = folder / "model.safetensors"
    weights = load_file(path)
    low, high = weights["score.2.bias"].tolist()
    weights["score.2.weight"] *= 1e4
    weights["score.2.bias"] = torch.tensor([0.0, -1e4 * float(np.median(usual.raw) - high + low)])
    save_file(weights, path, metadata={"format": "pt"})
    (found,) = judge(open_(("qwen-prm", folder)), steps).scores
    assert found is not None and len(found.values) == 11
    assert {0.0, 1.0} <= set(found.values)


RANGES = {"p_correct": (0, 1), "value": (-1, 1), "advantage": (-1, 1), "reward": (-1e9, 1e9)}


def test_numbers_of_ten_thousand_move_nothing(family: tuple[str, Path], tmp_path: Path) -> None:
    """Of hidden states that are so much larger: probabilities are exactly 0 and 1."""
    from safetensors.torch import load_file, save_file

    name, folder = family
    (usual,) = judge(open_(family), LONGER).scores
    path = shutil.copytree(folder, tmp_path / "model") / "model.safetensors"
    weights = load_file(path)
    weights["model.norm.weight"] *= 1e4
    save_file(weights, path, metadata={"format": "pt"})
    prm = open_((name, path.parent))
    (found,), (part,) = judge(prm, LONGER).scores, judge(prm, LONGER[:2]).scores
    assert usual and found and part
    assert len(found.values) == len(usual.values) and found.tokens == usual.tokens
    assert np.isfinite([*found.values, *found.raw]).all()
    assert np.abs(found.raw).max() > 100 * np.abs(usual.raw).max()
    low, high = RANGES[prm.semantics]
    assert all(low <= value <= high for value in found.values)
    if not FAMILIES[name].whole and name not in MOVES:
        assert part.values == pytest.approx(found.values[:2], rel=1e-3)
    if prm.semantics == "p_correct":
        assert set(found.values) <= {0.0, 1.0}


def test_a_recipe_file(tmp_path: Path) -> None:
    folder, path = qwen_prm(tmp_path / "model"), tmp_path / "mine.yaml"
    path.write_text(
        'chat: answer\nsystem: Be careful.\nseparator: "<extra_0>"\ntag: "<extra_0>"\n'
        "head: softmax\nweights: score\n"
    )
    prm = TransformersPrm(Spec("x", "transformers", str(folder), {"recipe": str(path)}))
    (found,) = judge(prm, STEPS).scores
    assert found and found.values == pytest.approx(qwen("Be careful.")(folder, STEPS), abs=1e-5)
    path.write_text("chat: answer\nseperator: x\n")
    with pytest.raises(ConfigError, match=r"mine.yaml:2: a recipe has no 'seperator'; did you mea"):
        TransformersPrm(Spec("x", "transformers", str(folder), {"recipe": str(path)}))
    path.write_text("- chat")
    with pytest.raises(ConfigError, match="a recipe is a mapping of model, revision, reference, "):
        TransformersPrm(Spec("x", "transformers", str(folder), {"recipe": str(path)}))
    path.write_text("chat: [")
    with pytest.raises(ConfigError, match=r"mine.yaml:\d: not valid YAML"):
        TransformersPrm(Spec("x", "transformers", str(folder), {"recipe": str(path)}))
    with pytest.raises(ConfigError, match=r"cannot read none\.yaml: No such file"):
        TransformersPrm(Spec("x", "transformers", str(folder), {"recipe": "none.yaml"}))


def test_thresholds_are_declared(tmp_path: Path) -> None:
    """Half for what lies between 0 and 1, 0 for what lies around it, none for rewards."""
    from harness.adapters.options import Options

    def declared(name: str, **more: Json) -> float | None:
        more = {**FAMILIES[name].options, **more}
        options = recipe.with_recipe(Spec("x", "transformers", "x", {"recipe": name, **more}))
        return recipe.from_options(Options(options, "PRM")).threshold

    others = dict.fromkeys(("pure", "alphamath", "value-tanh"), 0.0)
    others |= dict.fromkeys(("pqm", "qwen-rm", "bradley-terry", "implicit-prm"), None)
    assert {name: declared(name) for name in FAMILIES} == dict.fromkeys(FAMILIES, 0.5) | others
    assert declared("reasoneval", head="redundancy", aggregation="max") is None
    assert declared("pqm", threshold=-1.5) == -1.5


def test_a_heads_tensors_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.prms import heads

    reads: list[str] = []
    usual = heads.named_layers
    monkeypatch.setattr(heads, "named_layers", lambda *given: reads.append("read") or usual(*given))
    prm = open_(("qwen-prm", qwen_prm(tmp_path)))
    first = judge(prm, STEPS)
    prm.close()
    assert judge(prm, STEPS) == first and prm.architecture
    assert reads == ["read"]


# --- outcome models, inputs of their own ----------------------------------------------------------


def test_an_outcome_model_has_no_scores_of_steps(tmp_path: Path) -> None:
    folder = unusual.outcome(tmp_path)
    spec = Spec("x", "transformers", str(folder), {"recipe": "qwen-rm"})
    usual, said = (
        open_prm(replace(spec, options={**spec.options, **more}), TransformersPrm)
        for more in ({}, {"steps": "whole"})
    )
    assert usual.covers == said.covers == "whole"
    assert usual.identity() == said.identity()
    with pytest.raises(ConfigError, match="PRM x judges whole solutions; it has no scores of step"):
        open_prm(replace(spec, options={**spec.options, "steps": "each"}), TransformersPrm)


def test_the_end_of_a_dialogue_is_the_templates_unless_another_is_said(tmp_path: Path) -> None:
    folder = unusual.outcome(tmp_path)
    usual, own, other = (
        judge(open_(("qwen-rm", folder), **more), STEPS).scores[0]
        for more in ({}, {"end": "<|im_end|>\n"}, {"end": "<|im_end|>"})
    )
    assert usual and own and other
    assert usual.values == own.values != other.values
    assert (usual.tokens or 0) - 1 == other.tokens


def test_prefixes_share_what_they_have_in_common(tmp_path: Path) -> None:
    """One input per step costs one end per step; where nothing is shared, all of every prefix."""
    family = "universal-prm", unusual.scalar(tmp_path)
    user = f"{PROBLEM}\n\n###\n\nThe reference answer is: There is no reference answer for this "
    head = unusual.chat(unusual.SYSTEM, f"{user}question.")
    sizes = [
        len(ids_of(family[1], head + "".join(f"{one}\n\n" for one in LONGER[:k]))) + 1
        for k in range(1, len(LONGER) + 1)
    ]
    reply = judge(open_(family, batch=4000), LONGER)
    (found,) = reply.scores
    assert found is not None and found.tokens == sizes[-1] + len(LONGER) - 1
    assert reply.tokens.prefill_logical == reply.tokens.prefill_computed == found.tokens
    assert reply.tokens.calls == 1
    prm = open_(family, batch=1)
    prm._readers[0]._open()._packs = False
    apart = judge(prm, LONGER)
    assert apart.scores[0] and apart.scores[0].values == pytest.approx(found.values, abs=1e-5)
    assert apart.tokens.prefill_computed == sum(sizes)


def test_a_prefix_without_an_end_is_read_as_in_one_pass(tmp_path: Path) -> None:
    family = "universal-prm", unusual.scalar(tmp_path)
    one, other = (
        judge(open_(family, end="", encode="parts", inputs=inputs), LONGER).scores[0]
        for inputs in ("once", "prefixes")
    )
    assert one and other and one.values == pytest.approx(other.values, abs=1e-5)
