"""Figures of step scores: F1 at every threshold, reliability, and AUROC by place in the solution.

A panel per PRM, since scores of two PRMs have no common scale; AUROC has one, and all PRMs share a
panel per task.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.reporting import charts, text
from harness.reporting.cells import distinct
from harness.reporting.figures import SUPTITLE, Figure, file_name, write_canvas
from harness.reporting.first_error import short_name
from harness.reporting.panels import PERCENT, grid_of
from harness.reporting.quality import STEP_SCORES, place_metric
from harness.reporting.step_curves import StepCurves
from harness.reporting.style import GREY, INK, RC, Style, style_of
from harness.stats import Reliability, ThresholdCurve
from harness.stats.quality import PLACES, THIRDS
from harness.types import ResultRow

_MARKS = {"first_error": "o", "first_error_tuned": "s", "first_error_oracle": "D"}
_RULES = {
    "first_error": "declared threshold",
    "first_error_tuned": "tuned threshold",
    "first_error_oracle": "best threshold of a task",
}
_FEW = 10
"""Steps in a bin that a line is drawn through."""
_DASHES: tuple[Any, ...] = ((0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), (0, (6, 2, 1, 2)))


def write_step_figures(
    rows: Sequence[ResultRow], curves: Sequence[StepCurves], folder: Path
) -> tuple[Figure, ...]:
    """Write ``thresholds``, ``step_auroc`` and one ``…-reliability`` per task, where there is
    something to draw."""
    import matplotlib as mpl

    if not curves:
        return ()
    style = style_of(rows)
    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        return tuple(
            figure
            for figure in (
                _thresholds(curves, style, folder),
                *_reliabilities(curves, style, folder),
                _by_place(rows, style, folder),
            )
            if figure is not None
        )


# --- F1 at every threshold -----------------------------------------------------------------------


def _thresholds(curves: Sequence[StepCurves], style: Style, folder: Path) -> Figure | None:
    """F1 against the threshold: thin lines for tasks, a thick one for their mean."""
    from matplotlib.ticker import MaxNLocator

    drawn = [one for one in curves if one.thresholds is not None]
    if not drawn:
        return None
    prms = [name for name in style.prms if any(one.prm == name for one in drawn)]
    groups = distinct(one.task for one in drawn if len(one.members) > 1)
    tasks = distinct(one.task for one in drawn if len(one.members) == 1)
    canvas, panels = grid_of(len(prms), "threshold", "percent")
    for panel, prm in zip(panels, prms, strict=True):
        own = [one for one in drawn if one.prm == prm]
        main = [one for one in own if len(one.members) > 1] or own
        for one in own:
            colour = style.prm(prm).colour
            if one in main:
                _staircase(panel, one, "acc_error", GREY, (0, (4, 2)), 1.0)
                _staircase(panel, one, "acc_correct", GREY, (0, (1, 1)), 1.2)
                _staircase(panel, one, "f1", colour, "-", 2.0)
            else:
                dashes = _DASHES[tasks.index(one.task) % len(_DASHES)]
                _staircase(panel, one, "f1", colour, dashes, 0.9)
            _mark(panel, one, colour, one in main)
        panel.set(ylim=(0, 102), xlim=_range(own), yticks=PERCENT)
        panel.xaxis.set_major_locator(MaxNLocator(5))
        panel.set_title(charts.shortened(prm), loc="left")
    title = "F1 of the first wrong step against the threshold"
    where = f"{title}: {groups[0]}" if len(groups) == 1 else title
    canvas.suptitle(charts.shortened(where, 70), **SUPTITLE)
    _threshold_legend(canvas, tasks, groups, {rule for one in drawn for rule in one.marks})
    return write_canvas(canvas, folder, "thresholds", where, f"{where}. {_threshold_alt(drawn)}.")


def _staircase(ax: Any, one: StepCurves, name: str, colour: str, dashes: Any, width: float) -> None:
    curve = one.thresholds
    assert curve is not None
    low, high = _ends(curve)
    levels = np.concatenate([[low], curve.levels[:-1], [high]])
    values = 100 * getattr(curve, name)[[0, *range(len(curve.levels))]]
    ax.plot(levels, values, color=colour, ls=dashes, lw=width, drawstyle="steps-pre")


def _ends(curve: ThresholdCurve) -> tuple[float, float]:
    """Return a little below the lowest and above the highest score."""
    low, high = float(curve.levels[0]), float(curve.levels[-2])
    room = 0.03 * (high - low) or 0.01
    return low - room, high + room


def _range(curves: Sequence[StepCurves]) -> tuple[float, float]:
    """Return the thresholds that a panel shows: where anything happens, and every mark."""
    ends = [_ends(one.thresholds) for one in curves if one.thresholds is not None]
    marks = [mark for one in curves for mark in one.marks.values()]
    low, high = min(a for a, _ in ends), max(b for _, b in ends)
    room = 0.03 * (high - low)
    return min([low, *(m - room for m in marks)]), max([high, *(m + room for m in marks)])


def _mark(ax: Any, one: StepCurves, colour: str, main: bool) -> None:
    """Put the rules' thresholds on a curve: all on the main one, a task's own best on its line."""
    curve = one.thresholds
    assert curve is not None
    for rule, threshold in one.marks.items():
        if not main and rule != "first_error_oracle":
            continue
        ax.plot(
            [threshold],
            [100 * curve.at(threshold)],
            marker=_MARKS[rule],
            ms=5.5 if main else 4,
            color=INK if main else colour,
            mec="white",
            mew=0.6,
            zorder=4,
        )


def _threshold_legend(
    canvas: Any, tasks: Sequence[str], groups: Sequence[str], rules: set[str]
) -> None:
    from matplotlib.lines import Line2D

    of_mean = ", mean" if groups else ""
    if groups:
        entries = [(Line2D([], [], color=INK, lw=2), "F1, mean of tasks")]
        for number, task in enumerate(tasks):
            dashes = _DASHES[number % len(_DASHES)]
            name = charts.shortened(short_name(task, groups), 24)
            entries.append((Line2D([], [], color=INK, lw=0.9, ls=dashes), f"F1, {name}"))
    else:
        entries = [(Line2D([], [], color=INK, lw=2), "F1")]
    entries += [
        (Line2D([], [], color=GREY, lw=1, ls=(0, (4, 2))), f"error found{of_mean}"),
        (Line2D([], [], color=GREY, lw=1.2, ls=(0, (1, 1))), f"correct kept{of_mean}"),
    ]
    entries += [
        (Line2D([], [], color=INK, marker=_MARKS[rule], ms=5, ls="none"), name)
        for rule, name in _RULES.items()
        if rule in rules
    ]
    handles, labels = zip(*entries, strict=True)
    canvas.legend(handles, labels, loc="outside right center", handlelength=2.4, labelspacing=0.5)


def _threshold_alt(drawn: Sequence[StepCurves]) -> str:
    parts = []
    for one in drawn:
        if one.thresholds is not None:
            best, low, high = one.thresholds.plateau()
            parts.append(
                f"{one.task}, {one.prm}: best {text.percent(best)}, within 2 points from "
                f"{low:.4g} to {high:.4g}"
            )
    return "; ".join(parts)


# --- reliability ---------------------------------------------------------------------------------


def _reliabilities(curves: Sequence[StepCurves], style: Style, folder: Path) -> Iterator[Figure]:
    """A figure per task: share of right steps against the score, with the counts at the foot."""
    for task in distinct(one.task for one in curves):
        found = {one.prm: one.reliability for one in curves if one.task == task and one.reliability}
        prms = [name for name in style.prms if name in found]
        if not prms:
            continue
        canvas, panels = grid_of(len(prms), "score of a step (%)", "right steps (%)", sharex=True)
        for panel, prm in zip(panels, prms, strict=True):
            _diagram(panel, found[prm], style.prm(prm).colour)
            steps = sum(one.right.n for one in found[prm].overall)
            name = charts.shortened(prm, 28)
            panel.set_title(f"{name}, {steps:,} steps", loc="left", fontsize=8.5)
        title = f"Reliability of step scores: {task}"
        canvas.suptitle(charts.shortened(title, 70), **SUPTITLE)
        _reliability_legend(canvas)
        facts = "; ".join(f"{prm}: {_bins_alt(found[prm])}" for prm in prms)
        alt = f"{title}. Mean score and share of right steps, bin by bin, in percent: {facts}."
        yield write_canvas(canvas, folder, file_name(task, "reliability"), title, alt)


def _diagram(ax: Any, found: Reliability, colour: str) -> None:
    ax.plot([0, 100], [0, 100], color="#B4B4B4", lw=1, zorder=1)
    counts = np.array([one.right.n for one in found.overall], float)
    places = [min(int(10 * one.score), 9) * 10 + 5 for one in found.overall]
    ax.bar(places, 22 * counts / counts.max(), 8.6, color="#E3E3E3", zorder=0.5)
    for third, dashes in zip(found.thirds, _DASHES, strict=False):
        known = [one for one in third if one.right.n >= _FEW]
        xs, ys = [100 * one.score for one in known], [100 * one.right.value for one in known]
        ax.plot(xs, ys, color=GREY, lw=1, ls=dashes, zorder=2)
    for many in (True, False):
        shown = [one for one in found.overall if (one.right.n >= _FEW) is many]
        xs = [100 * one.score for one in shown]
        ys = [100 * one.right.value for one in shown]
        lows, highs = ([100 * getattr(one.right, end) for one in shown] for end in ("low", "high"))
        ax.vlines(xs, lows, highs, color=colour, lw=1, alpha=1 if many else 0.4, zorder=3)
        ax.plot(xs, ys, color=colour, lw=1.8, ls="-" if many else "none", zorder=3)
        fill = colour if many else "white"
        ax.plot(xs, ys, "o", color=fill, ms=4.5, mec="white" if many else colour, mew=0.6, zorder=4)
    ax.set(xlim=(0, 100), ylim=(0, 102), xticks=PERCENT, yticks=PERCENT)


def _reliability_legend(canvas: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    entries: list[tuple[Any, str]] = [
        (Line2D([], [], color=INK, lw=1.8, marker="o", ms=4.5), "all steps, 95 % interval"),
        (Line2D([], [], color=INK, ls="none", marker="o", mfc="white", ms=4.5), "under 10 steps"),
    ]
    for third, dashes in zip(THIRDS, _DASHES, strict=False):
        entries.append((Line2D([], [], color=GREY, lw=1, ls=dashes), f"{third} third"))
    entries.append((Line2D([], [], color="#B4B4B4", lw=1), "calibrated"))
    entries.append((Patch(color="#E3E3E3"), "steps per bin"))
    handles, labels = zip(*entries, strict=True)
    canvas.legend(handles, labels, loc="outside right center", handlelength=2.4, labelspacing=0.5)


def _bins_alt(found: Reliability) -> str:
    return ", ".join(
        f"{100 * one.score:.0f} → {text.percent(one.right.value)} ({one.right.n} steps)"
        for one in found.overall
    )


# --- AUROC by place ------------------------------------------------------------------------------


def _by_place(rows: Sequence[ResultRow], style: Style, folder: Path) -> Figure | None:
    """AUROC among steps at the same place: a panel per task, a line per PRM."""
    names = {place_metric(*place): number for number, place in enumerate(PLACES)}
    found = [row for row in rows if row.method == STEP_SCORES and row.metric in names]
    if not found:
        return None
    tasks = distinct(row.task for row in found)
    prms = [name for name in style.prms if any(row.prm == name for row in found)]
    x = "number of the step in its solution"
    canvas, panels = grid_of(len(tasks), x, "AUROC (%)")
    for panel, task in zip(panels, tasks, strict=True):
        used: set[int] = set()
        for number, prm in enumerate(prms):
            own = {names[r.metric]: r for r in found if (r.task, r.prm) == (task, prm)}
            shift = 0.5 * ((number + 0.5) / len(prms) - 0.5)
            places = sorted(own)
            used |= set(places)
            look = style.prm(prm)
            ys = np.array([own[place].value for place in places])
            lows = [100 * (own[place].ci_low or 0.0) for place in places]
            highs = [100 * (own[place].ci_high or 0.0) for place in places]
            xs = [place + shift for place in places]
            panel.plot(xs, 100 * ys, color=look.colour, ls=look.dashes, lw=1.4)
            panel.plot(xs, 100 * ys, "o", color=look.colour, ms=4.5, mec="white", mew=0.5)
            panel.vlines(xs, lows, highs, color=look.colour, lw=1)
        panel.axhline(50, color="#B4B4B4", lw=1, zorder=1)
        ticks = range(min(used), max(used) + 1)
        panel.set_xticks(ticks, [_place_name(*PLACES[place]) for place in ticks])
        panel.grid(axis="x", visible=False)
        panel.set_title(charts.shortened(task), loc="left")
    panels[0].set_ylim(min(45, panels[0].get_ylim()[0]), 101)
    title = "AUROC among steps at the same place"
    canvas.suptitle(f"{title} (chance: 50, lines: 95 % intervals)", **SUPTITLE)
    charts.bar_legend(canvas, prms, style)
    facts = "; ".join(
        f"{r.task}, {r.prm}, step {_place_name(*PLACES[names[r.metric]])}: {text.percent(r.value)}"
        for r in found
    )
    return write_canvas(canvas, folder, "step_auroc", title, f"{title}, in percent. {facts}.")


def _place_name(first: int, last: int | None) -> str:
    return f"{first}" if first == last else f"{first}+" if last is None else f"{first}–{last}"
