"""What the grading tests share: recorded data, read in place, and one grader with its workers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.grading import MathGrader
from harness.types import Problem

Rows = Callable[[str], list[Any]]
MakeProblem = Callable[..., Problem]


@pytest.fixture(scope="session")
def rows(data_dir: Path) -> Rows:
    """Return a reader of recorded files (JSON or JSON lines, plain or .gz) by relative path."""

    def read(name: str) -> list[Any]:
        path = data_dir / name
        if not path.exists():
            pytest.skip(f"no recorded data: {path} (set HARNESS_DATA)")
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
        if ".jsonl" in name:
            return [json.loads(line) for line in text.splitlines()]
        return list(json.loads(text))

    return read


@pytest.fixture(scope="session")
def grader() -> Iterator[MathGrader]:
    with MathGrader(workers=2) as grader:
        yield grader


@pytest.fixture(scope="session")
def problem() -> MakeProblem:
    """Return a maker of mathematics problems: `problem(reference, id="p")`."""
    return lambda reference, id="p": Problem(id, "a_task", "1", "math", "How much?", reference)
