"""Policy and PRM on one GPU: shares that are too large together are refused before a run."""

from __future__ import annotations

import pytest

from harness.config import Sweep
from harness.errors import ConfigError
from harness.registry import open_policy
from harness.runner.plan import make_plan
from harness.runner.shares import USUAL_SHARE, share
from harness.runner.standins import Opener
from harness.runner.truth import RunTruth

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
    with pytest.raises(ConfigError, match=r"0\.7 \+ 0\.4 of the GPU"):
        plan(monkeypatch, f"{key}0.7", f"{key}0.4", "beam,width=2")
    plan(monkeypatch, f"{key}0.6", f"{key}0.4", "beam,width=2")
    plan(monkeypatch, "", "", "best_of_n")  # one after the other


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
