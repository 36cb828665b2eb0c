"""Write a submission: a folder with what is known filled in, from a run or from nothing."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.boards.archive import CANDIDATES
from harness.boards.cited import parameters
from harness.boards.definition import BoardDefinition
from harness.boards.pools import FrozenPool
from harness.boards.scores import write_scores
from harness.boards.submission import FILE, PROVENANCE, RECIPE, scores_path
from harness.digest import digest
from harness.errors import ConfigError, DataError, unknown
from harness.files import write_json, write_text
from harness.provenance import read_entries
from harness.runner.arrays import architecture_of, at_work
from harness.search.ledger import flops_of
from harness.store.format import RunFolder, read_scores
from harness.store.log import Header, Unit, read_ledger
from harness.store.sweepfile import ScoreEntry, SweepFile, read_sweep
from harness.types import GIVEN_KINDS, Json

UNDECLARED = "Not declared: say here whether test problems were in the training data."


@dataclass(frozen=True)
class Made:
    """What was written."""

    folder: Path
    scored: tuple[str, ...]
    """Pools of the board whose scores are in it."""
    missing: tuple[str, ...]


def new_submission(
    folder: Path,
    name: str,
    board: BoardDefinition,
    pools: Mapping[str, FrozenPool],
    authors: Sequence[str],
    run: RunFolder | None = None,
    prm: str | None = None,
) -> Made:
    """Write the folder of a submission; it must not be there.

    Args:
        folder: Where.
        name: How tables call the PRM.
        board: The board it is for.
        pools: The board's pools that are there.
        authors: Who submits.
        run: A run whose pools hold the board's candidates, scored by `prm`.
        prm: The PRM's name in the run; None: the only one there is.

    Raises:
        ConfigError: the folder is there, or the run has no such PRM.
        DataError: the run's candidates are not those of the frozen pools.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is there already; remove it, or choose another name or --out")
    facts: dict[str, Any] = {}
    found: dict[str, _Found] = {}
    provenance: dict[str, Json] = {}
    if run is not None:
        sweep = read_sweep(run)
        prm = _prm_of(run, sweep, prm)
        found = dict(_found(run, sweep, prm, pools))
        if not found:
            raise DataError(
                f"{run.root} holds none of the pools of board {board.name}; make a run of them: "
                f"run-benchmark board open {board.name} --out FOLDER"
            )
        facts = _facts(sweep, prm, next(iter(found.values())).header)
        provenance = _launch(read_entries(run.provenance), facts["text"])
        facts["command"] = str(provenance.get("command", ""))
    elif prm is not None:
        raise ConfigError("--prm names a PRM of a run; give --run FOLDER too")
    recipe = facts.get("recipe_file")
    write_text(folder / FILE, _text(name, board, authors, facts))
    write_json(folder / PROVENANCE, provenance)
    if recipe is not None:
        shutil.copyfile(recipe, folder / RECIPE)
    for pool, own in found.items():
        write_scores(scores_path(folder, pool), pools[pool], own.rows, own.seconds)
    return Made(folder, tuple(found), tuple(p for p in board.pools if p not in found))


# --- from a run ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    header: Header
    rows: dict[str, list[Any]]
    seconds: float | None


def _prm_of(run: RunFolder, sweep: SweepFile, prm: str | None) -> str:
    names = list(dict.fromkeys(entry.prm for entry in sweep.scores))
    if prm is None and len(names) == 1:
        return names[0]
    if prm is None:
        raise ConfigError(f"{run.root} holds several PRMs; --prm one of {', '.join(names)}")
    if prm not in names:
        raise unknown("PRM of this run", prm, names)
    return prm


def _found(run: RunFolder, sweep: SweepFile, prm: str, pools: Mapping[str, FrozenPool]) -> Any:
    """Yield (pool of the board, scores) for every pool that the PRM has scored in the run."""
    for name, pool in pools.items():
        for entry in sweep.scores:
            if entry.prm == prm and entry.pool == pool.card.pool:
                _check_same(run, sweep, entry, pool)
                yield name, _rows(run, sweep, entry)


def _check_same(run: RunFolder, sweep: SweepFile, entry: ScoreEntry, pool: FrozenPool) -> None:
    """Equal settings do not make equal samples on every machine: compare the texts.

    Raises:
        DataError: they differ.
    """
    folder = sweep.pool(entry.pool).folder(run)
    if pool.kind in GIVEN_KINDS:
        same = [p.given for p in folder.read_problems()] == [p.given for p in pool.problems]
    else:
        theirs = {(r["problem"], r["index"]): tuple(r["steps"]) for r in pool.records(CANDIDATES)}
        ours = {(c.problem, c.index): c.draft.steps for c in folder.read_candidates()}
        same = theirs == ours
    if not same:
        raise DataError(
            f"{folder.root}: the candidates are not those of {pool.path.name}, though the settings "
            "are equal; score the frozen ones: run-benchmark board open"
        )


def _rows(run: RunFolder, sweep: SweepFile, entry: ScoreEntry) -> _Found:
    path = sweep.scores_path(run, entry)
    header, units = read_ledger(path)
    if header.facts["covers"] != "steps":
        raise ConfigError(
            f"{entry.prm} gives no score for every step (covers={header.facts['covers']})"
        )
    architecture = architecture_of(header.facts)
    rows: dict[str, list[Any]] = {
        key: [] for key in ("problem", "candidate", "scores", "tokens", "flops")
    }
    for problem, index, scores in read_scores(path):
        if scores is None:
            raise DataError(
                f"{path}: candidate {index} of problem {problem!r} has no scores; a board wants "
                "every candidate judged"
            )
        flops = flops_of(scores, architecture)
        rows["problem"].append(problem)
        rows["candidate"].append(index)
        rows["scores"].append(list(scores.values))
        rows["tokens"].append(scores.tokens)
        rows["flops"].append(None if flops != flops else flops)
    return _Found(header, rows, _seconds(units) if at_work(header) else None)


def _seconds(units: Sequence[Unit]) -> float:
    return sum(unit.seconds for unit in units)


def _facts(sweep: SweepFile, prm: str, header: Header) -> dict[str, Any]:
    """Return what a run and the catalogue know of a PRM."""
    from harness.prms.catalog import entries

    text = _text_of(sweep, prm)
    facts: dict[str, Any] = {
        "semantics": header.facts["semantics"],
        "aggregation": header.facts["aggregation"],
        "threshold": header.facts.get("threshold"),
        "identity": digest(header.identity["prm"]),
        "prm": text,
        "text": text,
    }
    architecture = architecture_of(header.facts)
    known = entries().get(text.partition(",")[0])
    if text.endswith((".yaml", ".yml")):
        facts |= {"prm": RECIPE, "recipe_file": Path(text)}
    if known is not None:
        facts |= {
            "licence": known.licence,
            "base": known.base,
            "parameters": parameters(known.size),
            "domains": list(known.domains),
            "data": [known.data or known.note],
        }
    if facts.get("parameters") is None and architecture is not None:
        facts["parameters"] = architecture.matrices
    return facts


def _launch(entries: Sequence[dict[str, Json]], text: str) -> dict[str, Json]:
    """Return the last launch whose command names a PRM, else the last."""
    own = [entry for entry in entries if text in shlex.split(str(entry.get("command", "")))]
    return (own or entries or [{}])[-1]


def _text_of(sweep: SweepFile, prm: str) -> str:
    """Return how the run's command named a PRM."""
    from harness.prms.catalog import entries
    from harness.registry import PRMS, parse_spec

    catalog = {name: entry.spec for name, entry in entries().items()}
    for text in sweep.config["prms"]:
        if text.endswith((".yaml", ".yml")) and Path(text).stem == prm:
            return str(text)
        try:
            if parse_spec(text, adapters=PRMS, catalog=catalog, what="PRM").name == prm:
                return str(text)
        except ConfigError:
            continue
    return prm


# --- the text ------------------------------------------------------------------------------------


def _text(
    name: str, board: BoardDefinition, authors: Sequence[str], facts: Mapping[str, Any]
) -> str:
    """Return submission.yaml. Lines to fill in say so in a comment."""
    content: dict[str, Any] = {
        "schema_version": 1,
        "board": board.name,
        "name": name,
        **({"role": "baseline"} if facts.get("prm", "").startswith("fake:") else {}),
        "authors": list(authors),
        "links": {},
        "licence": facts.get("licence", "not stated"),
        "model": {
            "prm": facts.get("prm", "transformers:ORG/NAME,recipe=NAME"),
            "revision": "",
            "base": facts.get("base", ""),
            **({"parameters": n} if (n := facts.get("parameters")) else {}),
            **({"identity": d} if (d := facts.get("identity")) else {}),
        },
        "training": {"domains": facts.get("domains", []), "data": facts.get("data", [])},
        "contamination": {"status": "undeclared", "statement": UNDECLARED},
        "semantics": facts.get("semantics", "p_correct"),
        "aggregation": facts.get("aggregation", "min"),
        **({"threshold": t} if (t := facts.get("threshold")) is not None else {}),
        "command": facts.get("command", ""),
        "note": "",
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=96)
    return (
        "# Who made the PRM, of what, and what it was trained on; docs/submitting.md explains the\n"
        "# keys. links: {paper: https://…}; contamination.status: none-known, possible, known.\n"
        + text
    )
