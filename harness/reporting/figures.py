"""The figures of a report: accuracy against what it cost, and F1 of the first wrong step.

Every figure is written as PNG (150 dots per inch) and SVG; the same rows give the same bytes under
the same matplotlib. A figure whose horizontal axis is unknown for all rows is not made: it is
returned as `Missing`, with the reason, so that the page can say so.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.files import write_bytes
from harness.reporting import charts, text
from harness.reporting.cells import distinct
from harness.reporting.charts import AXES, N_AXIS, TOTAL_AXIS, Axis
from harness.reporting.first_error import FIRST_ERROR, group_names, measured_tasks, short_name
from harness.reporting.lines import Line, selection_lines
from harness.reporting.style import RC, Style, label, style_of
from harness.types import ResultRow

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

DPI = 150
_ACROSS = 3
"""Panels side by side."""
SUPTITLE: dict[str, Any] = {"x": 0.01, "ha": "left", "fontsize": 10.5, "fontweight": "bold"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that was written."""

    name: str
    """File name without suffix."""
    title: str
    alt: str
    """What it shows, in words and figures, for readers who cannot see it."""
    png: Path
    svg: Path


@dataclass(frozen=True, slots=True)
class Missing:
    """A figure that could not be made."""

    title: str
    reason: str


def write_figures(
    rows: Sequence[ResultRow], folder: Path, searched: Collection[str] = ()
) -> tuple[tuple[Figure, ...], tuple[Missing, ...]]:
    """Write all figures that the rows have content for into `folder`.

    One per (task, policy) and axis: accuracy against candidates, policy tokens, all tokens, FLOPs
    and measured seconds; one bar chart of F1 for tasks of kind ``steps``; and ``overview``, the
    first task's accuracy against candidates beside that against all tokens. Methods in `searched`
    are left out: `harness.reporting.frontier_figures` compares them at equal cost.

    Returns:
        The figures written, and those that could not be made.
    """
    import matplotlib as mpl

    style = style_of(rows)
    lines = [line for line in selection_lines(rows) if line.last.method not in searched]
    made: list[Figure] = []
    missing: list[Missing] = []
    with mpl.rc_context(RC), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the tables have it in full.
        warnings.filterwarnings("ignore", "Glyph .* missing")
        groups = list(dict.fromkeys((line.last.task, line.last.policy) for line in lines))
        for task, policy in groups:
            own = [line for line in lines if (line.last.task, line.last.policy) == (task, policy)]
            where = f"{task}, policy {policy}" if policy else task
            for axis in AXES:
                title = f"Accuracy against {axis.title}: {where}"
                if any(charts.drawable(line, axis) for line in own):
                    name = file_name(task, policy, axis.name)
                    canvas = _curves(own, (axis,), style, where)
                    made.append(write_canvas(canvas, folder, name, title, _alt(own, axis, title)))
                else:
                    missing.append(Missing(title, f"{axis.title} are unknown for this run."))
        if any(row.metric == FIRST_ERROR for row in rows):
            made.append(_first_error(rows, style, folder))
        if groups:
            made.append(_overview(lines, groups[0], style, folder))
    return tuple(made), tuple(missing)


def _curves(lines: Sequence[Line], axes: Sequence[Axis], style: Style, where: str) -> Canvas:
    """Return a figure with a row of panels per axis, a panel per method that uses a PRM.

    Methods without a PRM stand in every panel, for comparison. More than three panels take
    further rows.
    """
    from matplotlib.figure import Figure as Canvas

    methods = charts.methods_with_prm(lines) or (None,)
    across = min(len(methods), _ACROSS)
    rows = [
        (axis, methods[i : i + across]) for axis in axes for i in range(0, len(methods), across)
    ]
    size = (
        1.9 + 3.1 * across + (0.8 if across == 1 else 0),
        0.45 + (2.9 if len(rows) == 1 else 2.55) * len(rows),
    )
    canvas = Canvas(figsize=size, dpi=DPI, layout="constrained")
    grid = canvas.subplots(len(rows), across, squeeze=False, sharey=True, sharex="row")
    for panels, (axis, shown) in zip(grid, rows, strict=True):
        for panel, method in zip(panels, shown, strict=False):
            own = [line for line in lines if line.last.prm is None or line.last.method == method]
            charts.draw(panel, own, axis, style)
            if method is not None and (axis is axes[0] or len(methods) > across):
                panel.set_title(charts.shortened(label(method)), loc="left")
        for panel in panels[len(shown) :]:
            panel.set_visible(False)
        panels[0].set_ylabel("accuracy (%)")
    canvas.suptitle(f"{charts.shortened(where, 70)} ({_problems(lines)})", **SUPTITLE)
    charts.legend(canvas, lines, style)
    return canvas


def _overview(
    lines: Sequence[Line], group: tuple[str, str | None], style: Style, folder: Path
) -> Figure:
    """Write the picture for a README: one task against candidates and against all tokens."""
    own = [line for line in lines if (line.last.task, line.last.policy) == group]
    axes = [a for a in (N_AXIS, TOTAL_AXIS) if any(charts.drawable(line, a) for line in own)]
    where = f"{group[0]}, policy {group[1]}" if group[1] else group[0]
    canvas = _curves(own, axes or (N_AXIS,), style, where)
    title = f"Overview: {where}"
    return write_canvas(canvas, folder, "overview", title, _alt(own, N_AXIS, title))


def _first_error(rows: Sequence[ResultRow], style: Style, folder: Path) -> Figure:
    """Write F1 per task as bars with intervals: a panel per method, a colour per PRM."""
    from matplotlib.figure import Figure as Canvas

    found = [row for row in rows if row.metric == FIRST_ERROR]
    methods, tasks = distinct(row.method for row in found), measured_tasks(found)
    prms = [name for name in style.prms if any(row.prm == name for row in found)]
    groups = group_names(rows)
    width = 1.9 + max(2.4, 0.2 * len(tasks) * (len(prms) + 1.5)) * len(methods)
    canvas = Canvas(figsize=(min(width, 14), 3.1), dpi=DPI, layout="constrained")
    names = [charts.shortened(short_name(task, groups), 24) for task in tasks]
    panels = canvas.subplots(1, len(methods), squeeze=False, sharey=True)[0]
    for panel, method in zip(panels, methods, strict=True):
        mine = [row for row in found if row.method == method]
        charts.draw_bars(panel, mine, tasks, prms, style)
        panel.set_xticks(range(len(tasks)), names)
        panel.set_title(charts.shortened(label(method)), loc="left")
    panels[0].set(ylabel="F1 (%)", ylim=(0, 100))
    title = "F1 of the first wrong step"
    where = f"{title}: {groups[0]}" if len(groups) == 1 else title
    canvas.suptitle(charts.shortened(where, 70), **SUPTITLE)
    charts.bar_legend(canvas, prms, style)
    facts = "; ".join(
        f"{row.task}, {row.method}, {row.prm}: {text.percent(row.value)}" for row in found
    )
    return write_canvas(canvas, folder, "first_error", where, f"{where}, in percent. {facts}.")


def _problems(lines: Sequence[Line]) -> str:
    """Return how many problems the lines average; a range where PRMs cover different ones."""
    rows = [line.last for line in lines]
    low, high = min(row.n_problems for row in rows), max(row.n_problems for row in rows)
    total = max(row.n_total for row in rows)
    used = text.part(high, total)
    return f"{low} to {used} problems" if low < high else f"{used} problems"


def _alt(lines: Sequence[Line], axis: Axis, title: str) -> str:
    ends = "; ".join(
        f"{label(line.last.method)}{' with ' + line.last.prm if line.last.prm else ''} "
        f"{text.percent(line.last.value)} {text.interval(line.last.ci_low, line.last.ci_high)}"
        for line in lines
        if charts.drawable(line, axis)
    )
    return f"{title}. Percent at the largest budget, with 95 % intervals: {ends}."


def write_canvas(canvas: Canvas, folder: Path, name: str, title: str, alt: str) -> Figure:
    """Write one figure as PNG and SVG."""
    # Laying out takes half of the time; once is enough for both files.
    if (engine := canvas.get_layout_engine()) is not None:
        engine.execute(canvas)
    canvas.set_layout_engine(None)
    png, svg = io.BytesIO(), io.BytesIO()
    # Date and program version in the file would change its bytes without changing the picture.
    canvas.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    canvas.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    paths = folder / f"{name}.png", folder / f"{name}.svg"
    write_bytes(paths[0], png.getvalue())
    write_bytes(paths[1], svg.getvalue())
    return Figure(name, title, alt, *paths)


def file_name(*parts: str | None) -> str:
    """Return a name that is a plain file name whatever the parts hold."""
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", part).strip("._") for part in parts if part)
