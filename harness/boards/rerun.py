"""Did the model make the scores? A seeded part of a submission is scored again on this machine.

The seed is drawn when the scores are there already, so nobody could know which problems it takes.
What agreed is written to ``leaderboards/reruns/BOARD/NAME.json``, outside the submission, and holds
for the very files that were compared: it names their digest.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.boards.check import Checked
from harness.boards.findings import Finding, Findings
from harness.boards.pools import FrozenPool
from harness.boards.scores import PoolScores, read_scores
from harness.boards.submission import RECIPE, scores_path
from harness.digest import digest
from harness.errors import ConfigError, DataError
from harness.files import write_json
from harness.prms.prm import Prm, check_alone
from harness.provenance import provenance
from harness.types import Json, Judge

PROBLEMS = 8
"""Problems of each pool that are scored again."""
TOLERANCE = 1e-3
"""By how much a score may differ, in units of the larger of 1 and its size. Machines, batch shapes
and engines change last digits: float32 agrees to 1e-4, bfloat16 hardly to 1e-2."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What was scored again and agreed."""

    submission: str
    """Digest of the files that were compared."""
    seed: int
    problems: int
    scores: int
    tolerance: float
    largest: float
    """Largest difference that was found."""
    identity: str
    """Digest of what decides the PRM's scores here."""
    provenance: Mapping[str, Any]

    @property
    def sentence(self) -> str:
        """The result in plain words."""
        return (
            f"{self.scores:,} scores of {self.problems} problems (seed {self.seed}) were made "
            f"again by the board; they differ by at most {self.largest:.1e}, and may by "
            f"{self.tolerance:g}."
        )


def rerun_path(root: Path, board: str, name: str) -> Path:
    """Return where the record of a submission's rerun is."""
    return root / "reruns" / board / f"{name}.json"


def rerun_of(root: Path, board: str, checked: Checked) -> Rerun | None:
    """Return the rerun of a submission as it is now; None if there is none of these very files.

    Raises:
        DataError: a record of another form.
    """
    path = rerun_path(root, board, checked.folder.name)
    if not path.exists():
        return None
    try:
        found = Rerun(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path}: not the record of a rerun ({error})") from None
    return found if found.submission == checked.digest else None


def rerun(
    checked: Checked,
    pools: Mapping[str, FrozenPool],
    arguments: Sequence[str],
    *,
    prm: str | None = None,
    problems: int = PROBLEMS,
    tolerance: float = TOLERANCE,
    seed: int | None = None,
) -> Rerun:
    """Score a part of every pool again and compare.

    Args:
        checked: A sound submission.
        pools: The board's pools that are there.
        arguments: The command line, for the record.
        prm: What to open in the place of what the submission names: a copy of its weights, say.
        problems: Of each pool.
        tolerance: See `TOLERANCE`.
        seed: None: draw one.

    Raises:
        ConfigError: the PRM cannot be opened, or there is nothing to score.
        Findings: scores that differ, the largest difference of each pool.
    """
    from harness.registry import open_prm

    submission = checked.submission
    assert submission is not None
    if not checked.readings:
        raise ConfigError(f"{checked.folder} holds no scores that could be made again")
    named = submission.model.prm
    text = prm or (str(checked.folder / RECIPE) if named == RECIPE else named)
    if submission.model.revision and prm is None and named != RECIPE:
        text += f",revision={submission.model.revision}"
    drawn = secrets.randbits(32) if seed is None else seed
    opened = open_prm(text)
    findings, count, largest, wanted = [], 0, 0.0, 0
    try:
        check_alone(opened, "a submission")
        for name in checked.readings:
            pool = pools[name]
            own, wrong = read_scores(scores_path(checked.folder, name), pool)
            if own is None:
                raise Findings(wrong)
            rng = np.random.default_rng([drawn, int(pool.digest[:8], 16)])
            rows = sorted(rng.permutation(len(pool.problems))[:problems].tolist())
            gaps = _gaps(opened, pool, own, rows)
            wanted, count = wanted + len(rows), count + len(gaps)
            most = float(gaps.max(initial=0.0))
            largest = max(largest, most)
            if not most <= tolerance:
                findings.append(
                    Finding(
                        scores_path(checked.folder, name),
                        f"{int((gaps > tolerance).sum()):,} of {len(gaps):,} scores made again "
                        f"differ by more than {tolerance:g}, the most by {most:.3g} (seed {drawn})",
                        "check weights, revision, number format and recipe; --tolerance",
                    )
                )
        identity = digest(opened.identity())
        described = opened.describe()
    finally:
        opened.close()
    if findings:
        raise Findings(findings)
    entry = provenance(arguments, [described])
    return Rerun(checked.digest, drawn, wanted, count, tolerance, largest, identity, entry)


def write_rerun(path: Path, found: Rerun) -> None:
    """Write the record, at once."""
    plain: Json = json.loads(json.dumps(asdict(found)))
    write_json(path, plain)


def _gaps(
    prm: Prm, pool: FrozenPool, scores: PoolScores, rows: Sequence[int]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the differences of all scores of some problems, by size relative to the larger of 1
    and the submitted one; infinite where one side has no scores."""
    drafts = pool.read_drafts({pool.problems[row].id for row in rows})
    requests = [
        Judge(pool.problems[row].question, tuple(drafts[pool.problems[row].id])) for row in rows
    ]
    found: list[float] = []
    for row, reply in zip(rows, prm.judge(requests), strict=True):
        start = int(pool.present[:row].sum())
        for offset, one in enumerate(reply.scores):
            first, last = scores.offsets[start + offset : start + offset + 2]
            theirs = scores.values[first:last]
            ours = np.array(one.values if one else ())
            if len(ours) != len(theirs):
                found.append(np.inf)
            else:
                found += (np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).tolist()
    return np.array(found)
