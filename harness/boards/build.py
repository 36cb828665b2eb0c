"""Build a board: check every submission, recompute, rank, cite.

One unsound submission, or a pool that is not there, and nothing is built: a board never says less
than its folder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import harness
from harness.boards.check import Checked, absent_pool, check
from harness.boards.cited import cited_entries
from harness.boards.definition import BoardDefinition, load_board
from harness.boards.entries import entry_of, reference_entries
from harness.boards.findings import Finding, Findings, errors_of
from harness.boards.places import stand
from harness.boards.pools import FrozenPool, load_pool
from harness.boards.rerun import rerun_of
from harness.boards.shown import samples
from harness.boards.slices import facets
from harness.boards.standing import TRUST, Board, Entry, Pool, Sample
from harness.digest import digest
from harness.runner.first_error import labels_every_step

AGGREGATION = "each PRM's own, declared with the submission before its results were seen"


@dataclass(frozen=True)
class Gathered:
    """A board's definition with everything that lies there for it."""

    root: Path
    board: BoardDefinition
    pools: Mapping[str, FrozenPool]
    absent: tuple[str, ...]
    """Pools whose archives are not there."""
    checked: tuple[Checked, ...]
    """Its submissions, by folder name."""
    shown: tuple[Sample, ...]


def load_pools(root: Path, board: BoardDefinition) -> tuple[dict[str, FrozenPool], list[str]]:
    """Return the board's pools that are there, and the names of the others.

    Raises:
        Findings: an archive is there and is not what the board names.
    """
    found, absent = {}, []
    for name, wanted in board.pools.items():
        path = root / "pools" / wanted.file
        if not path.exists():
            absent.append(name)
            continue
        pool = load_pool(path, wanted.digest)
        for key in ("task", "task_version", "kind", "domain", "policy", "problems", "samples"):
            said, is_ = getattr(wanted, key), getattr(pool.card, key)
            if said != is_:
                where = root / "boards" / f"{board.name}.yaml"
                what = f"pools.{name}.{key} is {said!r}, the pool's is {is_!r}"
                raise Findings([Finding(where, what, "correct the board")])
        found[name] = pool
    for one in board.figures:
        own = found.get(one.pool)
        if "prm_score" in one.methods and own and not all(map(labels_every_step, own.problems)):
            where = root / "boards" / f"{board.name}.yaml"
            what = f"prm_score is not defined on {one.pool}; it does not label every step"
            raise Findings([Finding(where, what, "ask for first_error")])
    return found, absent


def submissions_of(root: Path, board: str) -> list[Path]:
    """Return the folders of a board's submissions."""
    folder = root / "submissions" / board
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def gather(root: Path, name: str, submissions: Sequence[Path] | None = None) -> Gathered:
    """Read a board, its pools and its submissions, and check them.

    Args:
        root: The leaderboards.
        name: The board.
        submissions: Other submissions than those that lie there.

    Raises:
        Findings: everything that is wrong.
    """
    board = load_board(root, name)
    pools, absent = load_pools(root, board)
    shown = samples(pools, board.shown, board.seed)
    folders = submissions_of(root, name) if submissions is None else submissions
    checked = check(folders, board, pools, shown)
    findings = [finding for one in checked for finding in one.findings]
    if absent and not board.cited:
        where = root / "boards" / f"{name}.yaml"
        findings += [absent_pool(where, board, pool) for pool in absent]
    if errors_of(findings):
        raise Findings(findings)
    return Gathered(root, board, pools, tuple(absent), tuple(checked), shown)


def build(found: Gathered) -> Board:
    """Return the built board."""
    board, pools = found.board, found.pools
    parts = {pool: facets(own) for pool, own in pools.items()}
    reruns = {one.folder: rerun_of(found.root, board.name, one) for one in found.checked}
    entries = {
        one.folder.name: entry_of(one, board, pools, parts, reruns[one.folder])
        for one in found.checked
    }
    outcomes = {
        one.folder.name: one.outcomes
        for one in found.checked
        if _ranked(entries[one.folder.name], board)
    }
    standing = stand(outcomes, board.ranking)
    ranked = [
        replace(entry, place=standing.places[id_])
        for id_, entry in entries.items()
        if id_ in standing.places
    ]
    ranked.sort(key=lambda entry: entry.place.rank if entry.place else 0)
    others = [entry for id_, entry in entries.items() if id_ not in standing.places]
    others += [*reference_entries(board, pools), *cited_entries(board, pools)]
    return Board(
        name=board.name,
        title=board.title,
        version=board.version,
        description=board.description,
        digest=_digest(found, reruns),
        harness=harness.__version__,
        aggregation=AGGREGATION if board.aggregation == "declared" else board.aggregation,
        ranking=_ranking_words(board),
        replicas=board.replicas,
        trust=board.trust,
        columns=board.columns(),
        pools=tuple(_pool(board, pool, pools) for pool in board.pools),
        entries=(*ranked, *sorted(others, key=lambda entry: (entry.role, entry.name.lower()))),
        pairs=standing.pairs,
        samples=found.shown,
        remarks=tuple(_remarks(found)),
    )


def _ranked(entry: Entry, board: BoardDefinition) -> bool:
    values = {value.column for value in entry.values if np.isfinite(value.value)}
    trusted = TRUST.index(entry.trust) >= TRUST.index(board.trust)
    return trusted and set(board.ranking) <= values


def _pool(board: BoardDefinition, name: str, pools: Mapping[str, FrozenPool]) -> Pool:
    said = board.pools[name]
    return Pool(
        name,
        said.task,
        said.task_version,
        said.kind,
        said.domain,
        said.policy,
        said.problems,
        said.samples,
        said.digest,
        said.licence,
        said.obtain,
        name in pools,
        name in pools and pools[name].card.withheld,
    )


def _ranking_words(board: BoardDefinition) -> str:
    one = len(board.ranking) == 1
    return f"{'' if one else 'plain mean of '}{', '.join(board.ranking)}"


def _remarks(found: Gathered) -> list[str]:
    return [
        f"The pool {name} was not there: its columns hold cited figures alone."
        for name in found.absent
    ]


def _digest(found: Gathered, reruns: Mapping[Path, object]) -> str:
    return digest(
        {
            "board": found.board.model_dump(mode="json"),
            "submissions": {one.folder.name: one.digest for one in found.checked},
            "rerun": sorted(folder.name for folder, rerun in reruns.items() if rerun is not None),
            "cited": [entry.name for entry in cited_entries(found.board)],
        }
    )
