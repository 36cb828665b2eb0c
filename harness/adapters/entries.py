"""Catalogues: names that stand for a policy or a PRM with its options.

A catalogue is a YAML mapping of name to ``adapter``, ``target``, ``options`` (those of the command
line), and for people ``domains`` (what it was trained on), ``licence``, ``note`` and, where known,
``base``, ``size``, ``data``, ``threshold_rule`` (of a PRM) and ``published`` (figures of others, by
benchmark, and their ``source``, which a benchmark may state for itself). It is read strictly;
errors name file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from harness.adapters import named
from harness.errors import ConfigError, nearest
from harness.types import Json, Spec

_REQUIRED = ("adapter", "target", "domains", "licence", "note")
_FACTS = ("base", "size", "data")
_KEYS = (*_REQUIRED, "options", *_FACTS, "threshold_rule", "published")

ThresholdRule = Literal["fixed", "tuned"]
"""Where those who measured a PRM on ProcessBench had its threshold from: given beforehand, or the
best one on GSM8K, kept for the other subsets."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One named policy or PRM."""

    spec: Spec
    domains: tuple[str, ...]
    """What it was trained on."""
    licence: str
    note: str
    base: str = ""
    """The model that training began with."""
    size: str = ""
    data: str = ""
    """What it was trained on, in words."""
    threshold_rule: ThresholdRule = "fixed"
    published: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Benchmark → part → figure, as others state it."""
    source: str = ""
    """Where those figures stand."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Benchmark → where its figures stand, if that is elsewhere."""

    def source_of(self, benchmark: str) -> str:
        """Return where the figures of a benchmark stand."""
        return self.sources.get(benchmark, self.source)


def load(path: Path) -> dict[str, Entry]:
    """Read a catalogue.

    Raises:
        ConfigError: not YAML, a key that is unknown, missing or twice, a value of the wrong type.
    """
    data, places = named.read(path, "a catalogue is a mapping of names")
    return {name: _entry(name, data[name], where) for name, where in places.items()}


def _entry(name: str, data: Any, where: str) -> Entry:
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: {name!r} must be a mapping with {', '.join(_REQUIRED)}")
    for key in data:
        if key not in _KEYS:
            raise ConfigError(f"{where}: {name!r} has no key {key!r}; {nearest(str(key), _KEYS)}")
    for key in _REQUIRED:
        if key not in data:
            raise ConfigError(f"{where}: {name!r} lacks {key!r}")
    for key in ("adapter", "target", "licence", "note", *_FACTS):
        if not isinstance(data.get(key, ""), str):
            raise ConfigError(f"{where}: {key!r} of {name!r} must be a text")
    domains, options = data["domains"], data.get("options", {})
    if not isinstance(domains, list) or not all(isinstance(item, str) for item in domains):
        raise ConfigError(f"{where}: 'domains' of {name!r} must be a list of texts")
    if not isinstance(options, dict) or not all(_plain(item) for item in options.items()):
        raise ConfigError(f"{where}: 'options' of {name!r} must map names to plain values")
    rule = data.get("threshold_rule", "fixed")
    if rule not in get_args(ThresholdRule):
        rules = " or ".join(get_args(ThresholdRule))
        raise ConfigError(f"{where}: 'threshold_rule' of {name!r} must be {rules}")
    figures, source, sources = _published(
        data.get("published", {}), f"{where}: 'published' of {name!r}"
    )
    return Entry(
        Spec(name, data["adapter"], data["target"], options),
        tuple(domains),
        data["licence"],
        data["note"],
        base=data.get("base", ""),
        size=data.get("size", ""),
        data=data.get("data", ""),
        threshold_rule=rule,
        published=figures,
        source=source,
        sources=sources,
    )


def _published(data: Any, where: str) -> tuple[dict[str, dict[str, float]], str, dict[str, str]]:
    """Return figures by benchmark and part, their source, and that of benchmarks with their own."""
    if not isinstance(data, dict):
        raise ConfigError(f"{where} must map benchmarks to figures")
    figures, sources = {}, {}
    for key, value in data.items():
        if key == "source":
            continue
        parts = dict(value) if isinstance(value, dict) else {}
        own = parts.pop("source", None)
        if not parts or not isinstance(own, str | None) or not all(map(_figure, parts.items())):
            raise ConfigError(f"{where} must map benchmarks to figures by their parts")
        figures[key] = parts
        if own:
            sources[key] = own
    source = data.get("source", "")
    if not isinstance(source, str) or bool(source) != bool(figures.keys() - sources):
        raise ConfigError(f"{where}: figures need a source, and a source figures")
    return figures, source, sources


def _figure(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], int | float)


def _plain(item: tuple[object, Json]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], str | int | float | bool)
