"""Which sandbox a user asked for: inert until it is opened."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.sandbox.job import Observer, Sandbox
from harness.types import Json


@dataclass(frozen=True, slots=True)
class SandboxChoice:
    """A backend and what it needs. It decides no verdict and is no part of a run's identity."""

    backend: str = "auto"
    """A name of `harness.sandbox.backends.NAMES`."""
    url: str | None = None
    """Of a server; only for ``remote``."""
    unsafe_local: bool = False
    """Consent to run model-written code without isolation; only for ``unsafe-local``."""
    observer: Observer | None = field(default=None, compare=False)
    """Hears what each worker on this machine does."""

    def open(self, workers: int | None = None) -> Sandbox:
        """Return the sandbox; it has no workers before its first job.

        Raises:
            ConfigError: a name that does not exist, or a backend without what it needs.
            InfrastructureError: the backend does not work on this machine.
        """
        from harness.sandbox.backends import open_sandbox
        from harness.sandbox.pool import Pool

        sandbox = open_sandbox(self.backend, workers, unsafe_local=self.unsafe_local, url=self.url)
        if isinstance(sandbox, Pool):
            sandbox.observer = self.observer
        return sandbox

    def check(self) -> dict[str, Json]:
        """Return what `Sandbox.describe` says; nothing stays open. Raises what `open` raises."""
        with self.open() as sandbox:
            return sandbox.describe()
