"""From a run's pool to an archive, and from archives to a run that `score` can work on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.boards.archive import (
    CANDIDATES,
    GRADES,
    NAME,
    PROBLEMS,
    README,
    PoolCard,
    write_archive,
)
from harness.boards.datacard import data_card
from harness.boards.pools import FrozenPool
from harness.config import Sweep
from harness.digest import digest
from harness.errors import ConfigError, DataError, unknown
from harness.files import exclusive
from harness.provenance import append_entry, provenance
from harness.store.format import (
    RunFolder,
    candidate_record,
    grade_record,
    problem_record,
)
from harness.store.log import Header, LogWriter, Record, read_ledger
from harness.store.sweepfile import PoolEntry, SweepFile, read_sweep, write_sweep
from harness.types import GIVEN_KINDS, Grade, Json, Problem, Tokens


def pool_of_run(run: RunFolder, task: str | None, policy: str | None) -> PoolEntry:
    """Return the pool that is meant: the only one, or that of a task (and policy).

    Raises:
        ConfigError: none fits, or several do.
    """
    entries = [entry for entry in read_sweep(run).pools if not entry.greedy]
    tasks = {entry.task for entry in entries}
    if task is not None and task not in tasks:
        raise unknown("task of this run", task, tasks)
    fits = [e for e in entries if task in (None, e.task) and policy in (None, e.policy)]
    if len(fits) == 1:
        return fits[0]
    names = ", ".join(f"--task {e.task} --policy {e.policy}" for e in (fits or entries))
    raise ConfigError(f"{run.root}: which pool? {names}")


def freeze(
    run: RunFolder,
    entry: PoolEntry,
    path: Path,
    *,
    name: str,
    version: int,
    licence: str,
    source: str,
    withhold: bool = False,
) -> PoolCard:
    """Write a run's pool as an archive.

    Raises:
        ConfigError: a name that no file can have, no licence; references are to be withheld of a
            task whose references are the labels.
        DataError: the pool is not complete or not graded.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"--name {name!r}: letters, digits, '.', '_' and '-', at most 60, the first no sign"
        )
    if not licence:
        raise ConfigError("--licence says under which terms others may have it; none is stated")
    given = entry.kind in GIVEN_KINDS
    if withhold and given:
        raise ConfigError(
            f"--withhold-references: in {entry.task} the references are the labels that figures "
            "are computed from; a pool without them could not be recomputed by anybody"
        )
    folder = entry.folder(run)
    problems = folder.read_problems()
    members = {PROBLEMS: _lines(_problem(problem, withhold) for problem in problems)}
    header = Header("given", {"pool": entry.digest}, {})
    if not given:
        header, _ = read_ledger(folder.candidates)
        order = {problem.id: row for row, problem in enumerate(problems)}
        candidates = sorted(folder.read_candidates(), key=lambda c: (order[c.problem], c.index))
        grades = sorted(folder.read_grades(), key=lambda g: (order[g[0]], g[1]))
        for what, found in (("candidates", candidates), ("grades", grades)):
            if len(found) != len(problems) * entry.samples:
                raise DataError(
                    f"{folder.root}: {len(found)} {what} of {len(problems) * entry.samples}; the "
                    "run was interrupted: give its command again"
                )
        members[CANDIDATES] = _lines(
            {k: v for k, v in candidate_record(c).items() if k != "logprobs"} for c in candidates
        )
        members[GRADES] = _lines(grade_record(*found) for found in grades)
        _refuse_ungraded([grade for _, _, grade in grades], folder.root)
    digests = {member: hashlib.sha256(text).hexdigest() for member, text in members.items()}
    card = PoolCard(
        name=name,
        version=version,
        task=entry.task,
        task_version=entry.task_version,
        kind=entry.kind,
        domain=entry.domain,
        policy=entry.policy,
        samples=entry.samples,
        problems=len(problems),
        n_total=entry.n_total,
        licence=licence,
        source=source,
        withheld=withhold,
        pool=entry.digest,
        header={"identity": dict(header.identity), "facts": dict(header.facts)},
        members=digests,
    )
    write_archive(path, card, {**members, README: data_card(card, problems).encode()})
    return card


def thaw(pools: Sequence[FrozenPool], run: RunFolder, name: str, arguments: Sequence[str]) -> None:
    """Write frozen pools as a run without PRMs, on which `run-benchmark score` works.

    Raises:
        ConfigError: the folder holds a run already.
    """
    if run.sweep.exists():
        raise ConfigError(f"{run.root} holds a run already; score it, or choose another --out")
    with exclusive(run.root):
        entries = [_thaw(pool, run) for pool in pools]
        sizes = {pool.card.samples for pool in pools if pool.kind not in GIVEN_KINDS}
        sweep = Sweep(name=name, tasks=tuple(dict.fromkeys(entry.task for entry in entries)))
        config = {**sweep.model_dump(mode="json"), "samples": max(sizes, default=None)}
        identity = digest({"config": config, "pools": [entry.digest for entry in entries]})
        append_entry(run.provenance, provenance(arguments))
        write_sweep(run, SweepFile(config, {}, tuple(entries), (), identity))


def _thaw(pool: FrozenPool, run: RunFolder) -> PoolEntry:
    card = pool.card
    entry = PoolEntry(
        task=card.task,
        task_version=card.task_version,
        kind=card.kind,
        domain=card.domain,
        policy=card.policy,
        samples=card.samples,
        greedy=False,
        n_total=card.n_total,
        digest=card.pool,
    )
    folder = entry.folder(run)
    folder.write_problems(pool.problems)
    if card.kind in GIVEN_KINDS:
        return entry
    header = Header("candidates", card.header["identity"], card.header["facts"])
    if header.digest != card.pool:
        raise DataError(f"{pool.path}: the card's header is not that of the pool it names")
    usage = {problem.id: Tokens() for problem in pool.problems}
    for path, member in ((folder.candidates, CANDIDATES), (folder.grades, GRADES)):
        own = header
        if member == GRADES:
            identity: dict[str, Json] = {"pool": card.pool, "frozen": card.digest}
            own = Header("grades", identity, header.facts)
        with LogWriter(path, own) as log:
            if not log.finished:
                log.append("frozen", pool.records(member), usage=usage)
    return entry


def _problem(problem: Problem, withhold: bool) -> dict[str, Json]:
    record = problem_record(problem)
    return {**record, "reference": None} if withhold else record


def _lines(records: Iterable[Record]) -> bytes:
    lines = (json.dumps(record, ensure_ascii=False, allow_nan=False) for record in records)
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def _refuse_ungraded(grades: Sequence[Grade], root: Path) -> None:
    if all(grade.verdict == "ungraded" for grade in grades):
        raise DataError(f"{root}: no candidate has a verdict; run-benchmark grade first")
