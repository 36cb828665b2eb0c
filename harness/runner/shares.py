"""Shares of a GPU's memory: models at work together must not ask for more than there is."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence

from harness.errors import ConfigError
from harness.policies.policy import Policy
from harness.prms.joint import members
from harness.prms.prm import Prm
from harness.registry import JOINT
from harness.runner.models import What, spec_of
from harness.types import Json

SHARE = "gpu_memory_utilization"
USUAL_SHARE = 0.9
"""What a vLLM engine takes on a GPU unless it is told; `harness.adapters.vllm_settings`, which
needs PyTorch, has it too."""

_PARTS: Mapping[What, float] = {"policy": 0.5, "PRM": 0.4}
"""What is proposed: a policy keeps keys and values of more drafts."""

_GIVEN = re.compile(rf",{SHARE}=[^,\]]*")
_WRITER = re.compile(r",model=(?:\[[^\]]*\]|[^,]*)")


def share(facts: Json) -> float:
    """Return the share of a GPU that a description declares, its members' added up."""
    if not isinstance(facts, dict):
        return 0.0
    own = facts.get(SHARE)
    inner = sum(share(value) for value in facts.values())
    return inner + (float(own) if isinstance(own, int | float) else 0.0)


def check_shares(
    together: Iterable[Sequence[Policy | Prm]],
    written: Mapping[What, Mapping[str, str]],
    engine: str,
) -> None:
    """Refuse models that do not fit on one GPU, before anything has run.

    Args:
        together: Those that are at work at the same time, the policy first.
        written: Name → how it is written on the command line, of all policies and PRMs.
        engine: The run's; see `harness.registry.with_engine`.

    Raises:
        ConfigError: names the first that do not, and the options with which all would.
    """
    wrong = [models for models in together if sum(_shares(models)) > 1]
    if not wrong:
        return
    first, numbers = wrong[0], " + ".join(f"{one:g}" for one in _shares(wrong[0]))
    names = " and ".join(model.spec.name for model in first)
    who = "are at work together and ask" if len(first) > 1 else "asks"
    raise ConfigError(
        f"{names} {who} for {numbers} of the GPU's memory; {_way(wrong, written, engine)}"
    )


def _shares(models: Sequence[Policy | Prm]) -> list[float]:
    return [share(model.describe()) for model in models]


def _way(
    wrong: Sequence[Sequence[Policy | Prm]],
    written: Mapping[What, Mapping[str, str]],
    engine: str,
) -> str:
    """Return the options that make room: all of them, as each kind replaces a configuration's."""
    asking = {m.spec.name for models in wrong for m in models if share(m.describe())}
    both = all(asking & names.keys() for names in written.values()) and len(written) > 1
    options = []
    for what, names in written.items():
        if not asking & names.keys():
            continue
        for name, text in names.items():
            part = _PARTS[what] if both else USUAL_SHARE
            new = with_share(text, what, part, engine) if name in asking else text
            if new is None:
                return (
                    f"give each {SHARE}=, a member or a critic's model too, together at most 1 "
                    "(a policy 0.5 and a PRM of its size 0.4, say)"
                )
            options.append(f"--{what.lower()} {shlex.quote(new)}")
    return f"write {' '.join(options)}"


def with_share(text: str, what: What, part: float, engine: str) -> str | None:
    """Return what names a policy or a PRM with a share for it, its members' adding up to that.

    None: brackets would have to stand in brackets, which no name can have.
    """
    spec = spec_of(text, what, engine)
    if spec.adapter == "critic":
        model = str(spec.options["model"]).removeprefix("[").removesuffix("]")
        own = with_share(model, "policy", part, engine)
        return None if own is None or "[" in own else f"{_WRITER.sub('', text)},model=[{own}]"
    if spec.adapter in JOINT:
        parts = members(spec.target)
        each = math.floor(100 * part / len(parts)) / 100
        shared = [with_share(one, "PRM", each, engine) for one in parts]
        if any(one is None or "[" in one for one in shared):
            return None
        return text.replace(spec.target, "+".join(f"[{one}]" for one in shared))
    if spec.adapter != "vllm" or "cache" in spec.options:
        return text
    return f"{_GIVEN.sub('', text)},{SHARE}={part:g}"
