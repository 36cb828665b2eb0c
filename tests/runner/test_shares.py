"""Policy and PRM on one GPU: shares that are too large together are refused before a run."""

from __future__ import annotations

import pytest

from harness.config import Sweep
from harness.errors import ConfigError
from harness.registry import open_policy
from harness.runner.plan import make_plan
from harness.runner.shares import share
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
