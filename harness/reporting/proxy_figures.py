"""Accuracy and the score of what is chosen, against the number of candidates: is a PRM exploited?

A panel per PRM: where the dashed line (the proxy) goes on rising and the other (the gold) does not,
more candidates only find what the PRM overrates.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.reporting import charts, text
from harness.reporting.figures import SUPTITLE, Figure, file_name, write_canvas
from harness.reporting.lines import CHOSEN_SCORE, Line, selection_lines
from harness.reporting.panels import grid_of
from harness.reporting.style import INK, RC, Look, style_of
from harness.types import ResultRow

_DASHES = (0, (4, 2))


def write_proxy_figures(rows: Sequence[ResultRow], folder: Path) -> tuple[Figure, ...]:
    """Write ``TASK-POLICY-proxy`` for every pool from which a PRM chose at several budgets."""
    proxies = [row for row in rows if row.metric == CHOSEN_SCORE]
    gold = [line for line in selection_lines(rows) if line.last.method == "best_of_n"]
    places = dict.fromkeys((line.last.task, line.last.policy) for line in gold)
    made = []
    import matplotlib as mpl

    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        for place in places:
            own = [line for line in gold if (line.last.task, line.last.policy) == place]
            beside = [row for row in proxies if (row.task, row.policy) == place]
            pairs = [
                (line, _line([row for row in beside if row.prm == line.last.prm])) for line in own
            ]
            drawn = [(line, proxy) for line, proxy in pairs if proxy and len(proxy.points) > 1]
            if drawn:
                made.append(_figure(drawn, rows, folder))
    return tuple(made)


def _line(rows: Sequence[ResultRow]) -> Line | None:
    points = sorted(rows, key=lambda row: row.budget or 0)
    return Line(tuple(points)) if points else None


def _figure(drawn: Sequence[tuple[Line, Line]], rows: Sequence[ResultRow], folder: Path) -> Figure:
    style = style_of(rows)
    last = drawn[0][0].last
    canvas, panels = grid_of(len(drawn), charts.N_AXIS.label, "percent", sharex=True)
    for panel, (gold, proxy) in zip(panels, drawn, strict=True):
        look = style.prm(gold.last.prm or "")
        charts.draw(panel, [gold], charts.N_AXIS, style, labelled=False)
        beside = panel if _probable(proxy) else panel.twinx()
        _proxy(beside, proxy, look, 100 if _probable(proxy) else 1)
        if beside is not panel:
            beside.grid(visible=False)
            beside.set_ylabel("score")
        name = charts.shortened(gold.last.prm or "", 28)
        panel.set_title(f"{name}, {gold.last.aggregation}", loc="left", fontsize=9)
    where = f"{last.task}, policy {last.policy}" if last.policy else last.task
    title = f"Best of N: accuracy, and the score of what is chosen: {where}"
    canvas.suptitle(charts.shortened(title, 90), **SUPTITLE)
    _legend(canvas)
    ends = "; ".join(
        f"{gold.last.prm}: accuracy {text.percent(gold.points[0].value)} to "
        f"{text.percent(gold.last.value)}, score {proxy.points[0].value:.3g} to "
        f"{proxy.last.value:.3g}"
        for gold, proxy in drawn
    )
    alt = f"{title}. From the smallest to the largest budget: {ends}."
    name = file_name(last.task, last.policy, "proxy")
    return write_canvas(canvas, folder, name, title, alt)


def _probable(proxy: Line) -> bool:
    """Whether the scores can stand on the axis of accuracies."""
    return all(0 <= row.value <= 1 for row in proxy.points)


def _proxy(ax: Any, proxy: Line, look: Look, scale: float) -> None:
    known = [row for row in proxy.points if row.budget]
    xs = [row.budget for row in known]
    ends = [
        [scale * (end or 0.0) for end in pair]
        for pair in ([row.ci_low for row in known], [row.ci_high for row in known])
    ]
    ax.fill_between(xs, *ends, color=look.colour, alpha=0.10, lw=0)
    ys = [scale * row.value for row in known]
    ax.plot(xs, ys, color=look.colour, ls=_DASHES, lw=1.6, zorder=3)


def _legend(canvas: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[tuple[Any, str]] = [
        (Line2D([], [], color=INK, lw=1.8, marker="o", ms=5), "accuracy"),
        (Line2D([], [], color=INK, lw=1.6, ls=_DASHES), "score of the choice"),
        (Patch(color=INK, alpha=0.15, lw=0), "95 % interval"),
    ]
    handles, labels = zip(*entries, strict=True)
    canvas.legend(handles, labels, loc="outside right center", handlelength=2.4, labelspacing=0.5)
