"""What a proposed change of submissions does to the boards, judged by the definitions of before.

Two folders of leaderboards: the base, which is trusted, and the change, of which only submissions
are read, as data. Definitions, pools and reruns are always the base's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.boards.build import build, gather, load_pools, submissions_of
from harness.boards.changes import changes
from harness.boards.check import check
from harness.boards.definition import board_names, load_board
from harness.boards.findings import Finding, Findings, errors_of
from harness.boards.standing import Board
from harness.digest import file_digest
from harness.reporting.escape import escape_markdown
from harness.reporting.render import markdown

_KEPT = ("boards", "pools", "reruns")


@dataclass(frozen=True)
class Review:
    """The result, in Markdown."""

    text: str
    sound: bool
    boards: tuple[Board, ...]
    """The boards as they would be."""


def review(base: Path, change: Path) -> Review:
    """Check every submission that the change adds or alters, and build the boards with them."""
    lines: list[str] = ["## Leaderboards", ""]
    built: list[Board] = []
    findings: list[Finding] = []
    touched = 0
    for name in board_names(base):
        own = changed(base, change, name)
        gone = sorted(_names(base, name) - _names(change, name))
        if not own and not gone:
            continue
        touched += 1
        lines += [
            f"Board {name}: {', '.join(escape_markdown(p.name) for p in own) or 'none'} new or "
            f"changed{', removed: ' + ', '.join(map(escape_markdown, gone)) if gone else ''}.",
            "",
        ]
        board = load_board(base, name)
        pools, _ = load_pools(base, board)
        checked = check(own, board, pools)
        found = [finding for one in checked for finding in one.findings]
        if not errors_of(found):
            try:
                before = build(gather(base, name))
                after = build(gather(base, name, submissions_of(change, name)))
                built.append(after)
                lines += [markdown(changes(before, after)), ""]
            except Findings as error:
                found = list(error.findings)
        findings += found
    lines += list(_listed(findings))
    if not touched:
        lines += ["No submission changes.", ""]
    kept = [part for part in _KEPT if _files(base / part) != _files(change / part)]
    if kept:
        lines += [
            f"The change also touches {', '.join(kept)}: for a person to judge; not used here."
        ]
    return Review("\n".join(lines) + "\n", not errors_of(findings), tuple(built))


def changed(base: Path, change: Path, board: str) -> list[Path]:
    """Return the submissions in `change` that are not in `base` with the same files."""
    return [
        folder
        for folder in submissions_of(change, board)
        if _files(folder) != _files(base / "submissions" / board / folder.name)
    ]


def _names(root: Path, board: str) -> set[str]:
    return {folder.name for folder in submissions_of(root, board)}


def _files(folder: Path) -> dict[str, str]:
    """Return relative path → digest of the plain files below a folder; links by their target."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        inside = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[inside] = f"link to {path.readlink()}"
        elif path.is_file():
            found[inside] = file_digest(path)
    return found


def _listed(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the findings as a list, errors first."""
    for finding in sorted(findings, key=lambda finding: finding.level):
        yield f"- **{finding.level}** {escape_markdown(finding.text)}"
    if findings:
        yield ""
