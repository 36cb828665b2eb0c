"""Value heads: read at hand-computed places, from separately encoded parts, causal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.adapters.memory import plan
from harness.errors import ConfigError, DataError
from harness.prms.recipe import Recipe
from harness.prms.render import Encoder
from harness.prms.transformers import TransformersPrm
from harness.types import Draft, Json, Judge, Judged, Question, Spec

torch = pytest.importorskip("torch")
import transformers  # noqa: E402

QUESTION = Question("t", "p", "a=47+38;a?\n")
STEPS = ("a=40+45\n", "a=85\n", "\\boxed{85}\n")


def open_(folder: Path, **options: Json) -> TransformersPrm:
    return TransformersPrm(Spec("x", "transformers", str(folder), options))


def judge(prm: TransformersPrm, *drafts: tuple[str, ...], prompt: str = QUESTION.prompt) -> Judged:
    question = Question("t", "p", prompt)
    return prm.judge([Judge(question, tuple(Draft(steps) for steps in drafts))])[0]


def by_hand(folder: Path, parts: list[str], reads: list[int]) -> list[list[float]]:
    """Head values at the last token of some parts."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
    ids, ends = [], []
    for part in parts:
        ids += tokenizer(part, add_special_tokens=False).input_ids
        ends.append(len(ids) - 1)
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0].double().numpy()
    return logits[[ends[i] for i in reads]].tolist()


def test_scores_equal_a_hand_written_reading(tiny: Path) -> None:
    raw = np.array(by_hand(tiny, [QUESTION.prompt, *STEPS], [1, 2, 3]))[:, 0]
    scores = judge(open_(tiny), STEPS).scores[0]
    assert scores.raw == pytest.approx(raw, abs=1e-4)
    assert scores.values == pytest.approx(1 / (1 + np.exp(-raw)), abs=1e-5)
    assert np.ptp(raw) > 0.1


def test_separator_and_template(tiny: Path) -> None:
    prm = open_(tiny, separator="; ", template="Q: {prompt}A: {steps}")
    parts = ["Q: " + QUESTION.prompt + "A: "]
    for step in STEPS:
        parts += [step.rstrip("\n"), "; "]
    raw = np.array(by_hand(tiny, parts, [2, 4, 6]))[:, 0]
    assert judge(prm, STEPS).scores[0].raw == pytest.approx(raw, abs=1e-4)
    assert prm.identity() != open_(tiny).identity()


def test_two_labels_and_raw_values(make_prm, tiny: Path) -> None:
    folder = make_prm(num_labels=2)
    raw = np.array(by_hand(folder, [QUESTION.prompt, *STEPS], [1, 2, 3]))
    scores = judge(open_(folder, head="softmax"), STEPS).scores[0]
    expected = np.exp(raw[:, 1]) / np.exp(raw).sum(1)
    assert scores.values == pytest.approx(expected, abs=1e-5)
    plain = judge(open_(tiny, head="raw"), STEPS).scores[0]
    assert (plain.values, plain.semantics) == (plain.raw, "reward")
    with pytest.raises(
        ConfigError, match=r"reads 1 number\(s\) .* gives 2; use head=softmax or difference"
    ):
        open_(folder)
    with pytest.raises(ConfigError, match="use head=sigmoid or tanh or clamp or raw"):
        open_(tiny, head="softmax")


def test_later_steps_change_no_earlier_score(tiny: Path) -> None:
    prm = open_(tiny)
    values = [judge(prm, STEPS[:k]).scores[0].values for k in (1, 2, 3)]
    assert values[2][:2] == pytest.approx(values[1], abs=1e-5)
    assert values[2][:1] == pytest.approx(values[0], abs=1e-5)


@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_batches_and_padding_change_nothing(tiny: Path, batch: int) -> None:
    drafts = [STEPS[:1], STEPS, ("x\n",) * 9, STEPS[::-1], STEPS]
    alone = [judge(open_(tiny), steps).scores[0].values for steps in drafts]
    together = judge(open_(tiny, batch=batch), *drafts)
    assert [s.values for s in together.scores] == [pytest.approx(v, abs=1e-5) for v in alone]


def test_merging_tokenizers_are_never_shown_joined_text() -> None:
    """ "a" + "b" as one token would move the place that is read; parts are encoded alone."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, "<s>": 3}, merges=[("a", "b")]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)
    assert tokenizer("aba").input_ids == [2, 0]
    encoder = Encoder(Recipe(), tokenizer)
    ((found,),) = encoder.encode(Question("t", "p", "a"), [Draft(("b", "a", "b"))])
    assert (found.ids, found.reads) == ((0, 1, 0, 1), (1, 2, 3))
    tokenizer.bos_token = "<s>"
    ((found,),) = Encoder(Recipe(separator="a"), tokenizer).encode(
        Question("t", "p", "a"), [Draft(("b", "ab"))]
    )
    assert (found.ids, found.reads) == ((3, 0, 1, 0, 2, 0), (3, 5))


def test_a_prompt_is_inserted_and_never_interpreted(tiny: Path) -> None:
    prompt = "{steps} {prompt} {0}\n"
    raw = np.array(by_hand(tiny, [prompt, *STEPS], [1, 2, 3]))[:, 0]
    assert judge(open_(tiny), STEPS, prompt=prompt).scores[0].raw == pytest.approx(raw, abs=1e-4)


def test_equal_drafts_are_computed_once(tiny: Path) -> None:
    reply = judge(open_(tiny), STEPS, STEPS, STEPS[:1])
    first, again, _ = reply.scores
    assert first == again
    assert reply.tokens.prefill_logical == sum(s.tokens for s in reply.scores)
    assert reply.tokens.prefill_computed <= reply.tokens.prefill_logical - first.tokens


def test_too_long_stops_or_is_skipped_but_never_invents(tiny: Path) -> None:
    long = ("a=1\n",) * 60
    with pytest.raises(
        DataError, match=r"solution 1 of 'p': it has 25\d tokens, .* unreadable=skip"
    ):
        judge(open_(tiny), STEPS, long)
    prm = open_(tiny, unreadable="skip")
    reply = judge(prm, STEPS, long)
    assert reply.scores[0] is not None
    assert reply.scores[1] is None
    assert reply.tokens.calls == 1
    with pytest.raises(DataError, match="reads 20"):
        judge(open_(tiny, max_length=20), STEPS)


def test_two_hundred_steps(make_prm) -> None:
    prm = open_(make_prm(max_position_embeddings=2048))
    assert len(judge(prm, ("x=1\n",) * 200).scores[0].values) == 200


def test_an_empty_step_is_an_error(tiny: Path) -> None:
    with pytest.raises(ValueError, match="step 1 of a draft of 'p' is empty"):
        judge(open_(tiny), ("a\n", "", "b\n"))


def test_a_model_that_looks_ahead_is_refused(make_prm) -> None:
    folder = make_prm("Bert", num_key_value_heads=4)
    with pytest.raises(ConfigError, match="looks ahead"):
        judge(open_(folder), STEPS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": "{prompt}"}, "end with {steps}"),
        ({"template": "{steps}"}, "must hold {prompt} once"),
        ({"template": "{steps}{prompt}{steps}"}, "must end with {steps}"),
        ({"chat": "answer", "template": "{prompt}{steps}"}, "leave {steps} to the assistant"),
        ({"chat": "answer"}, "has no chat template"),
        ({"step": "Step {k}"}, "must hold {step} once"),
        (
            {"template": "{prompt} ({answer})\n{steps}"},
            r"template: there is no slot \{answer\}; a PRM is given the prompt and the steps "
            r"alone, never a reference answer; slots are \{prompt\}, \{steps\}$",
        ),
        ({"template": "{prompt}{solution}"}, r"no slot \{solution\}.*; slots are"),
        (
            {"step": "{step} [{gold}]"},
            r"step: there is no slot \{gold\}.*; slots are \{step\}, \{k\}",
        ),
        ({"chat": "answer", "template": "{prompt}{reference}"}, r"slots are \{prompt\}$"),
        ({"tag": "!", "separator": "?"}, "does not hold the tag"),
        ({"head": "pair", "weights": "classifier"}, "reads the language model"),
        ({"scale": 0}, "must be above 0"),
        ({"recipe": "qwen_prm"}, "did you mean 'qwen-prm'"),
        ({"aggregation": "product", "head": "raw"}, "legal: last"),
        ({"head": "sigmod"}, "did you mean 'sigmoid'"),
        ({"sep": "x"}, "no option 'sep'"),
        ({"unreadable": "cut"}, "does not exist"),
    ],
)
def test_mistakes(tiny: Path, options: dict[str, Json], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_(tiny, **options)


@pytest.mark.parametrize(
    "braces", ["\\boxed{}", "\\boxed{answer}", "\\text{solution}", "{x}", "{}"]
)
def test_other_braces_are_text(braces: str) -> None:
    recipe = Recipe(template=f"End with {braces}: {{prompt}}\n{{steps}}")
    assert recipe.before_steps("1 + 1?") == f"End with {braces}: 1 + 1?\n"


def test_plan_covers_all_within_the_budget() -> None:
    lengths = [5, 50, 7, 7, 31, 5, 200]
    batches = list(plan(lengths, 64))
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    for batch in batches:
        width = max(lengths[i] for i in batch)
        assert len(batch) == 1 or width * len(batch) <= 64
    assert batches[0] == [6]
    assert list(plan([], 64)) == []


def test_a_large_pass_takes_no_input_that_is_much_shorter() -> None:
    """A pass on a GPU holds 32,768 tokens; the longest of a few inputs must not pad all others."""
    lengths = [2000, 1900, 1700, *[500] * 8, 300, *[20] * 40]
    batches = list(plan(lengths, 32_768))
    assert batches == [[0, 1, 2], [*range(3, 12)], [*range(12, 52)]]
    assert list(plan([500, 300, 20, 20], 32_768)) == [[0, 1, 2, 3]]
    assert [len(batch) for batch in plan([2000] * 3 + [400] * 40, 32_768)] == [3, 40]
