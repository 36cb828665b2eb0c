"""Log ratios of two models: what is added up, what it costs, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import transformers  # noqa: E402

from harness.cost import Architecture  # noqa: E402
from harness.errors import ConfigError  # noqa: E402
from harness.prms import likelihood  # noqa: E402
from harness.prms.likelihood import Likelihood  # noqa: E402
from harness.prms.transformers import TransformersPrm  # noqa: E402
from harness.types import Draft, Json, Judge, Judged, Question, Spec  # noqa: E402
from tests.prms.families import LONGER, MARKS, PROBLEM, STEPS, save  # noqa: E402
from tests.prms.unusual import BETA, MERGED, chatml, implicit, two_models  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_models(tmp_path_factory.mktemp("two"))


def open_(folder: Path, **more: Json) -> TransformersPrm:
    options: dict[str, Json] = {
        "recipe": "implicit-prm",
        "beta": BETA,
        "reference": str(folder / "reference"),
    }
    return TransformersPrm(Spec("x", "transformers", str(folder), {**options, **more}))


def judge(prm: TransformersPrm, *drafts: tuple[str, ...]) -> Judged:
    return prm.judge([Judge(Question("t", "p", PROBLEM), tuple(map(Draft, drafts)))])[0]


def values(prm: TransformersPrm, steps: tuple[str, ...]) -> tuple[float, ...]:
    (found,) = judge(prm, steps).scores
    assert found is not None
    return found.values


def test_a_step_is_what_it_adds(folder: Path) -> None:
    sums = values(open_(folder), LONGER)
    gains = values(open_(folder, head="log_ratio_step"), LONGER)
    assert np.cumsum(gains) == pytest.approx(sums, abs=1e-6)
    assert gains[1:] != pytest.approx(sums[1:], abs=1e-3)


def test_the_last_step_may_be_read_to_the_end_of_the_turn(folder: Path) -> None:
    found = values(open_(folder, end="<|im_end|>"), STEPS)
    assert found == pytest.approx(implicit(folder, STEPS, end="<|im_end|>"), abs=1e-5)
    usual = values(open_(folder), STEPS)
    assert found[:-1] == pytest.approx(usual[:-1], abs=1e-6)
    assert abs(found[-1] - usual[-1]) > 1e-3


def test_full_stop_and_blank_line_may_be_one_token(tmp_path: Path) -> None:
    """A tokenizer that merges them puts the end of a step elsewhere than one that does not."""
    for name, words in (("merged", MERGED), ("apart", MARKS)):
        folder = two_models(tmp_path / name, words)
        assert values(open_(folder), STEPS) == pytest.approx(implicit(folder, STEPS), abs=1e-5)


def test_beta_is_a_factor_and_equal_models_agree_on_everything(folder: Path) -> None:
    once, twice = values(open_(folder), STEPS), values(open_(folder, beta=2 * BETA), STEPS)
    assert twice == pytest.approx([2 * value for value in once])
    assert values(open_(folder, reference=str(folder)), STEPS) == (0.0, 0.0, 0.0)


def test_packed_alone_and_remembered_are_the_same(folder: Path) -> None:
    drafts = [STEPS, LONGER, STEPS[:2], (*STEPS[:2], "No."), LONGER[:1]]
    prm = open_(folder, batch=4000)
    together = judge(prm, *drafts)
    assert together.tokens.prefill_computed < together.tokens.prefill_logical / 2
    alone = [values(open_(folder, batch=1), steps) for steps in drafts]
    prm.remember(True)
    for k in (1, 2, 3):
        grown = values(prm, STEPS[:k])
    assert grown == pytest.approx(alone[0], abs=1e-5)
    for one, found in zip(alone, together.scores, strict=True):
        assert found is not None and found.values == pytest.approx(one, abs=1e-5)


def test_both_models_are_charged(folder: Path) -> None:
    prm = open_(folder)
    reply = judge(prm, STEPS, STEPS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    turns = [{"role": "user", "content": PROBLEM}]
    text = tokenizer.apply_chat_template(turns, tokenize=False) + "<|im_start|>assistant\n"
    text += "".join(f"Step {k}: {step}\n\n" for k, step in enumerate(STEPS, 1))
    size = len(tokenizer(text).input_ids)
    assert reply.tokens.calls == 4
    assert reply.tokens.prefill_logical == 2 * 2 * size
    assert reply.tokens.prefill_computed == 2 * size  # equal drafts go once
    assert [one.tokens for one in reply.scores if one] == [2 * size] * 2
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    layers = sum(p.numel() for p in model.model.layers.parameters() if p.ndim > 1)
    head = model.lm_head.weight.numel()
    shape = Architecture(layers, layers + head, 0, 2, 32)
    assert prm.architecture is not None
    assert prm.architecture.prefill(2 * size, outputs=3) == 2 * shape.prefill(size, outputs=0)
    assert prm.architecture.prefill(20, cached=8, outputs=3) == 2 * shape.prefill(10, cached=4)


def test_a_reference_of_another_shape_is_allowed(folder: Path, tmp_path: Path) -> None:
    save(tmp_path, chatml(MERGED), causal=True, num_key_value_heads=4)
    assert values(open_(folder, reference=str(tmp_path)), STEPS)
    own, other = open_(folder), open_(folder, reference=str(tmp_path))
    assert own.identity() != other.identity()
    assert own.identity()["reference"] != own.identity()["files"]
    assert str(other.describe()["reference"]) == str(tmp_path)


def test_log_probabilities_do_not_depend_on_the_pieces(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    for bias in (None, torch.randn(model.config.vocab_size)):
        reads = Likelihood(model.base_model, model.lm_head.weight.detach(), bias)
        ids = torch.randint(0, model.config.vocab_size, (3, 20))
        with torch.inference_mode():
            logits = model(ids).logits + (0 if bias is None else bias)
            expected = logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
            for rows, tokens in ((16_384, 1_024), (70, 1_024), (100, 13)):
                monkeypatch.setattr(likelihood, "_ROWS", rows)
                monkeypatch.setattr(likelihood, "_TOKENS", tokens)
                found = reads(input_ids=ids).logits[..., 0]
                assert (found[:, 0] == 0).all()
                assert (found[:, 1:] - expected).abs().max() < 2e-5
            assert reads(input_ids=ids[:, :1]).logits.flatten().tolist() == [0.0] * 3


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no beta": ({"beta": None}, "head=log_ratio needs beta=…, the factor .* no usual one"),
    "no reference": ({"reference": None}, "head=log_ratio needs reference=…, the model"),
    "a tag": ({"separator": "<extra_0>", "tag": "<extra_0>"}, "adds up the tokens of a solution"),
    "a scale": ({"scale": 2.0}, "head=log_ratio has a beta and no scale"),
    "a head": ({"weights": "score"}, "reads the language model; weights=score is another"),
    "a product": ({"aggregation": "product"}, "'product' is not defined for scores that mean"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_said(folder: Path, name: str) -> None:
    options, message = WRONG[name]
    with pytest.raises(ConfigError, match=message):
        open_(folder, **options)


def test_other_heads_take_neither_beta_nor_reference(folder: Path) -> None:
    target = Spec("x", "transformers", str(folder), {"recipe": "qwen-prm", "beta": 0.1})
    with pytest.raises(ConfigError, match="head=softmax has no beta; heads that do: log_ratio, "):
        TransformersPrm(target)
    options: dict[str, Json] = {"recipe": "math-psa", "reference": str(folder)}
    with pytest.raises(ConfigError, match="no option 'reference'"):
        TransformersPrm(Spec("x", "transformers", str(folder), options))


def test_different_tokenizers_are_refused(folder: Path, tmp_path: Path) -> None:
    save(tmp_path, chatml([*MERGED[:4], "sum", *MERGED[4:]]), causal=True)
    with pytest.raises(
        ConfigError, match=r"and its reference .* have different tokenizers: token \d+ is "
    ):
        open_(folder, reference=str(tmp_path))


def test_capped_logits_are_refused(tmp_path: Path) -> None:
    for name in ("", "reference"):
        save(
            tmp_path / name,
            chatml(MERGED),
            "Gemma2",
            causal=True,
            final_logit_softcapping=0.5,
            sliding_window=64,
        )
    with pytest.raises(ConfigError, match="does more than multiply to get its logits"):
        judge(open_(tmp_path), STEPS)
