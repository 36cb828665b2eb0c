"""YAML files that people write, as mappings whose keys know their lines.

Read strictly: a key that is there twice, which YAML itself lets pass, is an error too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigError


def read(path: Path, what: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a file's mapping, and ``file:line`` of each key at its top.

    Args:
        path: The file.
        what: What it holds, for messages: ``a recipe is a mapping of …``.

    Raises:
        ConfigError: a file that is not there, no YAML, no mapping, a key that is there twice
            or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
        # Composed nodes know their lines, constructed values have their anchors resolved.
        root, data = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"cannot read {path}: {why}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}{line}: not valid YAML") from error
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path}: {what}")
    places: dict[str, str] = {}
    for key, _ in root.value:
        where = f"{path}:{key.start_mark.line + 1}"
        if key.value in places:
            raise ConfigError(f"{where}: {key.value!r} is here twice")
        if key.value not in data:
            raise ConfigError(f"{where}: the key {key.value!r} is not a text")
        places[key.value] = where
    return data, places
