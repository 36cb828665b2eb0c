"""What a check found: one line each, with the place and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import DataError
from harness.reporting.escape import plain

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or that a person should look at."""

    file: Path
    what: str
    remedy: str
    line: int | None = None
    """Of a text file, or the row of a table, from 1."""
    level: Level = "error"

    @property
    def text(self) -> str:
        """``file:line: what; remedy``, on one line, fit for a terminal."""
        place = f"{self.file}:{self.line}" if self.line is not None else f"{self.file}"
        return plain(f"{place}: {self.what}; {self.remedy}")


class Findings(DataError):
    """Errors that a check found, all of them; nothing was written."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        errors = [finding.text for finding in self.findings if finding.level == "error"]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__((errors[0] if errors else "nothing is wrong") + more)


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return those that are errors."""
    return [finding for finding in findings if finding.level == "error"]
