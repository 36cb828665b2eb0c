"""Drawing: curves with intervals on one pair of axes, and the legend beside them.

Only this module and `figures` know matplotlib; it is used without pyplot, so nothing global is
touched and no display is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.reporting.escape import plain
from harness.reporting.lines import Line
from harness.reporting.style import GREY, INK, Look, Style, label
from harness.types import ResultRow

_EDGE = 0.5
"""White rim that keeps markers apart where curves cross, in points."""


@dataclass(frozen=True, slots=True)
class Axis:
    """What stands on the horizontal axis; always logarithmic."""

    name: str
    """Part of the file name."""
    label: str
    title: str
    x: Callable[[ResultRow], float | None]
    """The value for one result, None where it is unknown."""
    base: int = 10


def _total_tokens(row: ResultRow) -> float | None:
    if row.prm is None:
        return row.policy_tokens
    if row.policy_tokens is None or row.prm_tokens is None:
        return None
    return row.policy_tokens + row.prm_tokens


N_AXIS = Axis("n", "candidates per problem, N", "candidates", lambda row: row.budget, base=2)
TOTAL_AXIS = Axis(
    "total_tokens",
    "tokens per problem, policy + PRM",
    "total tokens",
    _total_tokens,
)
AXES = (
    N_AXIS,
    Axis(
        "policy_tokens",
        "policy tokens per problem",
        "policy tokens",
        lambda row: row.policy_tokens,
    ),
    TOTAL_AXIS,
    Axis("flops", "FLOPs per problem (policy + PRM)", "FLOPs", lambda row: row.flops),
    Axis(
        "seconds",
        "measured seconds per problem",
        "measured seconds",
        lambda row: row.seconds_per_problem,
    ),
)


def drawable(line: Line, axis: Axis) -> list[tuple[float, ResultRow]]:
    """Return the points that have a place on a logarithmic axis, by rising x."""
    points = [(axis.x(row), row) for row in line.points]
    known = [(x, row) for x, row in points if x is not None and x > 0 and row.value == row.value]
    return sorted(known, key=lambda point: point[0])


def draw(
    ax: Any, lines: Sequence[Line], axis: Axis, style: Style, *, labelled: bool = True
) -> None:
    """Draw the lines with their 95 % intervals and set up the axes.

    Several points make a curve with a shaded band, a single one a marker with an error bar. On
    the axis of candidates a single point without PRM (greedy) also runs through as a level.
    """
    for line in sorted(lines, key=lambda line: line.last.prm is not None):
        points = drawable(line, axis)
        if not points:
            continue
        look = style.line(line)
        if len(points) == 1:
            _point(ax, *points[0], look)
            if axis is N_AXIS and line.last.prm is None:
                ax.axhline(
                    100 * points[0][1].value, color=look.colour, ls=look.dashes, lw=1, zorder=1.5
                )
        else:
            _curve(ax, points, look)
    scale(ax, axis, labelled=labelled)


def legend(figure: Any, lines: Sequence[Line], style: Style) -> None:
    """Put a legend at the right, outside the axes: PRMs by colour, then methods without PRM."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shown = {line.last.prm for line in lines}
    entries = [(_sample(style.prm(name)), shortened(name)) for name in style.prms if name in shown]
    if entries:
        entries.append((Line2D([], [], ls="none"), ""))
    seen = dict.fromkeys(
        (line.last.method, style.line(line)) for line in lines if line.last.prm is None
    )
    entries += [(_sample(look), shortened(label(method))) for method, look in seen]
    if any(row.ci_low is not None for line in lines for row in line.points):
        entries.append((Patch(color=GREY, alpha=0.2, lw=0), "95 % interval"))
    handles, labels = zip(*entries, strict=True)
    figure.legend(handles, labels, loc="outside right center", handlelength=2.4, labelspacing=0.5)


def draw_bars(
    ax: Any, rows: Sequence[ResultRow], tasks: Sequence[str], prms: Sequence[str], style: Style
) -> None:
    """Draw one bar per task and PRM, with its 95 % interval as a line."""
    width = 0.82 / max(1, len(prms))
    for place, prm in enumerate(prms):
        mine = [row for row in rows if row.prm == prm]
        xs = [tasks.index(row.task) + (place - (len(prms) - 1) / 2) * width for row in mine]
        heights = [100 * row.value for row in mine]
        ax.bar(xs, heights, width * 0.9, color=style.prm(prm).colour)
        for x, row in zip(xs, mine, strict=True):
            if row.ci_low is not None and row.ci_high is not None:
                ax.vlines(x, 100 * row.ci_low, 100 * row.ci_high, color=INK, lw=1)
    ax.tick_params(axis="x", length=0)
    ax.grid(axis="x", visible=False)


def bar_legend(figure: Any, prms: Sequence[str], style: Style) -> None:
    """Put a legend of the PRMs' colours at the right, outside the axes."""
    from matplotlib.patches import Patch

    figure.legend(
        [Patch(color=style.prm(name).colour) for name in prms],
        [shortened(name) for name in prms],
        loc="outside right center",
        handlelength=1.2,
    )


def methods_with_prm(lines: Sequence[Line]) -> tuple[str, ...]:
    """Return the methods that use a PRM, in the lines' order."""
    return tuple(dict.fromkeys(line.last.method for line in lines if line.last.prm is not None))


def _sample(look: Look) -> Any:
    from matplotlib.lines import Line2D

    marker = look.marker or "none"
    return Line2D(
        [],
        [],
        color=look.colour,
        ls=look.dashes,
        lw=look.width + 0.2,
        marker=marker,
        markersize=_size(look),
        markeredgecolor="white",
        markeredgewidth=_EDGE,
    )


def _size(look: Look) -> float:
    return {"*": 9.0, "D": 4.4, "s": 4.8}.get(look.marker, 5.2)


def _curve(ax: Any, points: Sequence[tuple[float, ResultRow]], look: Look) -> None:
    xs = [x for x, _ in points]
    banded = [(x, row) for x, row in points if row.ci_low is not None and row.ci_high is not None]
    if banded:
        ax.fill_between(
            [x for x, _ in banded],
            [100 * (row.ci_low or 0.0) for _, row in banded],
            [100 * (row.ci_high or 0.0) for _, row in banded],
            color=look.colour,
            alpha=0.10 if look.colour not in (INK, GREY) else 0.06,
            lw=0,
        )
    ax.plot(
        xs,
        [100 * row.value for _, row in points],
        color=look.colour,
        ls=look.dashes,
        lw=look.width,
        marker=look.marker or None,
        markersize=_size(look),
        markeredgecolor="white",
        markeredgewidth=_EDGE,
        zorder=3 if look.colour not in (INK, GREY) else 2.5,
    )


def _point(ax: Any, x: float, row: ResultRow, look: Look) -> None:
    spread = None
    if row.ci_low is not None and row.ci_high is not None:
        spread = [[100 * (row.value - row.ci_low)], [100 * (row.ci_high - row.value)]]
    ax.errorbar(
        [x],
        [100 * row.value],
        yerr=spread,
        color=look.colour,
        marker=look.marker or "o",
        markersize=_size(look),
        markeredgecolor="white",
        markeredgewidth=_EDGE,
        elinewidth=1,
        capsize=2,
        zorder=3.5,
    )


def scale(ax: Any, axis: Axis, *, labelled: bool = True) -> None:
    """Set up the horizontal axis: logarithmic, with round ticks and, if asked for, its label."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    ax.set_xscale("log", base=axis.base)
    if labelled:
        ax.set_xlabel(axis.label)
    ax.xaxis.set_minor_locator(NullLocator())
    if axis.base == 2:
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        return
    low, high = ax.get_xlim()
    # On two decades or less the powers of ten alone would leave an axis with one or two labels.
    subs = (1, 2, 5) if high / low < 120 else (1, 3) if high / low < 3000 else (1,)
    ax.xaxis.set_major_locator(LogLocator(base=10, subs=subs, numticks=12))
    shown = _power if axis.name == "flops" else _short
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: shown(x)))


def _short(number: float) -> str:
    """Return a round tick: ``0.05``, ``200``, ``5k``."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def _power(number: float) -> str:
    """Return a tick with its power of ten: ``2e9``."""
    mantissa, _, exponent = f"{number:.0e}".partition("e")
    return f"{mantissa}e{int(exponent)}"


def shortened(name: str, length: int = 36) -> str:
    """Return a name on one line, cut to `length` letters, that a legend will show.

    matplotlib leaves out labels that begin with an underscore.
    """
    text = plain(name)
    text = text if len(text) <= length else f"{text[: length - 1]}…"
    return f" {text}" if text.startswith("_") else text
