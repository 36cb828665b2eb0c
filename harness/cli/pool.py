"""`pool`: work with candidate pools as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli import options

app = typer.Typer(help="Convert candidate pools.", no_args_is_help=True)

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


@app.callback()
def _pool() -> None:
    """Keep `import` a sub-command, also while it is the only one."""


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
