"""Numbers as a reader wants them. What is unknown prints as a dash, never as zero."""

from __future__ import annotations

import math

UNKNOWN = "–"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in percent, without the sign: 0.715 gives ``71.5``."""
    if share is None or math.isnan(share):
        return UNKNOWN
    return f"{100 * share:.{digits}f}"


def interval(low: float | None, high: float | None, digits: int = 1) -> str:
    """Return an interval of shares in percent: ``[65.1, 77.2]``."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return UNKNOWN
    return f"[{percent(low, digits)}, {percent(high, digits)}]"


def count(number: float | None) -> str:
    """Return a count with three significant digits: ``950``, ``12.3k``, ``4.00M``."""
    if number is None or math.isnan(number):
        return UNKNOWN
    if abs(number) < 999.5:
        whole = abs(number) >= 99.95 or float(number).is_integer()
        return f"{number:.0f}" if whole else f"{number:.3g}"
    for unit, size in (("k", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)):
        if abs(number) < 999.5 * size or unit == "T":
            break
    scaled = number / size
    digits = 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
    return f"{scaled:.{digits}f}{unit}"


def power(number: float | None) -> str:
    """Return a large number in scientific form: ``1.23e12``."""
    if number is None or math.isnan(number):
        return UNKNOWN
    mantissa, _, exponent = f"{number:.2e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def seconds(number: float | None) -> str:
    """Return seconds with three significant digits, never in scientific form."""
    if number is None or math.isnan(number):
        return UNKNOWN
    if number <= 0:
        return f"{number:.0f}"
    digits = max(0, 2 - math.floor(math.log10(number)))
    return f"{number:.{min(digits, 6)}f}"


def part(n: int, total: int) -> str:
    """Return how many of the task's problems were used: ``500``, or ``200 of 500``."""
    return f"{n}" if n >= total else f"{n} of {total}"


def points(share: float | None) -> str:
    """Return a difference of shares in percentage points, with its sign: ``+2.1``."""
    if share is None or math.isnan(share):
        return UNKNOWN
    return f"{100 * share:+.1f}"


def points_interval(low: float, high: float) -> str:
    """Return an interval of differences in percentage points: ``[+0.4, +3.9]``."""
    return UNKNOWN if math.isnan(low) else f"[{points(low)}, {points(high)}]"


def p_value(p: float) -> str:
    """Return p with two significant digits: ``0.013``; very small ones as ``<0.0001``."""
    if math.isnan(p):
        return UNKNOWN
    return "<0.0001" if p < 0.0001 else f"{p:.2g}"
