"""The figures of accuracy against cost: one per axis, a panel per task, all methods in it.

A panel shows the methods with one PRM (`Costs.featured` says which) and those without, at most
eight. Names stand at the right, as high as their curves end; the grey staircase is the Pareto
frontier; bars at the foot show who wins significantly, and where.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.analysis import Axis, Frontier, Line
from harness.reporting import charts, text
from harness.reporting.costs import TITLES, Costs, cost_text
from harness.reporting.figures import DPI, SUPTITLE, Figure, write_canvas
from harness.reporting.style import COLOURS, GREY, INK, RC, label, marker_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SERIES = 8
"""Curves in one panel; more cannot be told apart."""

_ACROSS = 2
_TOP = 0.97
_STAIRS = "#B4B4B4"
_ROOM = 0.062
"""Height of a name, as a share of the panel's."""
_FAR = 0.2
"""From here on, across the panel, a single point is named at the right like the curves."""

_X: dict[Axis, str] = {
    "policy_tokens": "policy tokens per problem",
    "total_tokens": "tokens per problem, policy + PRM",
    "flops": "FLOPs per problem, policy + PRM",
    "latency_seconds": "seconds per problem, one at a time",
    "throughput_seconds": "seconds per problem, many at once",
}


def write_frontier_figures(costs: Costs, folder: Path) -> dict[Axis, Figure]:
    """Write a figure per axis that something is known on."""
    import warnings

    import matplotlib as mpl

    made = {}
    colours = method_colours(costs)
    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        for axis in costs.axes:
            panels = costs.featured(axis)
            canvas = _canvas(panels, axis, colours)
            title = f"Accuracy against {TITLES[axis]}"
            made[axis] = write_canvas(canvas, folder, f"frontier-{axis}", title, _alt(panels, axis))
    return made


def _canvas(panels: Sequence[Frontier], axis: Axis, colours: dict[str, str]) -> Canvas:
    from matplotlib.figure import Figure as Canvas

    across = min(len(panels), _ACROSS)
    down = math.ceil(len(panels) / across)
    canvas = Canvas(figsize=(5.6 * across, 0.75 + 3.1 * down), dpi=DPI, layout="constrained")
    grid = canvas.subplots(down, across, squeeze=False)
    for panel, found in zip(grid.flat, panels, strict=False):
        _draw(panel, found, colours)
        charts.scale(panel, charts.Axis(axis, _X[axis], _X[axis], lambda row: None))
        group = found.panel.group
        beside = f", PRM {charts.shortened(group.prm, 28)}" if group.prm else ""
        n = text.part(len(found.panel.problems), found.panel.asked)
        where = f"{charts.shortened(group.task, 30)}, policy {charts.shortened(group.policy, 20)}"
        panel.set_title(f"{where}{beside}\n{n} problems{_power(found)}", loc="left", fontsize=8.5)
    for panel in list(grid.flat)[len(panels) :]:
        panel.set_visible(False)
    for row in grid:
        row[0].set_ylabel("accuracy (%)")
    canvas.suptitle(f"Accuracy against {TITLES[axis]}", **SUPTITLE)
    _legend(canvas, panels)
    return canvas


def _power(found: Frontier) -> str:
    smallest = found.power.smallest
    if smallest != smallest:
        return ""
    return f", differences above {100 * smallest:.1f} points separable"


def _draw(ax: Any, found: Frontier, colours: dict[str, str]) -> None:
    shown = shown_lines(found)
    _limits(ax, found, shown)
    _frontier(ax, found)
    for place in shown:
        line = found.lines[place]
        _line(ax, line, colours[line.curve.method], 0.10 if len(shown) < 6 else 0.06)
    _wins(ax, found, colours)
    _names(ax, found, shown, colours)


def shown_lines(found: Frontier) -> tuple[int, ...]:
    """Return the lines that a panel shows: all of them, or the plain ones and the most accurate.

    Methods without a PRM and best-of-N are what searches are measured by, so they come first; the
    others by their accuracy at the largest budget. The table has them all.
    """

    def rank(place: int) -> tuple[bool, float]:
        line = found.lines[place]
        searched = line.curve.prm is not None and line.curve.method != "best_of_n"
        return searched, -float(line.values[-1])

    return tuple(sorted(sorted(range(len(found.lines)), key=rank)[:SERIES]))


def _limits(ax: Any, found: Frontier, shown: Sequence[int]) -> None:
    """Fix the axes before anything is placed relative to them."""
    lines = [found.lines[place] for place in shown]
    low = 100 * min(float(line.low.min()) for line in lines)
    high = 100 * max(float(line.high.max()) for line in lines)
    room = max(high - low, 5.0)
    ax.set_ylim(low - 0.12 * room, min(high + 0.04 * room, 102))
    first = min(float(line.costs[0]) for line in lines)
    last = max(float(line.costs[-1]) for line in lines)
    pad = (last / first) ** 0.04 if last > first else 1.5
    ax.set_xscale("log")
    ax.set_xlim(first / pad, last * pad)


def _frontier(ax: Any, found: Frontier) -> None:
    """Join the best points for their cost by a staircase, which shows what is had for less."""
    points = sorted(
        (float(cost), float(value))
        for line in found.lines
        for cost, value, best in zip(line.costs, line.values, line.pareto, strict=True)
        if best
    )
    points.append((ax.get_xlim()[1], points[-1][1]))
    ax.plot(
        [cost for cost, _ in points],
        [100 * value for _, value in points],
        drawstyle="steps-post",
        color=_STAIRS,
        lw=2.8,
        solid_capstyle="butt",
        zorder=1.5,
    )


def _line(ax: Any, line: Line, colour: str, shade: float) -> None:
    free = line.curve.prm is None
    values, low, high = (100 * one for one in (line.values, line.low, line.high))
    marker = marker_of(line.curve.family)
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.5}
    size = {"*": 9.0, "D": 4.4, "s": 4.8}.get(marker, 5.2)
    if len(values) == 1:
        spread = [values - low, high - values]
        ax.errorbar(
            *(line.costs, values, spread),
            color=colour,
            marker=marker,
            markersize=size,
            elinewidth=1,
            capsize=2,
            zorder=3.5,
            **edge,
        )
        return
    ax.fill_between(line.costs, low, high, color=colour, alpha=0.06 if free else shade, lw=0)
    ax.plot(
        *(line.costs, values),
        color=colour,
        lw=1.3 if free else 1.6,
        marker=marker,
        markersize=size,
        zorder=2.5 if free else 3,
        **edge,
    )


def _wins(ax: Any, found: Frontier, colours: dict[str, str]) -> None:
    """Draw a bar at the foot over the costs at which a line wins."""
    costs = sorted({contrast.cost for contrast in found.contrasts})
    bounds = [math.sqrt(a * b) for a, b in pairwise(costs)]
    edges = [costs[0], *bounds, costs[-1]] if costs else []
    if len(costs) == 1:
        edges = [costs[0] / 1.1, costs[0] * 1.1]
    for win in found.wins:
        first, last = costs.index(win.low), costs.index(win.high)
        ax.axvspan(
            *(edges[first], edges[last + 1]),
            ymin=0.012,
            ymax=0.042,
            color=colours[found.lines[win.line].curve.method],
            lw=0,
            zorder=2,
        )


def _names(ax: Any, found: Frontier, shown: Sequence[int], colours: dict[str, str]) -> None:
    """Write each name at the right of the panel, as high as its curve ends where there is room.

    A single point far from there has its name beside it.
    """
    low, high = ax.get_ylim()
    ends = {}
    for place in shown:
        line = found.lines[place]
        name, end = charts.shortened(label(line.curve.method), 24), 100 * float(line.values[-1])
        if len(line.values) == 1 and _across(ax, float(line.costs[0])) < _FAR:
            ax.annotate(
                name,
                (line.costs[0], end),
                (6, 6),
                textcoords="offset points",
                color=colours[line.curve.method],
                fontsize=8,
            )
        else:
            ends[place] = (end - low) / (high - low)
    for place, height in spread_out(ends, _ROOM).items():
        line = found.lines[place]
        colour = colours[line.curve.method]
        ax.annotate(
            charts.shortened(label(line.curve.method), 24),
            xy=(float(line.costs[-1]), 100 * float(line.values[-1])),
            xytext=(1.035, height),
            textcoords="axes fraction",
            color=colour,
            fontsize=8,
            va="center",
            ha="left",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "lw": 0.6,
                "alpha": 0.6,
                "shrinkA": 1,
                "shrinkB": 3,
                "relpos": (0, 0.5),
            },
        )


def _across(ax: Any, cost: float) -> float:
    """Return how far to the right of the panel a cost stands, from 0 to 1."""
    first, last = map(math.log, ax.get_xlim())
    return (math.log(cost) - first) / (last - first)


def spread_out(wanted: dict[int, float], room: float) -> dict[int, float]:
    """Return heights at least `room` apart, as near to those wanted as pushing apart allows.

    If the highest would stand above the panel, all of them are lower.
    """
    order = sorted(wanted, key=lambda key: wanted[key])
    blocks: list[list[int]] = []

    def middle(block: list[int]) -> float:
        return sum(wanted[key] for key in block) / len(block)

    for key in order:
        blocks.append([key])
        while len(blocks) > 1:
            below, above = blocks[-2], blocks[-1]
            if middle(above) - middle(below) >= room * (len(below) + len(above)) / 2 - 1e-12:
                break
            blocks[-2:] = [below + above]
    heights = {
        key: middle(block) + room * (i - (len(block) - 1) / 2)
        for block in blocks
        for i, key in enumerate(block)
    }
    over = max([0.0, *(height - _TOP for height in heights.values())])
    return {key: height - over for key, height in heights.items()}


def _legend(canvas: Canvas, panels: Sequence[Frontier]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Line2D([], [], color=_STAIRS, lw=2.8),
        Patch(color=GREY, alpha=0.2, lw=0),
    ]
    names = ["Pareto frontier", "95 % band over problems"]
    if any(found.wins for found in panels):
        handles.append(Line2D([], [], color=GREY, lw=3.2))
        names.append("bar at the foot: significant winner (Holm)")
    dropped = max(len(found.lines) - SERIES for found in panels)
    if dropped > 0:
        handles.append(Line2D([], [], ls="none"))
        names.append(f"{SERIES} methods shown, others in the table")
    columns = len(names) if len(panels) > 1 else 2
    canvas.legend(handles, names, loc="outside lower left", ncols=columns, handlelength=1.8)


def method_colours(costs: Costs) -> dict[str, str]:
    """Return a colour per method, the same on every axis; methods without a PRM in greys."""
    panels = [found for axis in costs.axes for found in costs.featured(axis)]
    drawn = [found.lines[place] for found in panels for place in shown_lines(found)]
    free: dict[str, None] = {}
    judged: dict[str, None] = {}
    # What is drawn comes first: colours repeat after the tenth, so among the others.
    for line in (*drawn, *(line for found in costs.frontiers for line in found.lines)):
        (free if line.curve.prm is None else judged).setdefault(line.curve.method)
    greys = (INK, GREY, "#949494")
    colours = {name: greys[i % len(greys)] for i, name in enumerate(free)}
    more = (*COLOURS, "#7A5195", "#8C6D1F", "#A6192E", "#4D7C0F")
    return {**colours, **{name: more[i % len(more)] for i, name in enumerate(judged)}}


def _alt(panels: Sequence[Frontier], axis: Axis) -> str:
    parts = []
    for found in panels:
        ends = ", ".join(
            f"{label(line.curve.method)} {text.percent(float(line.values[-1]))} at "
            f"{cost_text(float(line.costs[-1]), axis)}"
            for line in found.lines
        )
        parts.append(f"{found.panel.group.task}: {ends}")
    return f"Accuracy in percent at the largest budget and its cost. {'; '.join(parts)}."
