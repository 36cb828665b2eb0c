"""The three generated tasks as data sets, under the names that the task files give.

Each function returns a dictionary of splits, as lm-eval's `custom_dataset` expects, and takes no
notice of the keyword arguments that come with it. Only these functions import the `datasets`
library; the rows themselves are plain Python. The model reads exactly `problem + "\\n"` and
writes the solution.

Making the rows takes half a minute, most of it rejected tries, so they ship ready-made under
``rows/``; ``python -m harness.embedded.datasets`` makes the files again, and a test holds that they
are what the generators give.
"""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.embedded import chain_errors as _errors
from harness.embedded import chain_programs as _programs
from harness.embedded import program_tests
from harness.embedded.corpus import problems, write
from harness.embedded.mistakes import Hand

if TYPE_CHECKING:
    from datasets import Dataset

ARITHMETIC, PROGRAMS, ERRORS = 200, 164, 400
"""Numbers of test problems; ERRORS is per domain."""

ROWS = Path(__file__).parent / "rows"
"""Where the ready-made rows are, one JSON-lines file per task."""


def arithmetic_rows(count: int = ARITHMETIC) -> list[dict[str, Any]]:
    """The first rows of `chain_arithmetic`: id, problem, answer, level, solution."""
    found = []
    for number, problem in enumerate(islice(problems("arithmetic", "test", "test"), count)):
        gold = write(problem, Hand())
        row = {"id": f"arith-{number:04d}", "problem": problem.text, "answer": gold.answer}
        found.append(row | {"level": problem.level, "solution": gold.text})
    return found


def program_rows(count: int = PROGRAMS) -> list[dict[str, Any]]:
    """The first rows of `chain_programs`: id, problem, entry_point, tests, level, solution."""
    found = []
    for number, row in enumerate(islice(problems("programs", "test", "test"), count)):
        program = _programs.parse(row.text)
        found.append(
            {
                "id": f"prog-{number:04d}",
                "problem": program.text,
                "entry_point": _programs.ENTRY_POINT,
                "public_tests": [test.row() for test in program_tests.public_tests(program)],
                "hidden_tests": [test.row() for test in program_tests.hidden_tests(program)],
                "level": program.level,
                "solution": write(program, Hand()).text,
            }
        )
    return found


def error_rows() -> list[dict[str, Any]]:
    """Rows of `chain_errors`; see `harness.embedded.chain_errors`."""
    return _errors.rows(ERRORS)


GENERATORS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "chain_arithmetic": arithmetic_rows,
    "chain_programs": program_rows,
    "chain_errors": error_rows,
}
"""Task -> what makes its rows."""


def shipped(name: str) -> list[dict[str, Any]]:
    """The ready-made rows of a task."""
    text = (ROWS / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def main() -> None:
    """Make the files of all tasks again."""
    ROWS.mkdir(exist_ok=True)
    for name, generate in GENERATORS.items():
        lines = [json.dumps(row) for row in generate()]
        (ROWS / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def chain_arithmetic(**_: Any) -> dict[str, "Dataset"]:
    """Chains of integer operations: 200 test problems, 4 to 12 steps."""
    return {"test": _dataset(shipped("chain_arithmetic"))}


def chain_programs(**_: Any) -> dict[str, "Dataset"]:
    """Small functions after a specification: 164 test problems, 4 to 12 lines."""
    return {"test": _dataset(shipped("chain_programs"))}


def chain_errors(**_: Any) -> dict[str, "Dataset"]:
    """Solutions with the index of their first wrong step: 400 per domain."""
    return {"test": _dataset(shipped("chain_errors"))}


def _dataset(rows: list[dict[str, Any]]) -> "Dataset":
    from datasets import Dataset

    return Dataset.from_list(rows)


if __name__ == "__main__":
    main()
