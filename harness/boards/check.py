"""Check a submission as the board's CI does: offline, from its files and the frozen pools alone.

What is wrong becomes a finding with file, line and remedy; all of them are collected. A submission
without errors has its figures recomputed from its step scores, whatever it says itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.boards.definition import BoardDefinition
from harness.boards.documents import line_of, read_document, read_mapping
from harness.boards.findings import Finding, errors_of
from harness.boards.pools import FrozenPool
from harness.boards.reading import Reading, read
from harness.boards.recompute import Outcome, Rule, choices
from harness.boards.replayed import METHOD
from harness.boards.reported import typed_findings
from harness.boards.scores import PoolScores, read_scores
from harness.boards.standing import Sample, Trust
from harness.boards.submission import (
    FILE,
    PROVENANCE,
    RECIPE,
    SCORES,
    Submission,
    files_of,
    names_a_path,
    scores_path,
)
from harness.boards.suspicion import Fingerprint, copies
from harness.digest import digest, file_digest
from harness.errors import ConfigError, nearest
from harness.prms.aggregate import check as check_aggregation
from harness.prms.aggregate import threshold as threshold_of
from harness.store.format import slug
from harness.types import Spec

MAX_PROVENANCE = 1 << 20


@dataclass(frozen=True)
class Checked:
    """A submission after its check."""

    folder: Path
    submission: Submission | None
    """None: it could not be read."""
    rule: Rule | None
    readings: Mapping[str, Reading] = field(default_factory=dict)
    """Pool of the board → what is kept of its scores."""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    """Column → what was recomputed."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    digest: str = ""
    """Of all its files."""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong; warnings are allowed."""
        return not errors_of(self.findings)

    @property
    def trust(self) -> Trust:
        """What its files alone are worth."""
        return "recomputed" if self.readings else "self-reported"


def check(
    folders: Sequence[Path],
    board: BoardDefinition,
    pools: Mapping[str, FrozenPool],
    shown: Sequence[Sample] = (),
) -> list[Checked]:
    """Check submissions, each by itself and against those before it.

    Args:
        folders: The submissions.
        board: The board they are for.
        pools: The board's pools that are there.
        shown: The problems that the board shows.
    """
    found = [_read(folder, board, pools, shown) for folder in folders]
    columns = {name: [c for c in board.columns() if c.pool == name] for name in pools}
    outcomes: list[dict[str, Outcome]] = [{} for _ in found]
    for name, pool in pools.items():
        own = [i for i, one in enumerate(found) if one.sound and name in one.readings]
        for i in own:
            outcomes[i] |= found[i].readings[name].figures
        scored = [(i, found[i].readings[name].single, found[i].rule) for i in own]
        chosen = [(i, single, rule) for i, single, rule in scored if single is not None and rule]
        made = choices(
            pool,
            [(single, rule.semantics) for _, single, rule in chosen],
            columns[name],
            board.seed,
        )
        for (i, *_), figures in zip(chosen, made, strict=True):
            outcomes[i] |= figures
    done: list[Checked] = []
    for one, figures in zip(found, outcomes, strict=True):
        findings = [*one.findings, *copies(one.folder, prints(one), _prints(done, one))]
        if one.sound and one.submission is not None:
            path = one.folder / FILE
            typed = one.submission.reported
            findings += typed_findings(path, typed, board, pools, figures, bool(one.readings))
        done.append(replace(one, outcomes=figures, findings=tuple(findings)))
    return done


def prints(checked: Checked) -> dict[str, Fingerprint]:
    """Return the fingerprints of a submission's scores, by pool."""
    return {
        name: reading.fingerprint
        for name, reading in checked.readings.items()
        if reading.fingerprint is not None
    }


def _prints(done: Sequence[Checked], one: Checked) -> dict[str, dict[str, Fingerprint]]:
    """Return those of other submissions; one of the same name is the version it replaces."""
    return {
        other.folder.name: prints(other) for other in done if other.folder.name != one.folder.name
    }


def _read(
    folder: Path,
    board: BoardDefinition,
    pools: Mapping[str, FrozenPool],
    shown: Sequence[Sample],
) -> Checked:
    """Check everything of one submission that needs no figures."""
    if not folder.is_dir() or folder.is_symlink():
        what = Finding(folder, "is no folder", "run-benchmark submit new writes one")
        return Checked(folder, None, None, findings=(what,))
    files, findings = files_of(folder)
    path = folder / FILE
    submission, wrong = read_document(path, Submission)
    findings += wrong
    if submission is None or errors_of(findings):
        return Checked(folder, submission, None, findings=tuple(findings))
    findings += _names(folder, submission, board)
    provenance, wrong = _provenance(folder / PROVENANCE)
    findings += wrong + _recipe(folder, submission)
    rule, wrong = _rule(path, submission, board)
    findings += wrong
    readings: dict[str, Reading] = {}
    if not errors_of(findings):
        readings, wrong = _readings(files, folder, submission, board, pools, rule, shown)
        findings += wrong
    if not readings and not submission.reported and not errors_of(findings):
        findings.append(
            Finding(folder, "holds no scores", "run-benchmark submit new --run … fills them in")
        )
    if submission.contamination.status == "undeclared":
        findings.append(
            Finding(
                path,
                "contamination is not declared",
                "say whether test problems were in the training data",
                line_of(path, "contamination"),
                "warning",
            )
        )
    return Checked(
        folder,
        submission,
        rule,
        readings,
        {},
        provenance,
        tuple(findings),
        _digest(folder, files),
    )


def _names(folder: Path, submission: Submission, board: BoardDefinition) -> list[Finding]:
    path, found = folder / FILE, []
    if submission.board != board.name:
        what = f"is for the board {submission.board!r}"
        found.append(
            Finding(path, what, f"this one is {board.name!r}: --board", line_of(path, "board"))
        )
    if slug(submission.name) != folder.resolve().name:
        found.append(
            Finding(
                path,
                f"the folder of {submission.name!r} is called {folder.resolve().name!r}",
                f"call it {slug(submission.name)}",
                line_of(path, "name"),
            )
        )
    return found


def _provenance(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    if not path.exists():
        return {}, [Finding(path, "is not there", "run-benchmark submit new writes it")]
    try:
        if path.stat().st_size > MAX_PROVENANCE:
            raise ValueError("it is too large")
        value = json.loads(path.read_text("utf-8"))
        if not isinstance(value, dict):
            raise ValueError("it is no mapping")
    except (OSError, ValueError, RecursionError) as error:
        return {}, [Finding(path, f"cannot be read: {error}", "run-benchmark submit new writes it")]
    return value, []


def _recipe(folder: Path, submission: Submission) -> list[Finding]:
    """Check the recipe of its own, if the submission names one. It is data and stays data."""
    from harness.prms.recipe import KEYS

    path, named = folder / RECIPE, submission.model.prm == RECIPE
    if named != path.exists():
        what, remedy = ("is not there", "put it beside") if named else ("is not used", "remove it")
        return [Finding(path, what, f"{remedy} (model.prm in {FILE})")]
    if not named:
        return []
    data, findings = read_mapping(path)
    for key, value in data.items():
        if key not in KEYS:
            findings.append(
                Finding(path, f"a recipe has no {key!r}", nearest(key, KEYS), line_of(path, key))
            )
        elif key == "model" and (not isinstance(value, str) or names_a_path(value)):
            findings.append(
                Finding(path, "model names a path", "name ORG/NAME of the hub", line_of(path, key))
            )
    return findings


def _rule(path: Path, submission: Submission, board: BoardDefinition) -> tuple[Rule, list[Finding]]:
    """Return how the scores are to be read."""
    fixed = board.aggregation != "declared"
    aggregation = board.aggregation if fixed else submission.aggregation
    limit = submission.threshold
    if limit is None:
        limit = threshold_of(submission.semantics)
    rule = Rule(submission.semantics, aggregation, None if limit is None else float(limit))
    try:
        check_aggregation(aggregation, submission.semantics)
    except ConfigError as error:
        what, _, remedy = str(error).partition("; ")
        return rule, [Finding(path, what, remedy, line_of(path, "aggregation"))]
    return rule, []


def _readings(
    files: Sequence[Path],
    folder: Path,
    submission: Submission,
    board: BoardDefinition,
    pools: Mapping[str, FrozenPool],
    rule: Rule,
    shown: Sequence[Sample],
) -> tuple[dict[str, Reading], list[Finding]]:
    """Read every score file; a pool without one leaves its columns empty."""
    found: dict[str, Reading] = {}
    findings: list[Finding] = []
    possible = board.columns()
    if any(column.method == METHOD for column in possible) and _reads_ahead(folder, submission):
        possible = tuple(column for column in possible if column.method != METHOD)
        findings.append(
            Finding(
                folder / FILE,
                f"no figures of {METHOD}: its score of a step may change with later steps",
                "nothing, unless it can be read step by step",
                line_of(folder / FILE, "model", "prm"),
                "warning",
            )
        )
    for path in files:
        name = path.stem
        if path.parent.name != SCORES:
            continue
        if name not in board.pools:
            findings.append(Finding(path, "is of no pool of the board", nearest(name, board.pools)))
            continue
        if name not in pools:
            findings.append(absent_pool(path, board, name))
            continue
        scores, wrong = read_scores(path, pools[name])
        findings += wrong
        if scores is None:
            continue
        wrong = _fit(path, scores, board, rule)
        findings += wrong
        if errors_of(wrong):
            continue
        columns = [column for column in possible if column.pool == name]
        own = [sample for sample in shown if sample.pool == name]
        baseline = submission.role == "baseline"
        found[name], odd = read(path, pools[name], scores, columns, rule, board.seed, own, baseline)
        findings += odd
    if found:
        findings += [
            Finding(
                scores_path(folder, name),
                "is not there: the PRM's columns of this pool stay empty, and it has no rank if "
                "one of them is ranked",
                "score this pool too",
                level="warning",
            )
            for name in pools
            if not scores_path(folder, name).exists()
        ]
    return found, findings


def _reads_ahead(folder: Path, submission: Submission) -> bool:
    """Whether steps are scored with later ones in sight; true where nobody can tell."""
    from harness.boards.ahead import reads_ahead

    prm: str | Spec = submission.model.prm
    if prm == RECIPE:
        options = {k: v for k, v in read_mapping(folder / RECIPE)[0].items() if k != "model"}
        prm = Spec("recipe", "transformers", "", options)
    try:
        return reads_ahead(prm)
    except ConfigError:
        return True


def absent_pool(path: Path, board: BoardDefinition, name: str) -> Finding:
    """Return the finding for a pool whose archive is not there."""
    pool = board.pools[name]
    how = f": {pool.obtain}" if pool.obtain else ""
    return Finding(
        path,
        f"the board's pool {name} ({pool.file}, digest {pool.digest[:16]}…) is not there",
        f"put it under leaderboards/pools/{how}",
    )


def _fit(path: Path, scores: PoolScores, board: BoardDefinition, rule: Rule) -> list[Finding]:
    """Compare what the numbers are with what they are said to mean."""
    found = []
    if scores.replicas != board.replicas:
        found.append(
            Finding(path, f"holds {scores.replicas} replicas", f"the board asks {board.replicas}")
        )
    bounded = rule.semantics in ("p_correct", "verdict")
    if bounded and len(scores.values) and (scores.values.min() < 0 or scores.values.max() > 1):
        at = int(np.argmax((scores.values < 0) | (scores.values > 1)))
        found.append(
            Finding(
                path,
                f"holds the score {scores.values[at]:.6g}, but semantics is {rule.semantics}",
                "such scores lie in [0, 1]; correct semantics, or the scores",
            )
        )
    silent = int((scores.lengths == 0).sum())
    if silent:
        found.append(
            Finding(
                path,
                f"{silent:,} solutions without a verdict count as the worst",
                "nothing to do where a critic said nothing",
                level="warning",
            )
        )
    return found


def _digest(folder: Path, files: Sequence[Path]) -> str:
    content: dict[str, Any] = {
        path.relative_to(folder).as_posix(): file_digest(path) for path in files
    }
    return digest(content)
