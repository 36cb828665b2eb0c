"""Shares of a GPU's memory: models at work together must not ask for more than there is."""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import ConfigError
from harness.policies.policy import Policy
from harness.prms.prm import Prm
from harness.types import Json

SHARE = "gpu_memory_utilization"
USUAL_SHARE = 0.9
"""What a vLLM engine takes on a GPU unless it is told; `harness.adapters.vllm_settings`, which
needs PyTorch, has it too."""


def share(facts: Json) -> float:
    """Return the share of a GPU that a description declares, its members' added up."""
    if not isinstance(facts, dict):
        return 0.0
    own = facts.get(SHARE)
    inner = sum(share(value) for value in facts.values())
    return inner + (float(own) if isinstance(own, int | float) else 0.0)


def check_shares(together: Iterable[tuple[Policy, Prm | None]]) -> None:
    """Refuse pairs of policy and PRM that do not fit on one GPU, before anything has run.

    Raises:
        ConfigError: names both, and the option.
    """
    for policy, prm in together:
        models: list[Policy | Prm] = [policy] if prm is None else [policy, prm]
        shares = [share(model.describe()) for model in models]
        if sum(shares) > 1:
            names = " and ".join(model.spec.name for model in models)
            said = " + ".join(f"{one:g}" for one in shares)
            raise ConfigError(
                f"{names} are at work together and ask for {said} of the GPU's memory; give each "
                f"{SHARE}=, together at most 1 (a policy 0.5 and a PRM of its size 0.4, say)"
            )
