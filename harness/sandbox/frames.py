"""Reads the result file, which the code under test could write to: strictly, and trusting nothing.

What it holds is at best what the code answered. Bytes that a child of ours would not have written,
in an order in which it would not have written them, are an attempt to forge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.sandbox.inside import report
from harness.sandbox.job import Returned

_KINDS = {
    report.VALUE: "value",
    report.TAGGED_VALUE: "tagged",
    report.DIGEST: "large",
    report.RAISED: "raised",
    report.NO_MEMORY: "out_of_memory",
}
_CLOSING = (report.END, report.NOT_COMPILED, report.NOT_IMPORTED, report.RAISED)


class Forged(ValueError):
    """Bytes that no child of ours writes."""


@dataclass(frozen=True, slots=True)
class Frames:
    """What a result file says."""

    returned: tuple[Returned, ...] = ()
    seconds: tuple[float, ...] = ()
    """CPU seconds of each call, by the child's own clock."""
    closing: int | None = None
    """Kind of the closing frame, None if there is none."""
    text: str = ""
    """Of the closing frame."""
    torn: bool = False
    """The last frame is cut off: the child was ended while it wrote."""


def read(blob: bytes, calls: int) -> Frames:
    """Read a result file of a job with so many calls (0 for programs).

    Raises:
        Forged: unknown kinds, wrong sizes, wrong order, more results than calls, trailing bytes.
    """
    returned: list[Returned] = []
    seconds: list[float] = []
    offset = 0
    while offset < len(blob):
        if offset + report.HEAD.size > len(blob):
            return Frames(tuple(returned), tuple(seconds), torn=True)
        kind, size = report.HEAD.unpack_from(blob, offset)
        body = blob[offset + report.HEAD.size : offset + report.HEAD.size + size]
        torn, ended = len(body) < size, kind == report.ENDED
        offset += report.HEAD.size + size
        if not ended and kind in _CLOSING and (calls == 0 or kind != report.RAISED):
            return _close(kind, body, torn, offset < len(blob), (returned, seconds))
        if not ended or size != report.SECONDS.size or len(returned) == calls:
            raise Forged(f"frame {kind} of {size} bytes after {len(returned)} results")
        if torn or offset + report.HEAD.size > len(blob):
            return Frames(tuple(returned), tuple(seconds), torn=True)
        kind, size = report.HEAD.unpack_from(blob, offset)
        data = blob[offset + report.HEAD.size : offset + report.HEAD.size + size]
        if kind not in _KINDS:
            raise Forged(f"frame {kind} as a result")
        offset += report.HEAD.size + size
        if len(data) < size:
            return Frames(tuple(returned), tuple(seconds), torn=True)
        (spent,) = report.SECONDS.unpack(body)
        if not (math.isfinite(spent) and spent >= 0):
            raise Forged("a time that is no time")
        returned.append(_result(kind, data))
        seconds.append(spent)
    return Frames(tuple(returned), tuple(seconds))


def _close(
    kind: int, body: bytes, torn: bool, more: bool, so_far: tuple[list[Returned], list[float]]
) -> Frames:
    """Return the frames with a closing one, which must be the last and short."""
    if more or len(body) > report.MESSAGE:
        raise Forged("bytes after the closing frame")
    returned, seconds = so_far
    text = body.decode("utf-8", "replace")
    return Frames(tuple(returned), tuple(seconds), None if torn else kind, text, torn)


def _result(kind: int, data: bytes) -> Returned:
    """Return what one call gave."""
    name = _KINDS[kind]
    if name == "large":
        if len(data) != report.LARGE.size:
            raise Forged("a digest of the wrong length")
        digest, size = report.LARGE.unpack(data)
        return Returned("large", digest, size)
    if name == "raised" and len(data) > report.MESSAGE:
        raise Forged("a message that is too long")
    if name == "out_of_memory" and data:
        raise Forged("a result without a value that has bytes")
    if name in ("value", "tagged") and (name == "tagged") != data.startswith(b"#"):
        raise Forged("a value of another kind than it says")
    return Returned(name, data, len(data))  # type: ignore[arg-type]
