"""sweep.json: what a run was asked for, and which files answer it.

Whoever reads a run begins here: the settings, then every pool and every score file by digest. A
second launch in the same folder must have the same settings; `score` adds PRMs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.config import changed_keys, settled
from harness.errors import ConfigError, DataError
from harness.files import write_json
from harness.store.format import PoolFolder, RunFolder
from harness.store.log import SCHEMA_VERSION, ledger_path, read_ledger
from harness.store.searches import SearchFolder
from harness.types import Json, Kind


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """One pool of the run."""

    task: str
    task_version: str
    kind: Kind
    domain: str
    policy: str
    samples: int
    greedy: bool
    n_total: int
    """Problems that the task has; the pool may hold fewer."""
    digest: str

    def folder(self, run: RunFolder) -> PoolFolder:
        """Return where it is."""
        return run.pool(self.task, self.policy, self.digest)


@dataclass(frozen=True, slots=True)
class ScoreEntry:
    """One PRM's scores of one pool."""

    prm: str
    pool: str
    """Digest of the pool."""
    aggregation: str
    """The PRM's declared one."""
    digest: str


@dataclass(frozen=True, slots=True)
class SearchEntry:
    """One search of the run."""

    task: str
    task_version: str
    kind: Kind
    domain: str
    policy: str
    prm: str | None
    method: str
    """Its name in tables."""
    base: str
    """The method's own name, as `ls methods` has it."""
    curve: str
    """See `harness.search.methods.Curve`."""
    aggregation: str | None
    n: int
    replicas: int
    alone: bool
    """Timed, one problem at a time."""
    n_total: int
    digest: str

    def folder(self, run: RunFolder) -> SearchFolder:
        """Return where it is."""
        name = self.method + ("-alone" if self.alone else "")
        return SearchFolder.of(run, self.task, self.policy, self.prm, name, self.digest)


@dataclass(frozen=True, slots=True)
class SweepFile:
    """The content of sweep.json."""

    config: Mapping[str, Any]
    """`harness.config.Sweep`, resolved."""
    groups: Mapping[str, tuple[str, ...]]
    pools: tuple[PoolEntry, ...]
    scores: tuple[ScoreEntry, ...]
    digest: str
    """Identity of the run as first asked for: settings and pools."""
    searches: tuple[SearchEntry, ...] = ()

    def pool(self, digest: str) -> PoolEntry:
        """Return the pool with a digest."""
        return next(pool for pool in self.pools if pool.digest == digest)

    def scores_path(self, run: RunFolder, entry: ScoreEntry) -> Path:
        """Return where a PRM's scores are."""
        pool = self.pool(entry.pool)
        return run.scores(pool.task, pool.policy, entry.prm, entry.digest)

    def finished(self, run: RunFolder) -> SweepFile:
        """Return the file without score files that are not complete: they stand in nobody's way."""
        return replace(self, scores=tuple(e for e in self.scores if _complete(run, self, e)))

    def named(self, other: SweepFile) -> SweepFile:
        """Return the file with policies as `other` names them, machine's options included."""
        return replace(self, config={**self.config, "policies": other.config["policies"]})

    def with_scores(self, prms: tuple[str, ...], scores: tuple[ScoreEntry, ...]) -> SweepFile:
        """Return the file with further PRMs; those that are there already stay as they are."""
        known = {(entry.prm, entry.pool): entry for entry in self.scores}
        for entry in scores:
            old = known.setdefault((entry.prm, entry.pool), entry)
            if old.digest != entry.digest:
                raise ConfigError(
                    f"PRM {entry.prm!r} has scored this pool with other content or options; give "
                    f"it another name: --prm {entry.prm},name=OTHER"
                )
        listed = {settled(text): text for text in (*self.config.get("prms", ()), *prms)}
        config = {**self.config, "prms": list(listed.values())}
        return replace(self, config=config, scores=tuple(known.values()))


def _complete(run: RunFolder, sweep: SweepFile, entry: ScoreEntry) -> bool:
    """Whether a PRM has scored every problem of its pool."""
    path = sweep.scores_path(run, entry)
    if not ledger_path(path).exists():
        return False
    done = {problem for unit in read_ledger(path)[1] for problem in unit.usage}
    return len(done) == len(sweep.pool(entry.pool).folder(run).read_problems())


def write_sweep(run: RunFolder, sweep: SweepFile) -> None:
    """Write sweep.json, at once."""
    value: dict[str, Json] = {
        "schema_version": SCHEMA_VERSION,
        "digest": sweep.digest,
        "config": dict(sweep.config),
        "groups": {name: list(members) for name, members in sweep.groups.items()},
        "pools": [asdict(pool) for pool in sweep.pools],
        "scores": [asdict(entry) for entry in sweep.scores],
        "searches": [asdict(entry) for entry in sweep.searches],
    }
    write_json(run.sweep, value)


def read_sweep(run: RunFolder) -> SweepFile:
    """Read sweep.json.

    Raises:
        DataError: not a run folder, another schema version, or an edited file.
    """
    try:
        value = json.loads(run.sweep.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{run.root} is no run folder: it holds no sweep.json") from None
    except ValueError as error:
        raise DataError(f"{run.sweep}: not JSON: {error}") from error
    if not isinstance(value, dict) or value.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{run.sweep}: not of schema version {SCHEMA_VERSION}")
    try:
        return SweepFile(
            config=value["config"],
            groups={name: tuple(members) for name, members in value["groups"].items()},
            pools=tuple(PoolEntry(**entry) for entry in value["pools"]),
            scores=tuple(ScoreEntry(**entry) for entry in value["scores"]),
            digest=value["digest"],
            searches=tuple(SearchEntry(**entry) for entry in value.get("searches", ())),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{run.sweep}: not a sweep file ({error!r})") from error


def check_same(run: RunFolder, old: SweepFile, new: SweepFile) -> None:
    """Refuse to go on in a folder that another sweep has filled.

    Raises:
        ConfigError: the settings that differ, and the ways out.
    """
    ways = (
        f"choose another --out, give the same settings, or delete {run.root}; to add a PRM: "
        f"run-benchmark score {run.root} --prm NAME"
    )
    changed = changed_keys(json.loads(json.dumps(old.config)), json.loads(json.dumps(new.config)))
    if changed:
        raise ConfigError(
            f"{run.root} holds a run with other settings: {'; '.join(changed)}; {ways}"
        )
    search = _changed_search(old, new)
    if search is not None:
        raise ConfigError(
            f"{run.root} holds a run of the same settings, but what searches with {search.method} "
            f"on task {search.task} is another one now: policy {search.policy}, PRM "
            f"{search.prm or 'none'}, or the engine that they run on; {ways}"
        )
    mine = {pool.digest for pool in new.pools}
    gone = [pool for pool in old.pools if pool.digest not in mine]
    if gone:
        raise ConfigError(
            f"{run.root} holds a run of the same settings, but the content of task {gone[0].task} "
            f"or of policy {gone[0].policy} is another one now; {ways}"
        )


def _changed_search(old: SweepFile, new: SweepFile) -> SearchEntry | None:
    """Return a search that is asked for again with other content."""

    def key(entry: SearchEntry) -> tuple[object, ...]:
        return entry.task, entry.policy, entry.prm, entry.method, entry.n, entry.alone

    known = {key(entry): entry.digest for entry in old.searches}
    differ = (e for e in new.searches if known.get(key(e), e.digest) != e.digest)
    return next(differ, None)
