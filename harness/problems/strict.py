"""From a YAML file to a `Definition` or a `Group`, or to an error that names file and line.

lm-eval accepts what it does not understand; this reader refuses it: unknown keys, wrong types,
missing ``metadata``, and lm-eval keys that would change the prompt there and have no effect here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import segment
from harness.errors import ConfigError, unknown
from harness.problems import keys
from harness.problems.definition import Definition, Group
from harness.problems.yamlfile import YamlFile
from harness.types import KINDS, Sampling


def parse(file: YamlFile) -> Definition | Group:
    """Return what `file` defines.

    Raises:
        ConfigError: any mistake in it, with file, line and the nearest valid name.
    """
    return _group(file) if "group" in file.data else _task(file)


def _task(file: YamlFile) -> Definition:
    for key, instead in keys.NOT_HERE.items():
        if key in file.data:
            raise ConfigError(f"{file.where(key)}: {key!r} does nothing here; {instead}")
    _keys(file, (), keys.TASK_KEYS)
    _required(file, (), keys.REQUIRED)
    _keys(file, ("metadata",), keys.METADATA_KEYS)
    _required(file, ("metadata",), keys.REQUIRED_METADATA)
    _keys(file, ("generation_kwargs",), keys.GENERATION_KEYS)
    _required(file, ("generation_kwargs",), ("until", "max_gen_toks"))
    if "source" in file.data["metadata"]:
        _source(file)
    _loader(file)
    meta: Callable[[str], Any] = lambda key: file.get("metadata", key)  # noqa: E731
    return Definition(
        name=file.data["task"],
        path=file.path,
        version=str(meta("version")),
        kind=_one_of(file, "kind", KINDS),
        domain=meta("domain"),
        grader=_one_of(file, "grader", keys.GRADERS),
        steps=segment.parse(meta("steps"), file.where("metadata", "steps")),
        sampling=_sampling(file),
        id=meta("id") or "id",
        kind_column=meta("kind_column"),
        meta=_texts(file, "metadata", "meta"),
        reference=_texts(file, "metadata", "reference"),
        solution=meta("solution"),
        rows=meta("rows"),
        identity=_texts(file, "metadata", "identity"),
        sha256=_sha256(file),
        offline="source" not in file.data["metadata"] and "dataset_path" not in file.data,
        config=file.data,
    )


def _group(file: YamlFile) -> Group:
    _keys(file, (), keys.GROUP_KEYS)
    _required(file, (), ("group", "task", "metadata"))
    _keys(file, ("metadata",), {"version": keys.METADATA_KEYS["version"]})
    _required(file, ("metadata",), ("version",))
    members = _texts(file, "task")
    if not members:
        raise ConfigError(f"{file.where('task')}: a group needs at least one task")
    version = str(file.get("metadata", "version"))
    return Group(file.data["group"], file.path, version, members)


def _keys(file: YamlFile, at: tuple[str, ...], known: dict[str, keys.Types]) -> None:
    """Refuse unknown keys and wrong types in the mapping under `at`."""
    mapping: Any = file.get(*at)
    for key, value in mapping.items():
        where = file.where(*at, key)
        if key not in known:
            raise unknown("key", ".".join((*at, key)), (".".join((*at, k)) for k in known), where)
        expected = known[key]
        types = expected if isinstance(expected, tuple) else (expected,)
        # YAML reads "yes" as a boolean, and a boolean is an int to Python.
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            names = " or ".join(t.__name__ for t in types)
            raise ConfigError(
                f"{where}: {'.'.join((*at, key))} must be {names}, not {type(value).__name__}"
            )


def _required(file: YamlFile, at: tuple[str, ...], needed: tuple[str, ...]) -> None:
    mapping: Any = file.get(*at)
    missing = [".".join((*at, key)) for key in needed if key not in mapping]
    if missing:
        raise ConfigError(f"{file.where(*at)}: missing {', '.join(missing)}")


def _texts(file: YamlFile, *at: str) -> tuple[str, ...]:
    values: Any = file.get(*at) or []
    if not all(isinstance(value, str) for value in values):
        raise ConfigError(f"{file.where(*at)}: {'.'.join(at)} must be a list of texts")
    return tuple(values)


def _one_of(file: YamlFile, key: str, known: tuple[str, ...]) -> Any:
    value: Any = file.get("metadata", key)
    if value not in known:
        raise unknown(key, value, known, file.where("metadata", key))
    return value


def _sha256(file: YamlFile) -> str | None:
    value: Any = file.get("metadata", "sha256")
    if value is not None and not file.get("metadata", "identity"):
        raise ConfigError(
            f"{file.where('metadata', 'sha256')}: a digest needs metadata.identity, the columns "
            "that it covers"
        )
    return None if value is None else str(value)


def _sampling(file: YamlFile) -> Sampling:
    given: Any = file.data["generation_kwargs"]
    _texts(file, "generation_kwargs", "until")
    greedy = not given.get("do_sample", True)
    try:
        return Sampling(
            temperature=0.0 if greedy else float(given.get("temperature", 1.0)),
            top_p=float(given.get("top_p", 1.0)),
            max_tokens=given["max_gen_toks"],
            stop=tuple(given["until"]),
        )
    except ValueError as error:
        raise ConfigError(f"{file.where('generation_kwargs')}: {error}") from error


def _source(file: YamlFile) -> None:
    at = ("metadata", "source")
    _keys(file, at, keys.SOURCE_KEYS)
    _required(file, at, ("revision", "files"))
    _texts(file, *at, "files")
    if ("hub" in (source := file.data["metadata"]["source"])) == ("github" in source):
        raise ConfigError(f"{file.where(*at)}: a source is either hub or github, owner/name")


def _loader(file: YamlFile) -> None:
    """Check that rows come from exactly one place, and that every key about them has an effect."""
    if ("custom_dataset" in file.data) == ("dataset_path" in file.data):
        raise ConfigError(
            f"{file.where('custom_dataset')}: rows come from either custom_dataset: !function … "
            "or dataset_path"
        )
    if "custom_dataset" in file.data and ("custom_dataset",) not in file.functions:
        raise ConfigError(
            f"{file.where('custom_dataset')}: write custom_dataset: !function "
            f"{file.data['custom_dataset']}"
        )
    for key in keys.CUSTOM_ONLY:
        if "dataset_path" in file.data and key in file.data["metadata"]:
            raise ConfigError(
                f"{file.where('metadata', key)}: metadata.{key} does nothing with dataset_path; "
                "it is for custom_dataset"
            )
    if file.data.get("output_type", "generate_until") != "generate_until":
        raise ConfigError(
            f"{file.where('output_type')}: solutions are generated: output_type must be "
            "generate_until"
        )
