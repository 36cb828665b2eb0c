"""What runs in the processes of a Ray cluster: a worker, and the reader of a pair.

Errors that a user or a machine is to blame for travel as their kind and text; bugs as Ray has them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from socket import gethostname
from typing import Any

import ray

from harness.errors import (
    ConfigError,
    DataError,
    HarnessError,
    InfrastructureError,
    UserError,
)
from harness.prms.prm import Prm
from harness.runner.spread.accounts import Accounts
from harness.runner.spread.station import Model, Station
from harness.runner.spread.work import Act, Done, Found, Said
from harness.telemetry.account import Account
from harness.types import Judge, Judged

_KINDS = (ConfigError, DataError, InfrastructureError)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that is no bug."""

    kind: str
    text: str

    @classmethod
    def of(cls, error: HarnessError) -> Failure:
        """Describe an error."""
        kinds = [kind.__name__ for kind in _KINDS if isinstance(error, kind)]
        return cls(kinds[0] if kinds else UserError.__name__, str(error))

    def error(self) -> HarnessError:
        """Return the error again."""
        kinds = {kind.__name__: kind for kind in _KINDS}
        return kinds.get(self.kind, UserError)(self.text)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker takes over from the driver."""

    folder: str
    """Where relative paths begin; kept where there is no such folder."""
    environment: Mapping[str, str]
    cores: int
    """For graders."""
    traced: bool
    """Whether the run writes a trace."""
    reader: Mapping[str, Any] | None
    """Ray's options of the process of a search's PRM; None: it is opened beside the policy."""

    def enter(self) -> None:
        """Make them the process's own."""
        os.environ.update(self.environment)
        with suppress(OSError):
            os.chdir(self.folder)
            sys.path[:0] = [self.folder] if self.folder not in sys.path else []


class Worker:
    """Does units, one after the other."""

    def __init__(self, surroundings: Surroundings) -> None:
        surroundings.enter()
        reader = None
        if surroundings.reader is not None:
            reader = _reader(surroundings, surroundings.reader)
        self._station = Station(None, surroundings.cores, reader)
        self._accounts = Accounts(self._station.telemetry, surroundings.traced)
        self._work = ""
        self._act: Act[Any] | None = None

    def ready(self) -> tuple[int, str]:
        """Return the number of the process, and the name of its node."""
        return os.getpid(), gethostname()

    def do(self, work: Sequence[Any], unit: object) -> Iterator[Said | Account | Failure]:
        """Do a unit of a work, which is given as a reference in a list: it is fetched once."""
        accounts = self._accounts
        try:
            if self._act is None or self._work != work[0].hex():
                yield accounts.starting("models")
                self._act, self._work = ray.get(work[0]).at(self._station), work[0].hex()
            accounts.begin()
            for said in self._act(unit):  # no `yield from`: Ray sends
                # What is written down of a unit is not there without what it took.
                whole = isinstance(said, Done | Found)
                account = accounts.give() if whole else accounts.due()
                if account is not None:
                    yield account
                yield said
        except HarnessError as error:
            yield accounts.give()
            yield Failure.of(error)
        else:
            yield accounts.give()

    def release(self) -> None:
        """Give back models and processes."""
        self._act = None
        self._station.close()


class Reader:
    """The PRM of a pair, in a process of its own."""

    def __init__(self, surroundings: Surroundings, model: Model[Prm]) -> None:
        surroundings.enter()
        self._prm = model.open()

    def load(self) -> Failure | None:
        """As the PRM does."""
        try:
            self._prm.load()
        except HarnessError as error:
            return Failure.of(error)
        return None

    def judge(self, requests: Sequence[Judge]) -> list[Judged] | Failure:
        """As the PRM does."""
        try:
            return self._prm.judge(requests)
        except HarnessError as error:
            return Failure.of(error)

    def remember(self, on: bool) -> None:
        """As the PRM does."""
        self._prm.remember(on)

    def close(self) -> None:
        """As the PRM does."""
        self._prm.close()


class ReadElsewhere:
    """A PRM whose reader is another process on the same node; what it says of itself is known
    here, where it loads no weights."""

    def __init__(self, own: Prm, actor: Any) -> None:
        self._own, self._actor = own, actor

    def __getattr__(self, name: str) -> Any:
        """Everything but reading is answered here."""
        return getattr(self._own, name)

    def load(self) -> None:
        """As the PRM does."""
        self._answer(self._actor.load.remote())

    def judge(self, requests: Sequence[Judge]) -> list[Judged]:
        """As the PRM does."""
        found: list[Judged] = self._answer(self._actor.judge.remote(list(requests)))
        return found

    def _answer(self, asked: Any) -> Any:
        try:
            found = ray.get(asked)
        except ray.exceptions.RayActorError as error:
            raise InfrastructureError(f"the process of {self._own.spec.name} is gone") from error
        if isinstance(found, Failure):
            raise found.error()
        return found

    def remember(self, on: bool) -> None:
        """As the PRM does."""
        self._actor.remember.remote(on)

    def close(self) -> None:
        """End the process."""
        with suppress(ray.exceptions.RayError):
            ray.get(self._actor.close.remote(), timeout=60)
        ray.kill(self._actor)


def _reader(surroundings: Surroundings, options: Mapping[str, Any]) -> Callable[[Model[Prm]], Prm]:
    def start(model: Model[Prm]) -> Prm:
        actor = ray.remote(Reader).options(**options).remote(surroundings, model)
        return ReadElsewhere(model.open(), actor)

    return start
