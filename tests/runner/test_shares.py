"""Policy and PRM on one GPU: shares that are too large together are refused before a run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from harness.config import Sweep
from harness.errors import ConfigError
from harness.registry import open_policy
from harness.runner.extend import add_prms
from harness.runner.plan import make_plan
from harness.runner.progress import Silent
from harness.runner.shares import USUAL_SHARE, share, with_share
from harness.runner.standins import Opener
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder

torch = pytest.importorskip("torch")


def test_shares_of_members_add_up() -> None:
    own = {"gpu_memory_utilization": 0.3, "device": "cuda"}
    assert share(own) == 0.3
    assert share({"a": own, "b": {**own, "gpu_memory_utilization": None}, "c": own}) == 0.6


def plan(monkeypatch: pytest.MonkeyPatch, policy: str, prm: str, *methods: str) -> None:
    """Make a plan as on a machine with a GPU."""
    place = (torch.device("cuda"), torch.bfloat16)
    monkeypatch.setattr("harness.adapters.checkpoint.place", lambda device, dtype: place)
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    settings = Sweep(
        tasks=("chain_arithmetic",),
        policies=(f"embedded,engine=vllm{policy}",),
        prms=(f"prm-math-small,engine=vllm{prm}",),
        methods=methods,
        limit=2,
    )
    make_plan(settings, None, open_policy, RunTruth().open_prm)


def test_engines_that_search_together_share_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"embedded and prm-math-small .* ask for 0\.9 \+ 0\.9"):
        plan(monkeypatch, "", "", "beam,width=2")
    key = ",gpu_memory_utilization="
    with pytest.raises(ConfigError, match=r"0\.7 \+ 0\.4 of .* write --policy embedded,engine="):
        plan(monkeypatch, f"{key}0.7", f"{key}0.4", "beam,width=2")
    plan(monkeypatch, f"{key}0.6", f"{key}0.4", "beam,width=2")
    plan(monkeypatch, "", "", "best_of_n")  # one after the other


@pytest.mark.parametrize(
    ("text", "what", "told"),
    [
        ("embedded,engine=vllm", "policy", "embedded,engine=vllm,gpu_memory_utilization=0.4"),
        (
            "vllm:Q/X,gpu_memory_utilization=0.9,batch=8",
            "policy",
            "vllm:Q/X,batch=8,gpu_memory_utilization=0.4",
        ),
        ("vllm:Q/X,cache=9000", "policy", "vllm:Q/X,cache=9000"),
        ("qwen2.5-math-prm-7b", "PRM", "qwen2.5-math-prm-7b"),
        (
            "ensemble:[vllm:Q/X,recipe=qwen-prm]+prm-code,combine=min",
            "PRM",
            "ensemble:[vllm:Q/X,recipe=qwen-prm,gpu_memory_utilization=0.2]+[prm-code],combine=min",
        ),
        (
            "critic:think-prm,model=[vllm:Q/X,batch=8],chains=2",
            "PRM",
            "critic:think-prm,chains=2,model=[vllm:Q/X,batch=8,gpu_memory_utilization=0.4]",
        ),
        ("ensemble:[critic:think-prm,model=vllm:Q/X]+prm-code", "PRM", None),
    ],
)
def test_a_share_is_written_where_it_belongs(text: str, what: str, told: str | None) -> None:
    assert with_share(text, what, 0.4, "default") == told  # type: ignore[arg-type]


def test_a_critic_of_the_catalogue_is_given_its_model_anew() -> None:
    own = "[transformers:launch/ThinkPRM-1.5B,gpu_memory_utilization=0.4]"
    assert with_share("think-prm-1.5b", "PRM", 0.4, "vllm") == f"think-prm-1.5b,model={own}"


def test_members_and_critics_that_are_not_here_ask_for_shares() -> None:
    opener = Opener("vllm")
    prm = opener.prm("ensemble:qwen2.5-math-prm-7b+skywork-o1-prm-7b", RunTruth().open_prm)
    assert share(prm.describe()) == 1.8
    own = ",model=[transformers:Q/J-7B,gpu_memory_utilization=0.3]"
    assert share(opener.prm(f"critic:think-prm{own}", RunTruth().open_prm).describe()) == 0.3
    assert share(opener.prm("think-prm-1.5b", RunTruth().open_prm).describe()) == 0.9


@pytest.mark.parametrize(
    ("prms", "methods"),
    [
        (("qwen2.5-math-prm-7b",), ("beam,width=2",)),
        (("qwen2.5-math-prm-7b", "skywork-o1-prm-7b,engine=transformers"), ("beam,width=2",)),
        (("ensemble:qwen2.5-math-prm-7b+skywork-o1-prm-7b",), ("best_of_n",)),
        (("think-prm-1.5b,per=prefix",), ("beam,width=2",)),
    ],
)
def test_what_is_to_be_typed_works(prms: tuple[str, ...], methods: tuple[str, ...]) -> None:
    """The options that the error names are those of a plan that is not refused."""

    def plan(policies: tuple[str, ...], prms: tuple[str, ...]) -> None:
        opener = Opener("vllm")
        settings = Sweep(
            tasks=("chain_arithmetic",),
            policies=policies,
            prms=prms,
            methods=methods,
            limit=2,
            engine="vllm",
        )
        make_plan(
            settings,
            None,
            lambda text: opener.policy(text, open_policy),
            lambda text: opener.prm(text, RunTruth("vllm").open_prm),
        )

    policy = ("qwen2.5-math-7b-instruct",)
    with pytest.raises(ConfigError, match="of the GPU's memory; write --p") as refused:
        plan(policy, prms)
    words = shlex.split(str(refused.value).split("; write ")[1])
    given = list(zip(words[::2], words[1::2], strict=True))
    told = [text for option, text in given if option == "--prm"]
    assert len(told) == len(prms)
    plan(tuple(text for option, text in given if option == "--policy") or policy, tuple(told))


def test_models_that_are_not_here_ask_for_what_they_would() -> None:
    """A plan on a laptop says what the run on a GPU would."""
    from harness.adapters import vllm_settings

    assert vllm_settings._SHARE == USUAL_SHARE
    opener = Opener("vllm")

    def plan(policy: str, prm: str, opener: Opener = opener) -> None:
        settings = Sweep(
            tasks=("chain_arithmetic",),
            policies=(f"transformers:Qwen/None-7B{policy}",),
            prms=(f"qwen2.5-math-prm-7b{prm}",),
            methods=("beam,width=2",),
            limit=2,
        )
        make_plan(
            settings,
            None,
            lambda text: opener.policy(text, open_policy),
            lambda text: opener.prm(text, RunTruth().open_prm),
        )

    with pytest.raises(ConfigError, match=r"None-7B and qwen2.5-math-prm-7b .* 0\.9 \+ 0\.9"):
        plan("", "")
    plan(",gpu_memory_utilization=0.5", ",gpu_memory_utilization=0.4")
    plan(",cache=9000", "")
    assert len(opener.missing) == 6
    named = Opener()
    with pytest.raises(ConfigError, match=r"0\.9 \+ 0\.9"):
        plan(",engine=vllm", ",engine=vllm", named)
    plan("", "", named)
    plan("", "", Opener("vllm", gpu=False))


def test_members_that_score_a_finished_run_share_a_gpu(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    run = ("run", "--task", "chain_arithmetic", "--policy", "fake:echo", "--method", "majority")
    assert cli(*run, "--budget", "2", "--limit", "2", "--out", tmp_path).code == 0
    place = (torch.device("cuda"), torch.bfloat16)
    monkeypatch.setattr("harness.adapters.checkpoint.place", lambda device, dtype: place)
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    several = "ensemble:[prm-math-small,engine=vllm]+[prm-math-large,engine=vllm]"
    with pytest.raises(ConfigError, match=r"asks for 1\.8 of .*utilization=0\.45\]\+\["):
        add_prms(RunFolder(tmp_path), [several], Silent(), [])
