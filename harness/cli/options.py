"""Options that several verbs share, with one spelling and one help text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

Preset = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time
    typer.Argument(help="A preset (ls presets) or a YAML file.", show_default=False),
]
Tasks = Annotated[
    list[str],
    typer.Option("--tasks", "--task", "-t", help="Tasks or groups, comma-separated or repeated."),
]
Policies = Annotated[
    list[str],
    typer.Option("--policy", help="adapter:target,key=value or a name of ls policies; repeatable."),
]
Prms = Annotated[
    list[str],
    typer.Option("--prm", help="adapter:target,key=value or a name of ls prms; repeatable."),
]
Methods = Annotated[
    list[str],
    typer.Option("--method", "-m", help="Methods (ls methods), e.g. majority,beam,width=4."),
]
Budgets = Annotated[
    list[str],
    typer.Option("--budget", "-n", help="Candidates per problem, e.g. 1,4,16,64."),
]
Seed = Annotated[Optional[int], typer.Option("--seed", help="Seed of sampling and subsets.")]  # noqa: UP045
Limit = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--limit", "-L", help="A seeded random subset of each task; for trying out."),
]
Out = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", "-o", help="Run folder; the same command again resumes it."),
]
Settings = Annotated[
    list[str],
    typer.Option("--set", help="Any key of the configuration: --set sampling.temperature=0.7"),
]
DataDir = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--data-dir", "--data_dir", help="Local data sets; default $HARNESS_DATA."),
]
Include = Annotated[
    list[str],
    typer.Option("--include-path", "--include_path", help="A folder of further tasks."),
]
Full = Annotated[bool, typer.Option("--full", help="The preset's larger version.")]
Engine = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--engine", help="default, vllm or ray (workers on one machine or a cluster)."),
]
RayAddress = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--ray-address", help="A Ray cluster; default $RAY_ADDRESS, or one of our own."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
SandboxName = Annotated[
    str,
    typer.Option("--sandbox", help="What isolates model-written code; see doctor."),
]
SandboxUrl = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--sandbox-url", help="Server of --sandbox remote."),
]
UnsafeLocalCode = Annotated[
    bool,
    typer.Option(
        "--unsafe-local-code", help="With --sandbox unsafe-local: NO isolation, limits only."
    ),
]
RunFolderArgument = Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)]


def names(values: Iterable[str]) -> list[str]:
    """Split comma-separated names and drop empty ones."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def overrides(
    *,
    tasks: Sequence[str] = (),
    policies: Sequence[str] = (),
    prms: Sequence[str] = (),
    methods: Sequence[str] = (),
    budgets: Sequence[str] = (),
    seed: int | None = None,
    limit: int | None = None,
    include: Sequence[str] = (),
    engine: str | None = None,
    ray_address: str | None = None,
    settings: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what the command line sets, by key of the configuration; what it leaves out is absent.

    Raises:
        ConfigError: a --set without a value, a budget that is no number.
    """
    from harness.config import parse_setting
    from harness.errors import ConfigError
    from harness.search.methods import split_methods

    found = dict(parse_setting(text) for text in settings)
    numbers = names(budgets)
    wrong = [number for number in numbers if not number.isdecimal()]
    if wrong:
        raise ConfigError(f"--budget {wrong[0]!r} is no whole number; write --budget 1,4,16")
    given: dict[str, Any] = {
        "tasks": names(tasks),
        "policies": list(policies),
        "prms": list(prms),
        "methods": [name for text in methods for name in split_methods(text)],
        "budgets": [int(number) for number in numbers],
        "include": list(include),
    }
    found.update({key: value for key, value in given.items() if value})
    if seed is not None:
        found["seed"] = seed
    if limit is not None:
        found["limit"] = limit
    if engine is not None:
        found["engine"] = engine
    if ray_address is not None:
        found["ray.address"] = ray_address
    return found
