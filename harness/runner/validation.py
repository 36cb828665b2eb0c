"""`validate` with graders and progress: one task after the other, each with its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InfrastructureError
from harness.grading import CodeGrader, MathGrader
from harness.grading.references import cache_folder
from harness.problems.catalog import catalog
from harness.problems.definition import Definition, Group
from harness.problems.validate import Finding, check
from harness.runner.progress import Progress
from harness.sandbox.choice import SandboxChoice


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What was found of one task or group."""

    task: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether anything is wrong, beyond what could not be checked."""
        return any(finding.level == "error" for finding in self.findings)

    @property
    def summary(self) -> str:
        """In one word."""
        if self.failed:
            return "wrong"
        return "checked in part" if self.findings else "all right"


def validate_tasks(
    names: Sequence[str],
    data_dir: Path | None,
    include: Sequence[Path],
    progress: Progress,
) -> list[TaskReport]:
    """Check tasks and groups, all of them if none is named.

    Raises:
        ConfigError: a name that does not exist, or a YAML with a mistake.
    """
    known = catalog(include)
    tasks = (task for name in names or known.names for task in known.expand(name))
    groups = (group for name, group in known.groups.items() if not names or name in names)
    wanted: list[Definition | Group] = [*dict.fromkeys(tasks), *groups]
    reports = []
    progress.start("validate", len(wanted), 0, "tasks")
    with MathGrader() as math, CodeGrader(cache=cache_folder()) as code:
        graders = {"math": math.grade, "code": code.grade if _sandboxed() else None}
        for one in wanted:
            kind = one.grader if isinstance(one, Definition) else "steps"
            found = check(one, grade=graders.get(kind), data_dir=data_dir)
            reports.append(TaskReport(one.name, found))
            progress.advance(1, one.name)
    progress.finish()
    return reports


def _sandboxed() -> bool:
    """Return whether programs can be run here."""
    try:
        SandboxChoice().check()
    except InfrastructureError:
        return False
    return True
