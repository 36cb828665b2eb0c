"""Counts of what a stage of a run did, and the figures that follow from them. Pure: no clock.

Three roles work: the policy, the PRM, the grader. A role is *busy* while a call of it is under way;
its share of time is its busy seconds over the stage's. The hit rate of a cache is the share of
prompt tokens that did not have to go through the model: 1 − computed / logical (`Tokens`).

Where workers elsewhere do a stage, shares are of the seconds that they were at a unit, all of them
together; what they have at work is what they last said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from harness.types import Gauges, Tokens

Role = Literal["policy", "PRM", "grader"]

WINDOW = 10.0
"""Seconds over which a rate is taken."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures of a stage at one moment. None is unknown, or that there was nothing of it."""

    stage: str
    unit: str
    """What is counted: candidates, drafts, searches."""
    done: int
    total: int
    seconds: float
    """Since the stage began."""
    starting: str | None
    """What is being started or loaded, and is waited for."""
    policy_tokens: int
    """Decoded in this stage, those of unfinished drafts included where the engine tells them."""
    policy_rate: float | None
    """Tokens decoded per second."""
    prm_tokens: int
    """Read (as if nothing were shared) and written."""
    prm_rate: float | None
    in_flight: int | None
    """Drafts that were handed to the policy and have not come back."""
    waiting: int | None
    """Those of them that the engine has not begun."""
    policy_cache_hits: float | None
    prm_cache_hits: float | None
    cache_used: float | None
    """Share of the policy's room for keys and values."""
    policy_share: float | None
    """Of the stage's seconds, those aside in which something was started; or of the workers' at
    their units. None: it was never busy."""
    prm_share: float | None
    grader_share: float | None
    flops: float
    """Policy and PRM, since the launch; NaN where a model's shape is unknown."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What one role did."""

    logical: int = 0
    """Prompt tokens as if nothing were shared; see `Tokens`."""
    computed: int = 0
    decoded: int = 0
    busy: float = 0.0
    """Seconds."""

    def __sub__(self, other: Counts) -> Counts:
        return Counts(
            self.logical - other.logical,
            self.computed - other.computed,
            self.decoded - other.decoded,
            self.busy - other.busy,
        )


@dataclass(frozen=True, slots=True)
class AtWork:
    """What a policy has at work at one moment; see `Reading`."""

    in_flight: int = 0
    waiting: int | None = None
    cache: float | None = None
    unfinished: int = 0
    """Tokens of drafts that have not come back."""
    starting: str = ""
    """What is being started or loaded, and is waited for."""


@dataclass(slots=True)
class Work:
    """The counts of one role, as they grow."""

    logical: int = 0
    computed: int = 0
    decoded: int = 0
    busy: float = 0.0
    depth: int = 0
    """Calls under way, one inside the other."""
    since: float = 0.0
    """When the outermost of them began."""

    def enter(self, now: float) -> None:
        """Note that a call begins."""
        if not self.depth:
            self.since = now
        self.depth += 1

    def leave(self, now: float) -> None:
        """Note that a call ends."""
        self.depth -= 1
        if not self.depth:
            self.busy += now - self.since

    def counts(self, now: float) -> Counts:
        """Return the counts, the call under way included."""
        busy = self.busy + (now - self.since if self.depth else 0.0)
        return Counts(self.logical, self.computed, self.decoded, busy)

    def add(self, counts: Counts) -> None:
        """Add what was counted elsewhere."""
        self.logical += counts.logical
        self.computed += counts.computed
        self.decoded += counts.decoded
        self.busy += counts.busy

    def share(self, now: float, seconds: float) -> float | None:
        """Return the share of so many seconds in which it was busy; None: it never was."""
        busy = self.counts(now).busy
        return min(1.0, busy / seconds) if seconds > 0 and busy > 0 else None

    @property
    def hits(self) -> float | None:
        """The share of prompt tokens that were remembered; None: none were read."""
        return 1 - self.computed / self.logical if self.logical else None


class Meter:
    """The counts of one stage."""

    def __init__(self, stage: str, unit: str, done: int, total: int, began: float) -> None:
        self.stage, self.unit, self.done, self.total = stage, unit, done, total
        self.began = began
        self.begun = done
        """Things that an earlier launch had finished."""
        self.in_flight = 0
        self.work: dict[Role, Work] = {"policy": Work(), "PRM": Work(), "grader": Work()}
        self.base = 0
        """Tokens that the policy had decoded when its present stream was opened."""
        self.elsewhere: dict[int, AtWork] = {}
        """Worker → what it has at work."""
        self.lent = 0.0
        """Seconds of workers elsewhere."""
        self.starting = ""
        self.started = 0.0
        """Seconds in which something was started here."""

    def count(self, role: Role, tokens: Tokens) -> None:
        """Add the tokens of one reply."""
        work = self.work[role]
        work.logical += tokens.prefill_logical
        work.computed += tokens.prefill_computed
        work.decoded += tokens.decode

    def at_work(self, gauges: Gauges | None) -> AtWork:
        """Return what is at work here, by the gauges of the stream that is open."""
        if gauges is None:
            return AtWork(self.in_flight, starting=self.starting)
        live = 0 if gauges.decoded is None else self.base + gauges.decoded
        unfinished = max(0, live - self.work["policy"].decoded)
        return AtWork(self.in_flight, gauges.waiting, gauges.cache, unfinished, self.starting)

    def read(self, now: float, rates: Rates, gauges: Gauges | None, flops: float) -> Reading:
        """Return the figures; `rates` belongs to whoever asks."""
        policy, prm = self.work["policy"], self.work["PRM"]
        seconds = now - self.began
        whole = self.lent or seconds - self.started
        at_work = _together([self.at_work(gauges), *tuple(self.elsewhere.values())])
        decoded = policy.decoded + at_work.unfinished
        judged = prm.logical + prm.decoded
        policy_rate, prm_rate = rates.of(
            now, self.stage, (decoded, judged), self.began + self.started
        )
        writes = bool(decoded or at_work.in_flight)
        return Reading(
            stage=self.stage,
            unit=self.unit,
            done=self.done,
            total=self.total,
            seconds=seconds,
            starting=at_work.starting or None,
            policy_tokens=decoded,
            policy_rate=policy_rate if writes else None,
            prm_tokens=judged,
            prm_rate=prm_rate if judged else None,
            in_flight=at_work.in_flight if writes else None,
            waiting=at_work.waiting,
            policy_cache_hits=policy.hits,
            prm_cache_hits=prm.hits,
            cache_used=at_work.cache,
            policy_share=policy.share(now, whole),
            prm_share=prm.share(now, whole),
            grader_share=self.work["grader"].share(now, whole),
            flops=flops,
        )


def _together(parts: Sequence[AtWork]) -> AtWork:
    """Return what several have at work: sums, and the mean of how full their caches are."""
    waiting = [part.waiting for part in parts if part.waiting is not None]
    caches = [part.cache for part in parts if part.cache is not None]
    return AtWork(
        sum(part.in_flight for part in parts),
        sum(waiting) if waiting else None,
        fmean(caches) if caches else None,
        sum(part.unfinished for part in parts),
        ", ".join(dict.fromkeys(part.starting for part in parts if part.starting)),
    )


class Rates:
    """Rates over the last `WINDOW` seconds, from the counts that one reader saw."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, tuple[int, ...]]] = deque()
        self._stage = ("", 0.0)

    def of(
        self, now: float, stage: str, counts: tuple[int, ...], began: float
    ) -> tuple[float | None, ...]:
        """Return one rate per count; None before any time has passed."""
        if self._stage != (stage, began):
            self._stage = (stage, began)
            self._seen.clear()
            self._seen.append((began, (0,) * len(counts)))
        while len(self._seen) > 1 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()
        start, before = self._seen[0]
        self._seen.append((now, counts))
        if now <= start:
            return (None,) * len(counts)
        pairs = zip(counts, before, strict=True)
        return tuple(max(0, count - old) / (now - start) for count, old in pairs)
