"""The models behind a policy or a PRM, as specs: itself, a critic's writer, an ensemble's members.

Nothing is opened: what a spec says is enough to know which models would be in memory, on which
engine, and how large their catalogue entries or names say that they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from harness.adapters.entries import Entry
from harness.prms.joint import members
from harness.registry import JOINT, POLICIES, PRMS, engine_of, parse_spec, with_engine
from harness.types import Spec

What = Literal["policy", "PRM"]

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*([BM])(?![a-z0-9])", re.I)
_ACTIVE = re.compile(r"(?<![\w.])A(\d+(?:\.\d+)?)\s*([BM])(?![a-z0-9])", re.I)
_UNIT = {"b": 1e9, "m": 1e6}


def entries(what: What) -> Mapping[str, Entry]:
    """Return the catalogue."""
    from harness.policies import catalog as policies
    from harness.prms import catalog as prms

    return policies.entries() if what == "policy" else prms.entries()


def spec_of(text: str, what: What, engine: str) -> Spec:
    """Return the spec that a text names, on the engine that it would run on.

    Args:
        text: As written on the command line; a PRM may be a recipe file.
        what: Policy or PRM.
        engine: The run's; see `harness.registry.with_engine`.

    Raises:
        ConfigError: an unknown name, adapter or engine.
    """
    specs = {name: entry.spec for name, entry in entries(what).items()}
    head = text.split(",")[0]
    if what == "PRM" and ":" not in head and head.endswith((".yaml", ".yml")):
        from harness.prms.recipe import of_file

        specs[head] = of_file(head)
    adapters = POLICIES if what == "policy" else PRMS
    spec = parse_spec(text, adapters=adapters, catalog=specs, what=what)
    return engine_of(with_engine(spec, engine), what)


def models(spec: Spec, engine: str) -> list[Spec]:
    """Return the specs of the models behind one: its own, if it is neither critic nor ensemble."""
    if spec.adapter == "critic":
        writer = spec.options.get("model")
        if not isinstance(writer, str):
            return []
        return [spec_of(writer.removeprefix("[").removesuffix("]"), "policy", engine)]
    if spec.adapter in JOINT:
        own = [spec_of(text, "PRM", engine) for text in members(spec.target)]
        return [model for member in own for model in models(member, engine)]
    return [spec]


def size(spec: Spec, engine: str) -> str:
    """Return how large a policy or a PRM is, in words; empty: its models' names do not say."""
    if spec.adapter != "critic" and spec.adapter not in JOINT:
        return _catalogued(spec) or named(spec)
    own = [size(model, engine) for model in models(spec, engine)]
    return " + ".join(own) if all(own) else ""


def _catalogued(spec: Spec) -> str:
    """Return the size that a catalogue states of a model; empty: none."""
    known = (*entries("policy").values(), *entries("PRM").values())
    return next((one.size for one in known if one.spec.target == spec.target), "")


def named(spec: Spec) -> str:
    """Return the size that a model's name states, in words; empty: none.

    Of a mixture of experts that is what a token goes through. A log ratio has two models.
    """
    target = str(spec.options.get("model", spec.target)).strip("[]").split(",")[0]
    names = [target, *filter(None, [str(spec.options.get("reference", ""))])]
    own = [_stated(name.rpartition("/")[2]) for name in names]
    if not all(own):
        own = [_stated(spec.name)]
    return f"{' + '.join(own)} by its name" if all(own) else ""


def _stated(name: str) -> str:
    words = name.replace("-", " ").replace("_", " ")
    found = _ACTIVE.search(words) or _SIZE.search(words)
    return f"{found[1]}{found[2].upper()}" if found else ""


def parameters(size: str) -> float | None:
    """Return the number that a size in words means: ``7B``, ``0.3M``, ``7B + 7B``; None: none.

    Two models that read the same input are as one of both sizes.
    """
    found = [float(number) * _UNIT[unit.lower()] for number, unit in _SIZE.findall(size)]
    return sum(found) or None


def weights(spec: Spec, size: str) -> float | None:
    """Return how many weights a model has, given the size of what a token goes through.

    A mixture of experts (``30B-A3B``) has them all in memory.
    """
    words = spec.target.rpartition("/")[2].replace("-", " ").replace("_", " ")
    if _ACTIVE.search(words):
        whole = _SIZE.search(words)
        return parameters(whole[0]) if whole else None
    return parameters(size)
