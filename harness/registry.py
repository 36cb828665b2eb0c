"""From a name on the command line to a policy or a PRM.

Every policy and PRM is written ``adapter:target,key=value,…``, or as a name from the catalogue
(``run-benchmark ls prms``), to which ``,key=value`` may be added too. A PRM may also be a recipe
file (``mine.yaml``, with the key ``model``) or an address (``http://…``). What stands in brackets,
an ensemble's member or a critic's model, keeps its options. Adapters are named here
and imported only when they are opened, so that looking at names loads no engine.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from harness.adapters.options import Options
from harness.config import settled
from harness.errors import ConfigError, unknown
from harness.types import Json, Spec

if TYPE_CHECKING:
    from harness.policies.policy import Policy
    from harness.prms.fake import Truth
    from harness.prms.prm import Prm

logger = logging.getLogger(__name__)

POLICIES = {
    "transformers": "harness.policies.transformers:TransformersPolicy",
    "vllm": "harness.policies.vllm:VllmPolicy",
    "openai": "harness.policies.openai:OpenAIPolicy",
    "pool": "harness.policies.pool:PoolPolicy",
    "fake": "harness.policies.fake:FakePolicy",
}
"""Adapter name → class of policies."""

PRMS = {
    "transformers": "harness.prms.transformers:TransformersPrm",
    "vllm": "harness.prms.vllm:VllmPrm",
    "recorded": "harness.prms.recorded:RecordedPrm",
    "fake": "harness.prms.fake:FakePrm",
    "python": "harness.prms.python:open_python",
    "http": "harness.prms.http:open_http",
    "https": "harness.prms.http:open_http",
    "ensemble": "harness.prms.ensemble:EnsemblePrm",
    "pav": "harness.prms.pav:PavPrm",
    "critic": "harness.prms.critics.pairs:open_critic",
}
"""Adapter name → class of PRMs."""

ENGINES = ("transformers", "vllm")
"""Adapters that run the same models: ``engine=`` of a spec chooses another than its own."""

_OPTION = re.compile(r",(?=[A-Za-z_][A-Za-z0-9_]*=)")
_OUTSIDE = re.compile(_OPTION.pattern + r"(?![^\[\]]*\])")
"""The same, but for what stands between brackets: a member, a critic's model."""

JOINT = ("ensemble", "pav")
"""Adapters whose targets are other PRMs."""


def parse_spec(
    text: str, *, adapters: Mapping[str, str], catalog: Mapping[str, Spec], what: str
) -> Spec:
    """Return the spec that `text` names.

    ``name=…`` among the options sets how tables call it; by default a catalogue entry's own name,
    else the target's last path component (for a critic its model's), either with the ``steps=…``
    and ``probe=…`` that were asked for.

    Raises:
        ConfigError: an unknown adapter or catalogue name, an option without a value, no name.
    """
    head = _OPTION.split(text)[0]
    brackets = head in catalog or text.partition(":")[0] in (*JOINT, "critic")
    head, *pairs = (_OUTSIDE if brackets else _OPTION).split(text)
    options: dict[str, Json] = {}
    for pair in pairs:
        key, value = pair.split("=", 1)
        options[key] = _value(value)
    adapter, colon, target = head.partition(":")
    if not colon:
        if head not in catalog:
            known = [*catalog, *(f"{name}:…" for name in adapters)]
            raise unknown(what, head, known)
        entry = catalog[head]
        adapter, target, name = entry.adapter, entry.target, entry.name
        options = {**entry.options, **options}
    else:
        if adapter not in adapters:
            error = unknown(f"{what} adapter", adapter, adapters)
            if "python" in adapters and "did you mean" not in str(error):
                raise ConfigError(f"{error}; code of your own: python:{head}")
            raise error
        name = _short(settled(target) if adapter in JOINT else target)
        if adapter == "critic" and isinstance(model := options.get("model"), str):
            writer = _OPTION.split(model.strip("[]"))[0]
            name += f" by {_short(writer.partition(':')[2] or writer)}"
    if not target:
        raise ConfigError(f"{what} {text!r} names no target; write {adapter}:TARGET,key=value")
    rule = str(options.get("steps", "each")).encode("unicode_escape").decode()
    usual = name if rule == "each" else f"{name},steps={rule}"
    if (probe := options.get("probe", "none")) != "none":
        usual += f",probe={probe}"
    chosen = options.pop("name", usual)
    if chosen in (None, ""):
        raise ConfigError(f"{what} {text!r}: name= is empty; tables need a name, as in name=mine")
    return Spec(str(chosen), adapter, target, options)


def open_policy(text: str, engine: str = "default") -> Policy:
    """Open the policy that `text` names; no weights are loaded yet. `engine`: see `with_engine`.

    Raises:
        ConfigError: an unknown name or option.
        DataError: a file that is not there.
    """
    from harness.policies import catalog

    specs = {name: entry.spec for name, entry in catalog.entries().items()}
    spec = with_engine(parse_spec(text, adapters=POLICIES, catalog=specs, what="policy"), engine)
    return policy_of(engine_of(spec, "policy"))


def policy_of(spec: Spec) -> Policy:
    """Open the policy that a spec stands for; raises as `open_policy` does."""
    policy: Policy = adapter_class(spec, POLICIES)(spec)
    return policy


def open_prm(text: str, truth: Truth | None = None, engine: str = "default") -> Prm:
    """Open the PRM that `text` names; no weights are loaded yet. `engine`: see `with_engine`.

    Only the fake PRMs are told the `truth`, alone or as members of others; ``steps=RULE`` among
    the options of any other cuts solutions otherwise than the task (`harness.prms.recut`).

    Raises:
        ConfigError: an unknown name or option.
        DataError: a file that is not there.
    """
    from harness.prms import catalog

    specs = {name: entry.spec for name, entry in catalog.entries().items()}
    head = _OPTION.split(text)[0]
    if head.endswith((".yaml", ".yml")) and ":" not in head:
        from harness.prms.recipe import of_file

        specs[head] = of_file(head)
    spec = with_engine(parse_spec(text, adapters=PRMS, catalog=specs, what="PRM"), engine)
    return prm_of(engine_of(spec, "PRM"), truth, engine)


def prm_of(spec: Spec, truth: Truth | None = None, engine: str = "default") -> Prm:
    """Open the PRM that a spec stands for; raises as `open_prm` does."""
    from harness.prms import recut

    opener = adapter_class(spec, PRMS)
    if spec.adapter == "fake":
        prm: Prm = opener(spec, truth)
        return prm
    if spec.adapter in JOINT:
        return recut.open_prm(
            spec, lambda own: opener(own, lambda name: open_prm(name, truth, engine))
        )
    if spec.adapter == "critic":
        return recut.open_prm(spec, lambda own: opener(own, lambda name: open_policy(name, engine)))
    return recut.open_prm(spec, opener)


def engine_of(spec: Spec, what: str) -> Spec:
    """Return the spec with the engine that its option ``engine`` asks for.

    Raises:
        ConfigError: there is no such engine.
    """
    if spec.adapter not in ENGINES or "engine" not in spec.options:
        return spec
    chosen = Options(spec, what).choice("engine", ENGINES[0], ENGINES)
    rest = {key: value for key, value in spec.options.items() if key != "engine"}
    return replace(spec, adapter=chosen, options=rest)


def with_engine(spec: Spec, engine: str) -> Spec:
    """Return a spec with the engine that a whole run asks for.

    A name that chooses its engine itself keeps it; so does what that engine cannot run, which the
    log says. An engine that runs no models itself (``default``, ``ray``) changes nothing.
    """
    if engine not in ENGINES or spec.adapter not in ENGINES or "engine" in spec.options:
        return spec
    if engine == "vllm" and (why := _not_on_vllm(spec)):
        logger.warning("%s keeps its engine, %s: %s", spec.name, spec.adapter, why)
        return spec
    return replace(spec, adapter=engine)


def _not_on_vllm(spec: Spec) -> str:
    """Return why vLLM cannot run a model, as far as its name tells; "" if it can."""
    if spec.options.get("trust_remote_code") is True:
        return "vLLM gets no code of a checkpoint to run"
    if "device" in spec.options:
        return "device= is transformers' own"
    return ""


def adapter_class(spec: Spec, adapters: Mapping[str, str]) -> Any:
    """Import and return the class that opens `spec`."""
    module, _, name = adapters[spec.adapter].partition(":")
    return getattr(importlib.import_module(module), name)


def _value(text: str) -> Json:
    """Read an option's value as YAML would: numbers, booleans, null, else text.

    Double quotes allow escapes such as ``"\\n"``.
    """
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if isinstance(value, bool | int | float | str) or value is None else text


def _short(target: str) -> str:
    """Return a readable name of a target: ``org/model`` stays, a file loses folder and suffix."""
    if re.fullmatch(r"[\w.-]+/[\w.-]+", target) and not re.search(r"\.jsonl?(\.gz)?$", target):
        return target
    name = target.rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"\.(jsonl|json)(\.gz)?$", "", name) or target
