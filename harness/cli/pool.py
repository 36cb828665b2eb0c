"""`pool`: work with candidate pools as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli import options

app = typer.Typer(help="Convert, freeze and verify candidate pools.", no_args_is_help=True)

Mapping = Annotated[
    list[str],
    typer.Option(
        "--map",
        help="field=key; fields: id, question, text, steps, join, scores, score, …",
    ),
]
Task = Annotated[
    Optional[str],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option("--task", help="Where questions are looked up; needed with --map question=KEY."),
]


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="JSON lines or a JSON array, plain or .gz.")],
    target: Annotated[Path, typer.Argument(help="The file to write.")],
    mapping: Mapping,
    task: Task = None,
    data_dir: options.DataDir = None,
    include_path: options.Include = [],  # noqa: B006 - typer copies defaults
) -> None:
    """Convert recorded generations of any form into a pool for --policy pool:FILE.

    Dotted keys go down; a list of texts is one candidate each. Scores alone (scores=KEY of steps,
    score=KEY of whole answers) become a file for --prm recorded:FILE.

    Example: run-benchmark pool import raw.jsonl.gz pool.jsonl --task math500
    --map question=problem --map text=responses
    """
    from harness.errors import ConfigError
    from harness.paths import data_folder
    from harness.policies.importer import parse_mapping, write_pool
    from harness.problems.lookup import ids_by_text

    chosen = parse_mapping(mapping)
    if "id" not in chosen and task is None:
        raise ConfigError("--map question=KEY needs --task NAME, where the question is looked up")
    include = tuple(Path(folder) for folder in include_path)
    ids = ids_by_text(task, data_dir=data_folder(data_dir), include=include) if task else {}
    result = write_pool(source, target, chosen, ids)
    what = "candidates" if {"text", "steps"} & chosen.keys() else "scored solutions"
    typer.echo(
        f"{target}: {result.candidates:,} {what} of {len(result.problems):,} problems, "
        f"from {result.rows:,} rows"
    )
    if result.repeated:
        typer.echo(
            f"left out: {len(result.repeated):,} rows that say again what another says "
            f"(at {', '.join(place.rsplit(':', 1)[-1] for place in result.repeated[:5])})"
        )
    if result.unmatched:
        first = ", ".join(place.rsplit(":", 1)[-1] for place in result.unmatched[:5])
        typer.echo(
            f"left out: {len(result.unmatched):,} rows whose question is not in {task} "
            f"(first at {first})"
        )


Archive = Annotated[Path, typer.Argument(help="A .pool.zip.", show_default=False)]


@app.command("freeze")
def freeze(
    run: options.RunFolderArgument,
    name: Annotated[str, typer.Option("--name", help="What boards call the pool.")],
    licence: Annotated[str, typer.Option("--licence", help="Of problems and candidates.")],
    task: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--task", help="If the run has several pools."),
    ] = None,
    policy: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--policy", help="If the task has several pools."),
    ] = None,
    version: Annotated[int, typer.Option("--version", min=1, help="Of the frozen pool.")] = 1,
    source: Annotated[str, typer.Option("--source", help="Where it comes from, in words.")] = "",
    withhold: Annotated[
        bool,
        typer.Option("--withhold-references", help="Leave out gold answers and hidden tests."),
    ] = False,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Default: NAME-VERSION.pool.zip."),
    ] = None,
) -> None:
    """Freeze a run's graded pool as one file with a data card, named by its content.

    Example: run-benchmark pool freeze runs/mine --task gsm8k --name gsm8k-mine --licence MIT
    """
    from harness.boards.archive import SUFFIX
    from harness.boards.freeze import freeze as frozen
    from harness.boards.freeze import pool_of_run
    from harness.store.format import RunFolder

    folder = RunFolder(run)
    entry = pool_of_run(folder, task, policy)
    path = out or Path(f"{name}-{version}{SUFFIX}")
    card = frozen(
        folder,
        entry,
        path,
        name=name,
        version=version,
        licence=licence,
        source=source,
        withhold=withhold,
    )
    typer.echo(f"{path}: {path.stat().st_size:,} bytes, digest {card.digest}")


@app.command("verify")
def verify(
    archive: Archive,
    digest: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--digest", help="What its digest has to be."),
    ] = None,
) -> None:
    """Read an archive whole and check every record and digest; exit code 2 if it is not sound.

    Example: run-benchmark pool verify leaderboards/pools/chain_arithmetic-1.pool.zip
    """
    import numpy as np

    from harness.boards.pools import load_pool

    pool = load_pool(archive, digest)
    graded = int(np.isfinite(pool.correct).sum())
    typer.echo(
        f"{archive}: sound; {len(pool.problems):,} problems, {int(pool.present.sum()):,} "
        f"solutions, {int(pool.steps.sum()):,} steps, {graded:,} with a verdict"
    )
    typer.echo(f"digest {pool.digest}")


@app.command("info")
def info(archive: Archive, as_json: options.AsJson = False) -> None:
    """Print an archive's data card."""
    import json

    from harness.boards.archive import Archive as Opened
    from harness.boards.datacard import data_card
    from harness.boards.pools import load_pool
    from harness.reporting.escape import plain

    if as_json:
        with Opened(archive) as opened:
            card = opened.card.model_dump(mode="json")
            typer.echo(json.dumps({"digest": opened.digest, **card}, indent=2))
        return
    pool = load_pool(archive)
    for line in data_card(pool.card, pool.problems).splitlines():
        typer.echo(plain(line))
    typer.echo(f"digest {pool.digest}")
