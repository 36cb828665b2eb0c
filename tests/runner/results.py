"""The results of a run as tests compare them: without what was measured."""

from __future__ import annotations

import csv
from pathlib import Path

from harness.reporting.frames import write_results
from harness.runner.evaluate import evaluate
from harness.store.format import RunFolder

SECONDS = "seconds_per_problem"
MEASURED = (SECONDS, "policy_prompt_computed", "prm_tokens_computed")
"""What was really spent: a search that goes on after a kill reads again what was in memory."""


def evaluated(folder: RunFolder, measured: tuple[str, ...] = MEASURED) -> list[dict[str, str]]:
    """Evaluate a run, without its report; return the rows of results.csv."""
    write_results(evaluate(folder).rows, folder.root)
    return written(folder.results, measured)


def written(path: Path, measured: tuple[str, ...] = MEASURED) -> list[dict[str, str]]:
    """Return the rows of a results.csv."""
    with path.open(newline="") as file:
        return [{k: v for k, v in r.items() if k not in measured} for r in csv.DictReader(file)]
