"""``--engine ray``: units are done by workers on a Ray cluster, and written down here.

Every worker is an actor, a process of its own, with the cores and GPUs that ``ray.cpus`` and
``ray.gpus`` declare; with ``ray.prm_gpus`` it is a pair on one node, of a policy and the PRM that
steers it. There are ``ray.workers`` of them, or as many as the cluster has place for: nodes that
join give more, and lost ones are replaced. A model that is larger than a GPU is the engine's
matter: ``ray.gpus=4`` with ``vllm:MODEL,tensor_parallel_size=4``.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.config import RayConfig
from harness.errors import ConfigError, InfrastructureError
from harness.runner.spread.cluster import Cluster, address_of, connect
from harness.runner.spread.dispatch import TRIES, Ended, Event, Gone, Heard, Joined, dispatch
from harness.runner.spread.local import Local
from harness.runner.spread.need import fit, need_of
from harness.runner.spread.work import Replies, Said, Say, Source, Unit, Work, unsaid
from harness.sandbox.pool import cores
from harness.telemetry.account import Account
from harness.telemetry.limits import Limits
from harness.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from harness.runner.spread.worker import Surroundings

logger = logging.getLogger(__name__)

_LOOK = 2.0
"""Seconds between looks at what nodes there are."""
_WAIT = 0.5
"""Seconds after which a wait ends though nothing happened, so that Ctrl-C is heard."""
_HANDED_DOWN = ("HARNESS_", "HF_", "OMP_", "GOMP_", "MKL_", "TOKENIZERS_", "VLLM_", "CUBLAS_")
"""Beginnings of the environment variables that workers take over: folders, threads, keys' names."""


class RayExecutor:
    """Spreads work; see `harness.runner.spread.work.Executor`. The cluster is joined with the first
    unit; `close` leaves it."""

    def __init__(
        self, config: RayConfig, telemetry: Telemetry | None = None, say: Say = unsaid
    ) -> None:
        """Args: how the cluster is used; hears of what its workers do; tells of lost workers."""
        self._config, self._telemetry, self._say = config, telemetry or Telemetry(), say
        self._here = Local(telemetry)
        self._crew: RayCrew | None = None

    def do(self, work: Work[Unit], source: Source[Unit], title: str) -> Iterator[tuple[str, Said]]:
        """Do every unit, wherever there is a worker.

        Raises:
            LimitReached: between two replies to searches, which end here with their workers.
        """
        if not work.travels or not source.left:
            yield from self._here.do(work, source, title)
            return
        if self._crew is None:
            with self._telemetry.starting("Ray"):
                self._crew = RayCrew(self._config, self._telemetry)
        self._crew.take_up(work)
        try:
            # A unit that somebody has at hand is done, whatever limit is reached meanwhile.
            ahead = self._telemetry.limits == Limits()
            for name, said in dispatch(self._crew, source, title, self._say, ahead):
                yield name, said
                if isinstance(said, Replies):  # kept: its search goes on from here
                    self._telemetry.advance(0)
                    self._telemetry.check()
        except BaseException:
            self._crew.close()  # what is under way belongs to nobody
            self._crew = None
            raise

    def release(self) -> None:
        """Let all workers close what they opened."""
        self._here.release()
        if self._crew is not None:
            self._crew.release()

    def close(self) -> None:
        """End the workers and leave the cluster."""
        self._here.release()
        if self._crew is not None:
            self._crew.close()
            self._crew = None


class RayCrew:
    """The workers; see `harness.runner.spread.dispatch.Crew`."""

    def __init__(self, config: RayConfig, telemetry: Telemetry) -> None:
        self._config, self._telemetry = config, telemetry
        self._need = need_of(config)
        self._cluster: Cluster = connect(address_of(config), cores())
        self._actors: dict[int, _Actor] = {}
        self._number = 0
        self._work: Any = None
        self._looked = 0.0
        self._target = 0
        self._failed = 0
        """Workers that were lost before they had started, since one did."""
        try:
            self._hire()
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> Sequence[int]:
        """Those that are there."""
        return [number for number, actor in self._actors.items() if actor.there]

    @property
    def pids(self) -> Sequence[int]:
        """Processes of those that are there."""
        return [actor.pid for actor in self._actors.values() if actor.there]

    @property
    def width(self) -> int:
        """As many as are wanted."""
        return max(1, self._target, len(self._actors))

    def take_up(self, work: Work[Any]) -> None:
        """Say what the units that are started from now on are units of."""
        import ray

        self._work = [ray.put(work)]

    def start(self, worker: int, name: str, unit: object) -> None:
        """Hand a unit over."""
        self._actors[worker].start(self._work, name, unit)

    def wait(self) -> list[Event]:
        """Return what happened next, and look after the crew's size now and then."""
        import ray

        self._hire()
        owners: dict[Any, tuple[int, str | None]] = {}
        for number, actor in self._actors.items():
            if not actor.there:
                owners[actor.ready] = number, None
            elif actor.units:  # those behind the first have not begun
                name, said = next(iter(actor.units.items()))
                owners[said] = number, name
        if not owners:
            time.sleep(_WAIT)
            return []
        found, _ = ray.wait(list(owners), num_returns=1, timeout=_WAIT)
        return [event for one in found for event in self._events(one, *owners[one])]

    def _events(self, one: Any, number: int, name: str | None) -> list[Event]:
        import ray

        from harness.runner.spread.worker import Failure

        actor = self._actors[number]
        try:
            if name is None:
                actor.pid, actor.node = ray.get(one)
                self._failed = 0
                logger.info("worker %d is %s", number, actor)
                self._telemetry.joined(number)
                return [Joined(number)]
            said = ray.get(next(one))
        except StopIteration:
            del actor.units[name]  # type: ignore[arg-type]
            return [Ended(number, str(name))]
        except ray.exceptions.RayTaskError as error:
            raise error.as_instanceof_cause() from None  # a bug, with its traceback over there
        except ray.exceptions.RayError as error:
            logger.info("Ray says of worker %d: %s", number, " ".join(str(error).split()))
            return self._lose(number, _reason(error))
        if isinstance(said, Failure):
            failed = said.error()
            if not isinstance(failed, InfrastructureError):
                raise failed
            return self._lose(number, said.text)
        if isinstance(said, Account):
            self._telemetry.add(number, said)
            return []
        return [Heard(number, str(name), said)]

    def _lose(self, number: int, why: str) -> list[Event]:
        actor = self._actors.pop(number)
        actor.end()
        self._telemetry.lost(number)
        if actor.there:
            self._looked = 0.0
            return [Gone(number, str(actor), why)]
        self._failed += 1
        if self._failed >= TRIES * max(1, self._target) and not self.workers:
            raise InfrastructureError(f"no worker starts; the last one: {why}")
        return [Gone(number, str(actor), why)]

    def _hire(self) -> None:
        """Ask for the workers that are wanted and not there yet."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        room = sum(fit(there, self._need) for there in self._cluster.resources())
        if not room and not self._actors and self._cluster.own:
            asked = ", ".join(f"{value:g} {key}" for key, value in self._need.items())
            raise ConfigError(
                f"this machine has no room for a worker with {asked}; lower ray.cpus or ray.gpus"
            )
        if not room and not self._actors:
            logger.warning("no node of the cluster has room for a worker yet; waiting")
        self._target = self._config.workers or room
        while len(self._actors) < self._target:
            self._actors[self._number] = _Actor(self._config, self._surroundings())
            self._telemetry.hired(self._number)
            self._number += 1

    def _surroundings(self) -> Surroundings:
        from harness.runner.spread.worker import Surroundings

        handed = {k: v for k, v in os.environ.items() if k.startswith(_HANDED_DOWN)}
        cores = max(1, int(self._config.cpus))
        traced = self._telemetry.trace is not None
        return Surroundings(os.getcwd(), handed, cores, traced, None)

    def release(self) -> None:
        """Let workers close what they opened; those that cannot are found with their next unit."""
        import ray

        asked = [actor.handle.release.remote() for actor in self._actors.values() if actor.there]
        with suppress(ray.exceptions.RayError):
            ray.get(asked)

    def close(self) -> None:
        """End all workers and leave."""
        for number, actor in self._actors.items():
            self._telemetry.lost(number)
            actor.end()
        self._actors.clear()
        self._cluster.close()


class _Actor:
    """One worker: its process, its place, and the units that it was given."""

    def __init__(self, config: RayConfig, surroundings: Surroundings) -> None:
        import ray
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        from harness.runner.spread.worker import Worker

        needs: dict[str, Any] = {"num_cpus": config.cpus, "num_gpus": config.gpus}
        self._pair: Any = None
        if config.prm_gpus is not None:
            bundles = [{"CPU": config.cpus, "GPU": gpus} for gpus in (config.gpus, config.prm_gpus)]
            bundles = [{key: n for key, n in bundle.items() if n} for bundle in bundles]
            self._pair = placement_group(bundles, strategy="STRICT_PACK")
            first, second = (PlacementGroupSchedulingStrategy(self._pair, i) for i in (0, 1))
            needs["scheduling_strategy"] = first
            reader = {**needs, "num_gpus": config.prm_gpus, "scheduling_strategy": second}
            surroundings = replace(surroundings, reader=reader)
        self.handle: Any = ray.remote(Worker).options(**needs).remote(surroundings)
        self.ready: Any = self.handle.ready.remote()
        self.pid, self.node = 0, ""
        self.units: dict[str, Any] = {}
        """Name → what is said of it, as it comes."""

    def __str__(self) -> str:
        """Return what a user finds it by."""
        return f"process {self.pid} on {self.node}" if self.there else "before it had started"

    @property
    def there(self) -> bool:
        """Whether it has said that it is ready."""
        return self.pid > 0

    def start(self, work: Any, name: str, unit: object) -> None:
        """Begin a unit, or queue it."""
        self.units[name] = self.handle.do.options(num_returns="streaming").remote(work, unit)

    def end(self) -> None:
        """End the process, if it is there, and give its place back."""
        import ray
        from ray.util.placement_group import remove_placement_group

        with suppress(ray.exceptions.RayError):
            ray.kill(self.handle)
            if self._pair is not None:
                remove_placement_group(self._pair)


def _reason(error: Exception) -> str:
    """Return in a few words what Ray says in a paragraph."""
    text = " ".join(str(error).split())
    if "OUT_OF_MEMORY" in text:
        return "its node is out of memory"
    if "creation task" in text:  # what it raised stands at the end
        return str(error).strip().splitlines()[-1].strip()
    because = re.search(r"The actor (?:is dead|died) because (.+?)\.(?: |$)", text)
    return because[1].replace("worker process", "process") if because else text.split(". ")[0]
