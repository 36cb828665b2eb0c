"""Figures of a comparison: difference by budget, wins and losses, breakdown by subject or task."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.analysis.versus import SIGNIFICANT, Versus
from harness.reporting import text
from harness.reporting.charts import N_AXIS, scale, shortened
from harness.reporting.figures import DPI, SUPTITLE, Figure, file_name, write_canvas
from harness.reporting.style import COLOURS, GREY, INK, RC
from harness.types import Comparison

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_A, _B = COLOURS[0], COLOURS[1]
_NAME = 30
"""Letters of a name in a figure."""


def write_versus_figures(found: Sequence[Versus], folder: Path) -> tuple[Figure, ...]:
    """Write the figures of a comparison as PNG and SVG.

    One per task: difference by budget beside the wins and losses of single problems at the largest
    one; one per task with a breakdown; one over all tasks where there are several. A filled marker
    is a difference that is significant after Holm's correction.
    """
    import matplotlib as mpl

    made = []
    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        if len(found) > 1:
            made.append(_tasks(found, folder))
        for one in found:
            if not len(one.gaps):
                continue
            made.append(_task(one, folder))
            if one.slices:
                made.append(_breakdown(one, folder))
    return tuple(made)


def _task(one: Versus, folder: Path) -> Figure:
    """Write one task's figure."""
    budgets = [point for point in one.points if point.budget is not None]
    canvas = _canvas(7.4, 3.1)  # as wide as others, so that a page shows them at one scale
    if len(budgets) > 1:
        left, right = canvas.subplots(1, 2)
        _by_budget(left, one)
    else:
        right = canvas.subplots()
    _wins(right, one)
    title = f"{one.a} against {one.b}: {one.task}"
    canvas.suptitle(shortened(one.task, 60), **SUPTITLE)
    facts = "; ".join(
        f"{'' if p.budget is None else f'of {p.budget} candidates '}"
        f"{text.points(p.difference.value)} "
        f"{text.points_interval(p.difference.low, p.difference.high)}, "
        f"p {text.p_value(p.adjusted)} after Holm"
        for p in one.points
    )
    alt = f"{title}. Points by which the first is ahead, with 95 % intervals: {facts}."
    return write_canvas(canvas, folder, file_name("versus", one.task), title, alt)


def _by_budget(ax: Any, one: Versus) -> None:
    """Draw the difference with its interval at each budget."""
    _zero(ax.axhline)
    known = [p for p in one.points if p.budget and not math.isnan(p.difference.value)]
    ax.plot(
        [p.budget for p in known],
        [100 * p.difference.value for p in known],
        color=INK,
        lw=1,
        alpha=0.5,
        zorder=2,
    )
    for point in known:
        _marked(ax, point.budget, point.comparison, point.adjusted, upright=True)
    low, high = ax.get_ylim()
    reach = max(abs(low), abs(high))
    low, high = min(low, -0.25 * reach), max(high, 0.25 * reach)
    room = 0.12 * (high - low)  # for the two lines of text
    ax.set_ylim(low - room, high + room)
    scale(ax, N_AXIS)
    ax.set_ylabel("difference in accuracy (points)")
    ax.set_title("difference by budget", loc="left")
    ends = {"ha": "right", "fontsize": 7.5, "transform": ax.transAxes}
    ax.text(0.99, 0.98, f"▲ {shortened(one.a, _NAME)} ahead", va="top", color=_A, **ends)
    ax.text(0.99, 0.02, f"▼ {shortened(one.b, _NAME)} ahead", va="bottom", color=_B, **ends)


def _wins(ax: Any, one: Versus) -> None:
    """Draw every problem's difference, from the largest gain to the largest loss."""
    gaps = one.gaps
    places = np.arange(len(gaps)) + 0.5
    for colour, side in ((_A, gaps > 0), (_B, gaps < 0)):
        ax.fill_between(
            places, 0, np.where(side, 100 * gaps, 0.0), step="mid", color=colour, lw=0, alpha=0.85
        )
    _zero(ax.axhline)
    won, lost = int((gaps > 0).sum()), int((gaps < 0).sum())
    even = len(gaps) - won - lost
    whole = bool(np.isin(gaps, (-1, 0, 1)).all())
    short = [shortened(name, _NAME) for name in (one.a, one.b)]
    names = [f"only {name}" if whole else f"{name} better" for name in short]
    total = len(gaps)
    paper = {"facecolor": "white", "alpha": 0.85, "lw": 0, "pad": 1.2}
    style = {"fontsize": 7.5, "transform": ax.transAxes, "bbox": paper}
    ax.text(0.99, 0.97, f"{won} problems: {names[0]}", ha="right", va="top", color=_A, **style)
    ax.text(0.01, 0.03, f"{lost} problems: {names[1]}", ha="left", va="bottom", color=_B, **style)
    ax.text(0.99, 0.88, f"{even} equal", ha="right", va="top", color=GREY, **style)
    ax.set(xlim=(0, total), ylim=(-105, 105), yticks=(-100, -50, 0, 50, 100))
    ax.set_xlabel(f"{total} problems, sorted")
    ax.set_ylabel("difference on the problem (points)")
    last = one.last.budget
    where = "" if last is None else f", N = {last}"
    ax.set_title(f"wins and losses{where}", loc="left")
    ax.grid(axis="x", visible=False)


def _breakdown(one: Versus, folder: Path) -> Figure:
    """Write the forest of a task's subjects, levels and sources, the whole task above."""
    rows: list[tuple[str, Comparison | None, float]] = [
        ("all problems", one.last.comparison, one.last.adjusted)
    ]
    for key in dict.fromkeys(part.key for part in one.slices):
        rows.append((key, None, math.nan))
        rows += [(f"  {p.value}", p.comparison, p.adjusted) for p in one.slices if p.key == key]
    title = f"{one.a} against {one.b}, by {', '.join(dict.fromkeys(p.key for p in one.slices))}"
    last = one.last.budget
    where = one.task + ("" if last is None else f", N = {last}")
    return _forest(rows, one, f"{title}: {where}", where, folder, file_name("breakdown", one.task))


def _tasks(found: Sequence[Versus], folder: Path) -> Figure:
    """Write the forest of all tasks."""
    rows = [
        (
            one.task + ("" if one.last.budget is None else f", N = {one.last.budget}"),
            one.last.comparison,
            one.last.adjusted,
        )
        for one in found
    ]
    title = f"{found[0].a} against {found[0].b}, task by task"
    return _forest(rows, found[0], title, "task by task", folder, "tasks")


def _forest(
    rows: Sequence[tuple[str, Comparison | None, float]],
    one: Versus,
    title: str,
    heading: str,
    folder: Path,
    name: str,
) -> Figure:
    """Write differences with intervals, one below another; a row without one is a heading."""
    canvas = _canvas(6.2, 1.15 + 0.235 * len(rows))
    ax = canvas.subplots()
    _zero(ax.axvline)
    labels = []
    for place, (label, found, adjusted) in enumerate(rows):
        if found is None or math.isnan(found.difference.value):
            labels.append(shortened(label, 40))
            continue
        labels.append(f"{shortened(label, 40)}  ({found.difference.n})")
        _marked(ax, place, found, adjusted, upright=False)
    ax.set_yticks(range(len(rows)), labels)
    for tick, (_, found, _) in zip(ax.get_yticklabels(), rows, strict=True):
        if found is None:
            tick.set_fontweight("bold")
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("difference (points); in brackets: number of problems")
    low, high = ax.get_xlim()
    reach = max(abs(low), abs(high))
    ax.set_xlim(min(low, -0.35 * reach), max(high, 0.35 * reach))
    ax.set_title(f"◀ {shortened(one.b, _NAME)} ahead", loc="left", color=_B, fontsize=8)
    ax.set_title(f"{shortened(one.a, _NAME)} ahead ▶", loc="right", color=_A, fontsize=8)
    canvas.suptitle(shortened(heading, 60), **SUPTITLE)
    facts = "; ".join(
        f"{label.strip()} {text.points(found.difference.value)} "
        f"{text.points_interval(found.difference.low, found.difference.high)}"
        for label, found, _ in rows
        if found is not None
    )
    alt = f"{title}. Points by which {one.a} is ahead, with 95 % intervals: {facts}."
    return write_canvas(canvas, folder, name, title, alt)


def _marked(
    ax: Any, place: float | None, found: Comparison, adjusted: float, upright: bool
) -> None:
    """Draw one difference with its interval; filled if it is significant."""
    d = found.difference
    value, spread = 100 * d.value, None
    if not math.isnan(d.low):
        spread = [[100 * (d.value - d.low)], [100 * (d.high - d.value)]]
    sure = adjusted < SIGNIFICANT
    colour = (_A if d.value > 0 else _B) if sure else GREY
    x, y = ([place], [value]) if upright else ([value], [place])
    ax.errorbar(
        x,
        y,
        **{"yerr" if upright else "xerr": spread},
        color=colour,
        marker="o",
        markersize=5,
        markerfacecolor=colour if sure else "white",
        elinewidth=1.2,
        capsize=2.5 if upright else 0,
        ls="none",
        zorder=3,
    )


def _zero(line: Any) -> None:
    line(0, color=INK, lw=0.9, zorder=1.5)


def _canvas(width: float, height: float) -> Canvas:
    from matplotlib.figure import Figure as Canvas

    return Canvas(figsize=(width, height), dpi=DPI, layout="constrained")
