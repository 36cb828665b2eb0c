"""Where work is done: the models and graders that were opened there, until it is tidied up.

A model travels as its spec. Where it arrives it is opened anew, and must be the same by content: a
worker with other weights under the same name is refused, before it has said anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

from harness.digest import digest
from harness.errors import DataError
from harness.grading import Grader, grader_for
from harness.policies.policy import Policy
from harness.prms.fake import Truth
from harness.prms.prm import Prm
from harness.registry import policy_of, prm_of
from harness.sandbox.choice import SandboxChoice
from harness.telemetry.telemetry import Telemetry
from harness.types import Kind

M = TypeVar("M", Policy, Prm)

_FILES = ("pool", "recorded")
"""Adapters that look up a file: nothing is gained by looking elsewhere."""


class Model(Generic[M]):
    """A policy or a PRM: in its own process itself, in another one opened from its spec."""

    def __init__(self, own: M, open_: Callable[..., M], truth: Truth | None = None) -> None:
        """Args: the model; what opens its spec; what fake PRMs are told."""
        self.spec = own.spec
        self._open: Callable[..., M] = open_
        self._truth = truth
        self._digest = ""
        self._own: M | None = own

    @classmethod
    def policy(cls, own: Policy) -> Model[Policy]:
        """Return a policy that travels."""
        return Model(own, policy_of)

    @classmethod
    def prm(cls, own: Prm, truth: Truth | None = None) -> Model[Prm]:
        """Return a PRM that travels; the fake ones take along what they are told."""
        return Model(own, prm_of, truth)

    @property
    def travels(self) -> bool:
        """Whether it may be opened elsewhere."""
        return self.spec.adapter not in _FILES

    @property
    def here(self) -> M | None:
        """The model itself, if this is its process."""
        return self._own

    def open(self) -> M:
        """Return the model.

        Raises:
            UserError: it cannot be opened here, or is another one here.
        """
        if self._own is None:
            arguments = (self.spec,) if self._truth is None else (self.spec, self._truth)
            own = self._open(*arguments)
            if digest(own.identity()) != self._digest:
                raise DataError(
                    f"{self.spec.adapter}:{self.spec.target} is another one on a worker than where "
                    "the run was started: other content, or another number format for want of a "
                    "GPU (say dtype=, ray.gpus=)"
                )
            self._own = own
        return self._own

    def __getstate__(self) -> dict[str, Any]:
        """Leave the model itself behind."""
        identity = digest(self.open().identity())
        return {**self.__dict__, "_own": None, "_digest": identity}


class Station:
    """What is at hand where work is done.

    Args:
        telemetry: hears of all that is done here; None: one of its own, that nobody looks at.
        cores: for graders; None: as many as they ask for.
        reader: opens the PRM of a search where it has a place of its own; None: it is opened here.
    """

    def __init__(
        self,
        telemetry: Telemetry | None = None,
        cores: int | None = None,
        reader: Callable[[Model[Prm]], Prm] | None = None,
    ) -> None:
        self.telemetry = telemetry or Telemetry()
        self._cores, self._reader = cores, reader
        self._held: dict[str, Policy | Prm | Grader] = {}

    def model(self, model: Model[M]) -> M:
        """Return a model, loaded, which stays open until `close`."""
        return cast(M, self._loaded(_key(model), model.open))

    def steering(self, model: Model[Prm]) -> Prm:
        """Return the PRM of a search, which works beside a policy."""
        if self._reader is None:
            return self.model(model)
        reader = self._reader
        return cast(Prm, self._loaded(f"reader of {_key(model)}", lambda: reader(model)))

    def grader(
        self,
        kind: Kind,
        workers: int | None,
        sandbox: SandboxChoice | None,
        include: Sequence[str],
    ) -> Grader:
        """Return a grader, which stays open until `close`; see `harness.grading.grader_for`."""
        count = workers if self._cores is None else self._cores

        def make() -> Grader:
            watched = replace(sandbox or SandboxChoice(), observer=self.telemetry)
            return grader_for(kind, count, watched, include)

        return cast(Grader, self._hold(f"grader of {kind}, {count}, {sandbox}, {include}", make))

    def close(self) -> None:
        """Close all that was opened."""
        held, self._held = self._held, {}
        for one in held.values():
            one.close()

    def _loaded(self, key: str, open_: Callable[[], Policy | Prm]) -> Policy | Prm:
        if key not in self._held:
            model: Policy | Prm = self._hold(key, open_)
            with self.telemetry.starting(model.spec.name):
                model.load()
        return cast("Policy | Prm", self._held[key])

    def _hold(self, key: str, make: Callable[[], Policy | Prm | Grader]) -> Any:
        if key not in self._held:
            self._held[key] = make()
        return self._held[key]


def _key(model: Model[Any]) -> str:
    spec = model.spec
    return digest([spec.name, spec.adapter, spec.target, dict(spec.options)])
