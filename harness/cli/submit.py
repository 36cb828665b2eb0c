"""`submit`: write a submission to a leaderboard, and check it as the board does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from harness.cli import options
from harness.cli.board import Root

if TYPE_CHECKING:
    from harness.boards.check import Checked

app = typer.Typer(help="Submit a PRM to a leaderboard.", no_args_is_help=True)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="How tables call the PRM.", show_default=False)],
    board: Annotated[str, typer.Option("--board", help="A board (board ls).")],
    author: Annotated[list[str], typer.Option("--author", help="Who submits; repeatable.")],
    run: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
        typer.Option("--run", help="Run folder with scores of the board's pools."),
    ] = None,
    prm: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--prm", help="The PRM's name in that run, if it holds several."),
    ] = None,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Default: submissions/BOARD/NAME among the leaderboards."),
    ] = None,
    leaderboards: Root = None,
) -> None:
    """Write a submission's folder: from a run with its scores, else a form to fill in.

    Example: run-benchmark submit new my-prm --board embedded --run runs/board --author 'N. N.'
    """
    from harness.boards.build import load_pools
    from harness.boards.definition import load_board
    from harness.boards.folder import leaderboards as find
    from harness.boards.new import new_submission
    from harness.store.format import RunFolder, slug

    root = find(leaderboards)
    asked = load_board(root, board)
    pools, _ = load_pools(root, asked)
    folder = out or root / "submissions" / board / slug(name)
    opened = None if run is None else RunFolder(run)
    made = new_submission(folder, name, asked, pools, author, opened, prm)
    scored = f"scores of {', '.join(made.scored)}" if made.scored else "no scores yet"
    typer.echo(f"{folder}: submission.yaml, provenance.json, {scored}")
    if made.scored and made.missing:
        typer.echo(f"not in the run: {', '.join(made.missing)}")
    typer.echo(
        f"next: fill in {folder / 'submission.yaml'}, then run-benchmark submit check {folder}"
    )


@app.command("check")
def check(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders of submissions.", show_default=False)
    ],
    leaderboards: Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Check submissions offline, as the board's own checks do, and print the recomputed figures.

    Exit code 2 if anything is wrong; each finding has its file, line and remedy.

    Example: run-benchmark submit check leaderboards/submissions/embedded/my-prm
    """
    from harness.boards.build import load_pools, submissions_of
    from harness.boards.check import check as check_all
    from harness.boards.definition import load_board
    from harness.boards.findings import errors_of
    from harness.boards.folder import leaderboards as find
    from harness.cli.findings import board_of, exit_with_findings, show_findings

    root = find(leaderboards)
    asked: dict[str, list[Path]] = {}
    with exit_with_findings():
        for folder in folders:
            asked.setdefault(board_of(folder), []).append(folder)
        boards = [load_board(root, name) for name in asked]
    found: list[Checked] = []
    for board in boards:
        pools, _ = load_pools(root, board)
        own = asked[board.name]
        known = [path for path in submissions_of(root, board.name) if not _among(path, own)]
        found += check_all([*known, *own], board, pools)[len(known) :]
    if as_json:
        typer.echo(json.dumps([_plain(one) for one in found], indent=2))
    else:
        for one in found:
            show_findings(one.findings)
            _say(one)
    if any(errors_of(one.findings) for one in found):
        raise typer.Exit(2)


def _among(path: Path, others: list[Path]) -> bool:
    """Whether a submission is one of others, or an older version of one."""
    return any(path.name == other.resolve().name for other in others)


def _say(checked: Checked) -> None:
    """Print the recomputed figures of a sound submission."""
    if not checked.sound:
        return
    for id_, outcome in checked.outcomes.items():
        figure = outcome.figure
        value, low, high = (100 * x for x in (figure.value, figure.low, figure.high))
        typer.echo(f"{id_}  {value:.2f} [{low:.2f}, {high:.2f}]  n = {figure.n}")
    typer.echo(f"{checked.folder}: sound; trust {checked.trust}")


def _plain(checked: Checked) -> dict[str, object]:
    """Return a check for programs."""
    figures = {id_: outcome.figure for id_, outcome in checked.outcomes.items()}
    return {
        "folder": str(checked.folder),
        "sound": checked.sound,
        "trust": checked.trust,
        "digest": checked.digest,
        "findings": [
            {"level": f.level, "file": str(f.file), "line": f.line, "what": f.what}
            | {"remedy": f.remedy}
            for f in checked.findings
        ],
        "figures": {
            id_: {"value": f.value, "low": f.low, "high": f.high, "n": f.n}
            for id_, f in figures.items()
        },
    }
