"""What a run is made of, read at the edge: YAML and command line in, one checked value out.

Precedence: command line > YAML > defaults. Unknown keys are errors that name file, line and the
nearest key. A `Sweep` is inert: making one opens no file, model or connection.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.digest import digest
from harness.errors import ConfigError, DataError, nearest, unknown
from harness.published import PublishedResult

Engine = Literal["default", "vllm", "ray"]
"""What does the work: every model as its name says · models that transformers or vLLM can run, on
vLLM · as the names say, spread over the workers of a Ray cluster."""


class SamplingConfig(BaseModel):
    """How candidates are sampled; what is None comes from the task."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(default=1.0, ge=0, le=10)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)


class SearchConfig(BaseModel):
    """How searches are run: methods that a PRM steers while the policy writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budgets: tuple[int, ...] = Field(default=(4, 16), min_length=1)
    """Candidates that a search may come up with; methods whose smaller budgets are not part of the
    largest are run once for each."""
    prms: tuple[str, ...] | None = None
    """Names of the PRMs that steer. None: all of the run."""
    limit: int | None = Field(default=None, ge=1)
    """A seeded random subset of each task's problems: searches cost more than pools."""
    replicas: int = Field(default=1, ge=1)
    """Independent repetitions with seeds of their own."""
    cut: str | None = None
    """Where a step that the policy writes ends: ``delimiter:TEXT``, ``sentences``, ``tokens:K``,
    ``confidence:P``. None: at the task's own delimiter. How the PRM reads is the task's matter."""
    policy_tokens: int | None = Field(default=None, ge=1)
    """A search ends when its policy has decoded so many tokens."""
    flops: float | None = Field(default=None, gt=0)
    """The same for operations, the PRM's included."""
    seconds: float | None = Field(default=None, gt=0)
    """The same for seconds since the search began. Results then depend on the machine."""
    latency: int = Field(default=0, ge=0)
    """Problems on which every method is timed alone, one problem at a time."""
    concurrency: int = Field(default=64, ge=1, exclude=True)
    """Searches under way at once; changes speed only."""

    @field_validator("budgets")
    @classmethod
    def _positive(cls, budgets: tuple[int, ...]) -> tuple[int, ...]:
        if min(budgets) < 1:
            raise ValueError("budgets are whole numbers from 1 up")
        return tuple(sorted(set(budgets)))


class RayConfig(BaseModel):
    """How ``engine: ray`` uses a cluster; changes speed only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str | None = None
    """Of a cluster that is there. None: $RAY_ADDRESS, or one of our own on this machine."""
    workers: int | None = Field(default=None, ge=1)
    """None: as many as there is place for, more when nodes join."""
    cpus: float = Field(default=1.0, gt=0)
    """Cores of a worker."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of a worker; with tensor parallelism as many as a model is cut into."""
    prm_gpus: float | None = Field(default=None, ge=0)
    """GPUs of a process of its own, on the same node and with as many cores, for the PRM that
    steers a worker's searches. None: it shares the worker's."""

    @field_validator("gpus", "prm_gpus")
    @classmethod
    def _whole(cls, gpus: float | None) -> float | None:
        if gpus is not None and gpus > 1 and gpus != int(gpus):
            raise ValueError("a part of a GPU, or whole ones")
        return gpus


class Sweep(BaseModel):
    """A sweep: every policy on every task, judged by every PRM, under every method and budget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(default="run", min_length=1)
    """Names the run folder when no --out is given."""
    tasks: tuple[str, ...] = Field(min_length=1)
    """Tasks or groups of tasks."""
    policies: tuple[str, ...] = ()
    """``adapter:target,key=value`` or catalogue names; none are needed for given solutions."""
    prms: tuple[str, ...] = ()
    """The same for PRMs."""
    methods: tuple[str, ...] = Field(
        default=(
            "greedy",
            "majority",
            "weighted_vote",
            "best_of_n",
            "pass_at_n",
            "first_error",
            "prm_score",
            "preference",
        ),
        min_length=1,
    )
    samples: int | None = Field(default=None, ge=1)
    """Candidates per problem. None: as many as the largest budget, or as a recorded pool has."""
    budgets: tuple[int, ...] | None = None
    """Candidates that a method may use. None: 1, 2, 4 … up to `samples`."""
    aggregations: tuple[str, ...] | None = None
    """From step scores to a solution's score, besides the one that the PRM declares. None: all that
    its semantics allow."""
    sampling: SamplingConfig = SamplingConfig()
    search: SearchConfig = SearchConfig()
    threshold: float = 0.5
    """First-wrong-step: a step scored below it is called wrong (``first_error``)."""
    tune_threshold_on: str | None = None
    """Task of kind ``steps`` on which a second threshold is tuned, then frozen for all tasks."""
    seed: int = 0
    limit: int | None = Field(default=None, ge=1)
    """A seeded random subset of each task's problems, for trying things out."""
    include: tuple[str, ...] = ()
    """Further folders of tasks."""
    published: tuple[PublishedResult, ...] = Field(default=(), exclude=True)
    """Figures of others to set beside ours; they change no result."""
    unit: int | None = Field(default=None, ge=1, exclude=True)
    """Drafts of a unit of work, which is done and recorded as a whole; a problem's stay together.
    Smaller ones spread over more workers, larger ones keep an engine fuller. Texts and scores
    depend on it in last bits, as on an engine's batch. None: four batches of the policy, one of a
    PRM."""
    engine: Engine = Field(default="default", exclude=True)
    """Who does the work; no part of what a run is, so that another engine may finish it."""
    ray: RayConfig = Field(default=RayConfig(), exclude=True)
    """Of ``engine: ray``."""

    @field_validator("budgets")
    @classmethod
    def _positive(cls, budgets: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if budgets is not None and (not budgets or min(budgets) < 1):
            raise ValueError("budgets are whole numbers from 1 up")
        return None if budgets is None else tuple(sorted(set(budgets)))

    @field_validator("methods")
    @classmethod
    def _spaceless(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(method.replace(" ", "") for method in methods)

    @property
    def digest(self) -> str:
        """Identity of the settings."""
        return digest(self.model_dump())


def is_file(source: str) -> bool:
    """Return whether a sweep's source is a YAML file, there or not, and no preset."""
    return source.endswith((".yaml", ".yml")) or Path(source).is_file()


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = resources.files("harness") / "presets"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name[-5:] == ".yaml")


def preset_text(name: str) -> str:
    """Return the YAML of a preset.

    Raises:
        ConfigError: no such preset.
    """
    if name not in preset_names():
        raise unknown("preset", name, preset_names())
    return (resources.files("harness") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")


def preset_about(name: str) -> str:
    """Return the first sentence of a preset's opening comment."""
    lines = preset_text(name).splitlines()
    opening = itertools.takewhile(lambda line: line[:2] == "# ", lines)
    return " ".join(line[2:] for line in opening).partition(". ")[0].rstrip(".")


def places(source: str | None) -> dict[tuple[str, str], str]:
    """Return where the names in a preset or YAML file stand: (key, name) → ``file:line``.

    For errors that only show when a name is looked up; the file was read by `load_sweep` before.
    """
    if source is None:
        return {}
    where, text = _source(source)
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return {
        (key.value, item.value): f"{where}:{item.start_mark.line + 1}"
        for key, value in (node.value if node else ())
        if isinstance(value, yaml.SequenceNode)
        for item in value.value
        if isinstance(item, yaml.ScalarNode)
    }


@contextmanager
def naming(place: str | None) -> Iterator[None]:
    """Put the place of a name, if it has one, before an error about it."""
    try:
        yield
    except (ConfigError, DataError) as error:
        if place is None:
            raise
        raise type(error)(f"{place}: {error}") from error


def load_sweep(source: str | None, overrides: Mapping[str, Any], full: bool = False) -> Sweep:
    """Return the sweep of a preset name or YAML file (or neither) with `overrides` on top.

    A file may have a section ``full`` of dotted keys: what a larger version of it changes.

    Args:
        source: a preset's name, or the path of a YAML file.
        overrides: dotted key → value, as `parse_setting` makes them.
        full: take the larger version.

    Raises:
        ConfigError: an unknown preset, file or key, a broken YAML, a value of the wrong kind.
    """
    where, text = ("command line", "") if source is None else _source(source)
    data, lines = _read(where, text)
    larger = data.pop("full", None)
    if full and not isinstance(larger, dict):
        raise ConfigError(f"{where}: there is no larger version of it (no section 'full')")
    for key, value in {**(larger if full else {}), **overrides}.items():
        _set(data, str(key), value)
    search = data.get("search")
    if "prms" in overrides and "search.prms" not in overrides and isinstance(search, dict):
        search.pop("prms", None)  # which of the file's own PRMs steer
    try:
        return Sweep.model_validate(data)
    except ValidationError as error:
        raise _explain(error, where, lines, overrides) from error


def parse_setting(text: str) -> tuple[str, Any]:
    """Split ``key=value`` of --set; the value is read as YAML.

    Raises:
        ConfigError: no equals sign, or a value that is no YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {text!r}: write key=value, e.g. --set sampling.temperature=0.7")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text!r}: the value is no YAML") from error


MACHINE = (
    "batch",
    "cache",
    "connections",
    "enforce_eager",
    "gpu_memory_utilization",
    "key",
    "max_num_batched_tokens",
    "patience",
    "rate",
    "tensor_parallel_size",
    "timeout",
)
"""Options of policies and PRMs that say how a machine or a server is used, whatever the adapter.
They are in no identity, so that a run goes on with others: after it ran out of memory, say. A
device is not among them: number formats and engines follow from it."""

_MACHINE = re.compile(rf",(?:{'|'.join(MACHINE)})=[^,\]]*")


def settled(text: str) -> str:
    """Return what names a policy or a PRM, without the options of `MACHINE`.

    >>> settled("qwen2.5-math-prm-7b,batch=4096,steps=sentences")
    'qwen2.5-math-prm-7b,steps=sentences'
    """
    own = text.startswith("python:")  # what its options mean is its author's business
    return text if own else _MACHINE.sub("", text)


def deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a sweep that decide its results, as JSON has them."""
    models = {
        key: list(dict.fromkeys(settled(text) for text in config[key]))
        for key in ("policies", "prms")
        if key in config
    }
    return {**config, **models}


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return ``key: old → new`` for every setting that differs and decides results."""
    old, new = deciding(old), deciding(new)
    keys = sorted({*old, *new})
    return [f"{k}: {old.get(k)!r} → {new.get(k)!r}" for k in keys if old.get(k) != new.get(k)]


def _source(source: str) -> tuple[str, str]:
    """Return how messages call a preset or YAML file, and its text."""
    if not is_file(source):
        return f"preset {source}", preset_text(source)
    try:
        return source, Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{source}: {reason}") from error


def _read(where: str, text: str) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    """Return a YAML mapping and the line of every key in it."""
    try:
        data = yaml.safe_load(text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "broken"
        raise ConfigError(f"{where}{line}: not YAML: {problem}") from error
    if data is None:
        return {}, {}
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: a configuration is a mapping of keys to values")
    return data, dict(_lines(node, ()))


def _lines(node: Any, path: tuple[str, ...]) -> Sequence[tuple[tuple[str, ...], int]]:
    """Return (path of keys, line) for every key below a mapping node."""
    found: list[tuple[tuple[str, ...], int]] = []
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            found.append((here, key.start_mark.line + 1))
            found.extend(_lines(value, here))
    return found


def _set(data: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` at a dotted key."""
    *parents, last = key.split(".")
    for parent in parents:
        below = data.setdefault(parent, {})
        if not isinstance(below, dict):
            raise ConfigError(f"--set {key}: {parent!r} has no keys below it")
        data = below
    data[last] = value


def _explain(
    error: ValidationError,
    where: str,
    lines: Mapping[tuple[str, ...], int],
    overrides: Mapping[str, Any],
) -> ConfigError:
    """Turn pydantic's first complaint into one line: what, where, the nearest valid key."""
    first = error.errors()[0]
    path = tuple(str(part) for part in first["loc"])
    dotted = ".".join(path)
    if any(f"{key}.".startswith(f"{dotted}.") or dotted.startswith(f"{key}.") for key in overrides):
        where = "command line"
    elif path in lines:
        where = f"{where}:{lines[path]}"
    elif path[:1] in lines:
        where = f"{where}:{lines[path[:1]]}"
    if first["type"] == "extra_forbidden":
        inner: dict[str, type[BaseModel]] = {
            "sampling": SamplingConfig,
            "search": SearchConfig,
            "published": PublishedResult,
            "ray": RayConfig,
        }
        model = inner.get(path[0], Sweep) if len(path) > 1 else Sweep
        return ConfigError(
            f"{where}: unknown key {dotted!r}; {nearest(path[-1], model.model_fields)}"
        )
    if first["type"] == "missing" and dotted == "tasks":
        return ConfigError(
            "no tasks; name a preset (run-benchmark ls presets) or a task (run-benchmark ls tasks)"
        )
    said = first["msg"].removeprefix("Value error, ")
    return ConfigError(f"{where}: {dotted}: {said[0].lower()}{said[1:]}")
