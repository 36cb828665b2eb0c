"""Jobs as messages to a zygote, with the input sets that it has to load or to forget."""

from __future__ import annotations

import marshal
from collections import OrderedDict
from typing import Any, cast

from harness.sandbox.inside.encoding import VERSION
from harness.sandbox.inside.parcel import pack
from harness.sandbox.job import Calls, Inputs, Job, Limits

RESULT = 256 * 2**20
"""Bytes of the results of one execution."""
SETS, SET_BYTES = 4, 16 * 2**20
"""Input sets that a worker keeps. Every fork copies the page tables of all of them."""
SMALL_FILE = 8192
"""Bytes that a program may always write: its closing frame must fit."""


class Held:
    """The input sets that a worker holds: least recently used ones go first."""

    def __init__(self) -> None:
        self._sizes: OrderedDict[str, int] = OrderedDict()

    def need(self, inputs: Inputs) -> tuple[bytes | None, list[str]]:
        """Return what to load, None if it is there, and which digests to forget."""
        if inputs.digest in self._sizes:
            self._sizes.move_to_end(inputs.digest)
            return None, []
        data = marshal.dumps(cast("Any", inputs.calls), VERSION)
        self._sizes[inputs.digest] = len(data)
        evicted = []
        while len(self._sizes) > 1 and (
            len(self._sizes) > SETS or sum(self._sizes.values()) > SET_BYTES
        ):
            evicted.append(self._sizes.popitem(last=False)[0])
        return data, evicted


def message(seq: int, job: Job, held: Held, threads: bool) -> bytes:
    """Return a job as bytes for the worker that holds `held`."""
    limits = job.limits
    text: dict[str, object] = {
        "seq": seq,
        "cpu": float(limits.cpu),
        "wall": float(limits.clock),
        "memory": limits.memory,
        "threads": threads,
        "evict": [],
        "per_call": (),
    }
    if isinstance(job, Calls):
        load, evict = held.need(job.inputs)
        text |= {
            "mode": "calls",
            "style": job.style,
            "entry": job.entry,
            "inputs": job.inputs.digest,
            "load": load,
            "evict": evict,
            "per_call": per_call(limits, len(job.inputs.calls)),
            "raw": list(job.raw),
            "as_set": job.as_set,
            "stop": job.stop_on_error,
            "file_size": RESULT,
        }
    else:
        size = max(limits.output + 1, SMALL_FILE)
        text |= {"mode": "program", "file_size": size}
    return pack(text, job.code, b"" if isinstance(job, Calls) else job.stdin, VERSION)


def per_call(limits: Limits, calls: int) -> tuple[float, ...]:
    """Return the time of each call, () if only the whole counts."""
    if len(limits.per_call) == 1:
        return tuple(map(float, limits.per_call * calls))
    return tuple(map(float, limits.per_call))
