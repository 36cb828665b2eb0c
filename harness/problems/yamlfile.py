"""A task's YAML as plain data together with the line of every key.

lm-eval skips a YAML that it cannot parse, and calls the task unknown; here each mistake names its
file and line. Nothing is imported or executed: ``!function a.b`` becomes the text ``a.b``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigError
from harness.types import Json

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """Plain YAML plus ``!function``, which stays a text."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One YAML with its ``include`` merged as lm-eval does it: the file's own keys win, whole."""

    path: Path
    data: Mapping[str, Any]
    places: Mapping[tuple[str, ...], str]
    """``file:line`` of every key, by the keys that lead to it."""
    functions: frozenset[tuple[str, ...]]
    """Keys whose value is a ``!function``."""

    def where(self, *keys: str) -> str:
        """Return ``file:line`` of a key, or of the nearest key above it, or the file."""
        for n in range(len(keys), 0, -1):
            if keys[:n] in self.places:
                return self.places[keys[:n]]
        return str(self.path)

    def get(self, *keys: str) -> Json:
        """Return the value under `keys`, None if it is not there."""
        value: Any = self.data
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value  # type: ignore[no-any-return]


def read(path: Path, _above: tuple[Path, ...] = ()) -> YamlFile:
    """Read one YAML file and what it includes.

    Raises:
        ConfigError: no such file, no YAML, no mapping, a key that is there twice or is no text,
            a file that includes itself.
    """
    if path in _above:
        raise ConfigError(f"{path}: the file includes itself")
    own = _parse(path)
    data: dict[str, Any] = {}
    places: dict[tuple[str, ...], str] = {}
    functions: frozenset[tuple[str, ...]] = frozenset()
    included = own.data.get("include", [])
    names = included if isinstance(included, list) else [included]
    bases = [read(path.parent / str(name), (*_above, path)) for name in names]
    for part in (*bases, own):
        replaced = {(key,) for key in part.data}
        places = {k: v for k, v in places.items() if k[:1] not in replaced} | dict(part.places)
        functions = frozenset(k for k in functions if k[:1] not in replaced) | part.functions
        data |= part.data
    data.pop("include", None)
    return YamlFile(path, data, places, functions)


def _parse(path: Path) -> YamlFile:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise ConfigError(f"{path}:1: a task is a mapping of keys to values")
        places: dict[tuple[str, ...], str] = {}
        functions: set[tuple[str, ...]] = set()
        _walk(node, path, (), places, functions)
        return YamlFile(path, loader.construct_document(node), places, frozenset(functions))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or "no YAML"
        raise ConfigError(f"{path}:{line}: {problem}") from error
    finally:
        loader.dispose()


def _walk(
    node: yaml.MappingNode,
    path: Path,
    above: tuple[str, ...],
    places: dict[tuple[str, ...], str],
    functions: set[tuple[str, ...]],
) -> None:
    """Note the line of every key below `node`, refusing keys that YAML would silently drop."""
    for key, value in node.value:
        place = f"{path}:{key.start_mark.line + 1}"
        if key.tag != "tag:yaml.org,2002:str":
            raise ConfigError(f"{place}: a key must be a text, not {key.value!r}")
        keys = (*above, key.value)
        if keys in places:
            raise ConfigError(f"{place}: the key {'.'.join(keys)!r} is there twice")
        places[keys] = place
        if value.tag == "!function":
            functions.add(keys)
        if isinstance(value, yaml.MappingNode):
            _walk(value, path, keys, places, functions)
