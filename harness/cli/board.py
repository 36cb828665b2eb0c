"""`board`: open, build and compare leaderboards; score parts of submissions again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli import options

app = typer.Typer(help="Build leaderboards from submissions.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="A board (board ls).", show_default=False)]
Root = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads the annotation at run time
    typer.Option(
        "--leaderboards", help="Folder of leaderboards; default ./leaderboards or the shipped one."
    ),
]


@app.command("ls")
def ls(leaderboards: Root = None, as_json: options.AsJson = False) -> None:
    """List the boards: what they ask for, which pools are here, how many submissions."""
    from harness.boards.build import submissions_of
    from harness.boards.definition import board_names, load_board
    from harness.boards.folder import leaderboards as find

    root = find(leaderboards)
    boards = [load_board(root, name) for name in board_names(root)]
    rows = [
        {
            "name": board.name,
            "version": board.version,
            "title": board.title,
            "pools": {n: (root / "pools" / p.file).exists() for n, p in board.pools.items()},
            "ranking": list(board.ranking),
            "submissions": len(submissions_of(root, board.name)),
        }
        for board in boards
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for board, row in zip(boards, rows, strict=True):
        there = dict(row["pools"]) if isinstance(row["pools"], dict) else {}
        typer.echo(f"{board.name}  version {board.version}  {board.title}")
        typer.echo(f"  ranked by: {', '.join(board.ranking)}")
        marks = (f"{name}{'' if here else ' (not here)'}" for name, here in there.items())
        typer.echo(f"  pools: {', '.join(marks)}; submissions: {row['submissions']}")


@app.command("open")
def open_(
    board: Name,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder to make.")],
    leaderboards: Root = None,
) -> None:
    """Unpack a board's frozen pools as a run, which `score` can work on.

    Example: run-benchmark board open embedded --out runs/board
    """
    from harness.boards.build import load_pools
    from harness.boards.check import absent_pool
    from harness.boards.definition import load_board
    from harness.boards.findings import Findings
    from harness.boards.folder import leaderboards as find
    from harness.boards.freeze import thaw
    from harness.cli.main import command_line
    from harness.store.format import RunFolder

    root = find(leaderboards)
    asked = load_board(root, board)
    pools, absent = load_pools(root, asked)
    if not pools:
        where = root / "boards" / f"{board}.yaml"
        raise Findings([absent_pool(where, asked, name) for name in absent])
    thaw(list(pools.values()), RunFolder(out), f"board-{board}", command_line())
    candidates = sum(int(pool.present.sum()) for pool in pools.values())
    typer.echo(f"{out}: {candidates:,} solutions of {len(pools)} pools: {', '.join(pools)}")
    if absent:
        typer.echo(f"not here, so not in it: {', '.join(absent)}")
    typer.echo(f"next: run-benchmark score {out} --prm NAME")


@app.command("build")
def build(
    board: Name,
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Default: published/BOARD in the leaderboards' folder."),
    ] = None,
    leaderboards: Root = None,
) -> None:
    """Check every submission of a board, recompute, rank, and write tables and page.

    Example: run-benchmark board build embedded
    """
    from harness.boards.build import build as built
    from harness.boards.build import gather
    from harness.boards.folder import leaderboards as find
    from harness.boards.publish import publish
    from harness.cli.findings import exit_with_findings

    root = find(leaderboards)
    with exit_with_findings():
        made = built(gather(root, board))
    folder = out or root / "published" / board
    paths = publish(made, folder)
    typer.echo(f"{made.title}, version {made.version}: {len(made.ranked)} ranked entries")
    for entry in made.ranked:
        place = entry.place
        assert place is not None
        typer.echo(
            f"  {place.rank:3d} [{place.rank_low}-{place.rank_high}]  {100 * place.score:5.1f} "
            f"[{100 * place.low:.1f}, {100 * place.high:.1f}]  {entry.name}  ({entry.trust})"
        )
    typer.echo(f"{folder}: {', '.join(path.name for path in paths)}")


@app.command("changes")
def changes(
    before: Annotated[Path, typer.Argument(help="A board.json; may be missing.")],
    after: Annotated[Path, typer.Argument(help="The board.json to compare with it.")],
) -> None:
    """Print, as Markdown, who moved between two builds of a board."""
    from harness.boards.changes import changes as table_of
    from harness.boards.changes import read_board
    from harness.reporting.render import markdown

    old = read_board(before) if before.exists() else None
    typer.echo(markdown(table_of(old, read_board(after))))


@app.command("review")
def review(
    base: Annotated[Path, typer.Option("--base", help="Leaderboards as they are; trusted.")],
    change: Annotated[Path, typer.Option("--change", help="Leaderboards as they would be.")],
    out: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--out", "-o", help="Also write the boards as they would be."),
    ] = None,
) -> None:
    """Print, as Markdown, what a change of submissions does; exit code 2 if one is not sound.

    Definitions, pools and reruns are the base's. Nothing of the change is executed.

    Example: run-benchmark board review --base main/leaderboards --change change/leaderboards
    """
    from harness.boards.publish import publish
    from harness.boards.review import review as reviewed

    found = reviewed(base, change)
    for board in found.boards if out is not None else ():
        assert out is not None
        publish(board, out / board.name)
    typer.echo(found.text)
    if not found.sound:
        raise typer.Exit(2)


@app.command("rerun")
def rerun(
    submission: Annotated[Path, typer.Argument(help="Folder of a submission.")],
    prm: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--prm", help="Open this in its place: a local copy of the same weights."),
    ] = None,
    problems: Annotated[int, typer.Option("--problems", min=1, help="Of each pool.")] = 8,
    tolerance: Annotated[
        float, typer.Option("--tolerance", min=0.0, help="Largest difference of a score.")
    ] = 1e-3,
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--seed", help="To repeat a rerun; by default drawn afresh."),
    ] = None,
    leaderboards: Root = None,
) -> None:
    """Score some problems of a submission again here; where all agree, it is trusted as re-run.

    Example: run-benchmark board rerun leaderboards/submissions/embedded/prm-mixed
    """
    from harness.boards import rerun as again
    from harness.boards.build import load_pools
    from harness.boards.check import check
    from harness.boards.definition import load_board
    from harness.boards.findings import Findings
    from harness.boards.folder import leaderboards as find
    from harness.cli.findings import board_of, exit_with_findings
    from harness.cli.main import command_line

    root = find(leaderboards)
    board = load_board(root, board_of(submission))
    pools, _ = load_pools(root, board)
    with exit_with_findings():
        (checked,) = check([submission], board, pools)
        if not checked.sound:
            raise Findings(checked.findings)
        found = again.rerun(
            checked,
            pools,
            command_line(),
            prm=prm,
            problems=problems,
            tolerance=tolerance,
            seed=seed,
        )
    path = again.rerun_path(root, board.name, checked.folder.resolve().name)
    again.write_rerun(path, found)
    typer.echo(f"{checked.folder.name}: {found.sentence}")
    typer.echo(f"{path}: written; run-benchmark board build {board.name}")
