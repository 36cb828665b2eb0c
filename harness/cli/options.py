"""Options that several verbs share, with one spelling and one help text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

Preset = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time
    typer.Argument(
        help="A preset (ls presets), a task or group (ls tasks), or a YAML file.",
        metavar="[preset | task | FILE.yaml]",
        show_default=False,
    ),
]
Tasks = Annotated[
    list[str],
    typer.Option(
        "--tasks",
        "--task",
        "-t",
        help="Tasks, groups or lm-eval:NAME; comma-separated or repeated.",
    ),
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
PoolBudgets = Annotated[
    list[str],
    typer.Option(
        "--budget",
        "-n",
        help="Candidates per problem, e.g. 1,4,16,64; of searches: --set search.budgets=[4,16].",
    ),
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
DeviceName = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--device", help="Expected hours on it: h100, h200, a100, rtx4090, cpu."),
]
MaxSeconds = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--max-seconds", help="Stop after so long, between two units; exit code 3."),
]
MaxFlops = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--max-flops", help="The same for operations of policies and PRMs, e.g. 1e18."),
]
TraceFile = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--trace", help="Write a trace of this launch for ui.perfetto.dev."),
]
RunFolderArgument = Annotated[Path, typer.Argument(help="Folder of a run.", show_default=False)]


def names(values: Iterable[str]) -> list[str]:
    """Split comma-separated names and drop empty ones."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def source(
    name: str | None, tasks: Sequence[str], include: Sequence[str]
) -> tuple[str | None, list[str]]:
    """Return the preset or file that is named, if one is, and all tasks: the name may be of a task.

    Raises:
        ConfigError: neither a preset nor a task nor a YAML file.
    """
    from harness.config import is_file, preset_names

    if name is None or is_file(name) or name in preset_names():
        return name, list(tasks)
    from harness.errors import unknown
    from harness.problems import lm_eval
    from harness.problems.catalog import names as names_of_tasks

    if not name.startswith(lm_eval.PREFIX):  # whose tasks may not be read as strictly as ours
        known = names_of_tasks([Path(folder) for folder in include])
        if name not in known:
            raise unknown("preset or task", name, [*preset_names(), *known])
    return None, [name, *tasks]


def whole(budgets: Iterable[str]) -> list[int]:
    """Return the numbers of --budget.

    Raises:
        ConfigError: one that is no whole number.
    """
    from harness.errors import ConfigError

    numbers = names(budgets)
    wrong = [number for number in numbers if not number.isdecimal()]
    if wrong:
        raise ConfigError(f"--budget {wrong[0]!r} is no whole number; write --budget 1,4,16")
    return [int(number) for number in numbers]


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
    from harness.search.methods import split_methods

    found = dict(parse_setting(text) for text in settings)
    given: dict[str, Any] = {
        # As with methods, ``key=value`` belongs to the task before it.
        "tasks": [name.strip() for text in tasks for name in split_methods(text) if name.strip()],
        "policies": list(policies),
        "prms": list(prms),
        "methods": [name for text in methods for name in split_methods(text)],
        "budgets": whole(budgets),
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
