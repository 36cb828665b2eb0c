"""What one launch of a run works with, whichever stage it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.runner.progress import Progress, Silent
from harness.runner.spread.local import Local
from harness.runner.spread.work import Executor
from harness.sandbox.choice import SandboxChoice
from harness.telemetry.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Launch:
    """Who does the work, who hears of it, and what graders need."""

    progress: Progress = field(default_factory=Silent)
    telemetry: Telemetry = field(default_factory=Telemetry)
    executor: Executor = field(default_factory=Local)
    workers: int | None = None
    """Grading processes, where all is graded in this process; None: one per core."""
    sandbox: SandboxChoice | None = None
    """Where programs run; None: the best that works."""
    include: Sequence[str] = ()
    """Folders in which tasks of lm-eval may stand, besides its own."""
    unit: int | None = None
    """Drafts of a unit of pools and scores; None: as the policy or the PRM likes it."""
