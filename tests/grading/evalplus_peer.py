"""evalplus' verdicts on programs: a task with its programs per line in, their verdicts out.

A process of its own, because evalplus forks for every check, and a fork of a test process that
holds torch costs more than the check.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from evalplus.eval import untrusted_check
from evalplus.gen.util import trusted_exec

from harness.grading import mbpp
from harness.grading.oracles import NOT_NONE_TASKS


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what programs print is no verdict
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(verdicts(job["data"], job["task"], job["codes"])), file=out, flush=True)


def verdicts(data: str, task: Any, codes: list[str]) -> list[tuple[str, str]]:
    """(base, plus) of each program."""
    suites = [_suite(task, key, data) for key in ("base_input", "plus_input")]
    found = []
    for code in codes:
        base, plus = (
            untrusted_check(
                data, code, inputs, task["entry_point"], expected, task["atol"], seconds,
                fast_check=True, min_time_limit=2.0,
            )[0]
            for inputs, expected, seconds in suites
        )  # fmt: skip
        found.append((base, plus))
    return found


def _suite(task: Any, key: str, data: str) -> tuple[Any, Any, Any]:
    """Inputs, expected values and reference times, as evalplus makes them."""
    name, entry = task["task_id"], task["entry_point"]
    code = task["prompt"] + task["canonical_solution"]
    inputs = [mbpp.arguments(name, call) if data == "mbpp" else call for call in task[key]]
    none = data == "mbpp" and entry in NOT_NONE_TASKS
    expected, seconds = trusted_exec(code, inputs, entry, record_time=True, output_not_none=none)
    return inputs, expected, seconds


if __name__ == "__main__":
    main()
