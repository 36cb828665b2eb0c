"""What the report says of a PRM's size and of what it was trained on: two tables, two figures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.analysis.scaling import FEWEST, Fit, Series
from harness.analysis.transfer import Transfer
from harness.reporting import text
from harness.reporting.cells import distinct
from harness.reporting.charts import shortened
from harness.reporting.figures import DPI, SUPTITLE, Figure, file_name, write_canvas
from harness.reporting.style import COLOURS, GREY, INK, RC
from harness.reporting.table import Cell, Column, Table
from harness.types import Estimate

_NO_CELLS = (Cell(text.UNKNOWN),) * 3


@dataclass(frozen=True)
class Scaling:
    """One series of PRMs on one task."""

    task: str
    policy: str
    trained: str
    """What its PRMs were trained on."""
    budget: int
    series: Series


def scaling_table(found: Sequence[Scaling]) -> Table | None:
    """Return one row per PRM, by rising size, each against the largest; None without a series."""
    if not found:
        return None
    columns = (
        Column("task", fold="group"),
        Column("policy", fold="group"),
        Column("trained on", fold="group"),
        Column("PRM"),
        Column("parameters", "right"),
        Column("PRM FLOPs", "right", rank=2),
        Column("best of N %", "right"),
        Column("95\u00a0% interval", "right", rank=1),
        Column("against the largest", "right"),
        Column("interval of that", "right", rank=1),
        Column("p, Holm", "right"),
        Column("verdict"),
    )
    rows = tuple(row for one in found for row in _scaling_rows(one))
    notes = ["Enough: the smallest PRM that is not significantly worse than the largest."]
    notes += [_scaling_note(one) for one in found]
    return Table("scaling", "Accuracy against the size of the PRM", columns, rows, tuple(notes))


def transfer_table(cells: Sequence[Transfer]) -> Table | None:
    """Return one row per training and evaluation domain; None without two domains."""
    if not cells:
        return None
    columns = (
        Column("trained on"),
        Column("evaluated on"),
        Column("PRM", rank=2),
        Column("best of N %", "right"),
        Column("over majority", "right"),
        Column("95\u00a0% interval", "right"),
        Column("p, Holm", "right", rank=1),
        Column("against own domain", "right"),
        Column("interval of that", "right", rank=1),
        Column("its p", "right"),
    )
    rows = tuple(
        (
            Cell(" + ".join(cell.trained), " + ".join(cell.trained)),
            Cell(cell.domain, cell.domain),
            Cell(", ".join(cell.prms), ", ".join(cell.prms)),
            Cell(text.percent(cell.accuracy), cell.accuracy),
            *_difference_cells(cell.gain.estimate, cell.gain.adjusted),
            *(_difference_cells(cell.gap.estimate, cell.gap.adjusted) if cell.gap else _NO_CELLS),
        )
        for cell in cells
    )
    tasks = "; ".join(
        f"{domain}: {', '.join(next(c.tasks for c in cells if c.domain == domain))}"
        for domain in distinct(cell.domain for cell in cells)
    )
    note = (
        "Points at the largest budget, paired over problems, mean over tasks. Over majority: minus "
        "the majority vote. Against own domain: minus the PRMs trained on the evaluation domain "
        "alone. Of each training the largest PRM; several as large are averaged per problem. Holm "
        "over the whole table. "
        f"{tasks}."
    )
    return Table("transfer", "Training domain against evaluation domain", columns, rows, (note,))


def write_scaling_figures(
    found: Sequence[Scaling], cells: Sequence[Transfer], folder: Path
) -> tuple[Figure, ...]:
    """Write a figure per series and the matrix of domains."""
    import matplotlib as mpl

    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        made = [_series(one, folder) for one in found]
        if cells:
            made.append(_matrix(cells, folder))
    return tuple(made)


# --- size ----------------------------------------------------------------------------------------


def _scaling_rows(one: Scaling) -> list[tuple[Cell, ...]]:
    series = one.series
    rows: list[tuple[Cell, ...]] = []
    for place, point in enumerate(series.points):
        found, contrast = series.accuracy[place], series.contrasts[place]
        verdict = "the largest"
        if contrast is not None:
            worse = contrast.adjusted < 0.05 and contrast.difference.value < 0
            better = contrast.adjusted < 0.05 and contrast.difference.value > 0
            verdict = "worse" if worse else "better" if better else "not separable"
        if place == series.enough:
            verdict += ", enough"
        rows.append(
            (
                Cell(one.task, one.task),
                Cell(one.policy, one.policy),
                Cell(one.trained, one.trained),
                Cell(point.prm, point.prm),
                Cell(_parameters(point.size), point.size),
                Cell(text.power(point.flops), point.flops),
                Cell(text.percent(found.value), found.value),
                Cell(text.interval(found.low, found.high), found.low),
                *(
                    _difference_cells(contrast.difference, contrast.adjusted)
                    if contrast
                    else _NO_CELLS
                ),
                Cell(verdict),
            )
        )
    return rows


def _scaling_note(one: Scaling) -> str:
    series = one.series
    where = f"{one.task}, trained on {one.trained}"
    power = f"{series.power.n} problems see differences above {100 * series.power.smallest:.1f}"
    fit = series.by_size
    if fit is None:
        sizes = len({point.size for point in series.points})
        return (
            f"{where}: {sizes} sizes; a saturating curve has three parameters and is fitted from "
            f"{FEWEST} sizes on. {power} points."
        )
    return (
        f"{where}: accuracy = {fit.a:.3f} - {fit.b:.3g} x^-{fit.c:.2f}, x the parameters; limit "
        f"{text.percent(fit.a)} % {text.interval(fit.a_low, fit.a_high)}. {power} points."
    )


def _series(one: Scaling, folder: Path) -> Figure:
    """Write accuracy against parameters and, where they are known, against the PRM's FLOPs."""
    from matplotlib.figure import Figure as Canvas

    points = one.series.points
    flops = [point.flops for point in points]
    known = [value for value in flops if value is not None]
    axes: list[tuple[str, list[float], Fit | None]] = [
        ("parameters of the PRM", [point.size for point in points], one.series.by_size)
    ]
    if len(known) == len(flops):
        axes.append(("FLOPs of the PRM per problem", known, one.series.by_flops))
    canvas = Canvas(figsize=(0.9 + 3.5 * len(axes), 3.4), dpi=DPI, layout="constrained")
    panels = canvas.subplots(1, len(axes), squeeze=False, sharey=True)[0]
    for panel, (name, xs, fit) in zip(panels, axes, strict=True):
        shown = _parameters if xs is axes[0][1] else _short_power
        _curve(panel, one.series, xs, fit, shown)
        panel.set_xlabel(name)
    panels[0].set_ylabel(f"accuracy of best of {one.budget} (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower left", handlelength=0.8, fontsize=7.5)
    enough = points[one.series.enough]
    title = f"Accuracy against the size of the PRM: {one.task}, trained on {one.trained}"
    canvas.suptitle(shortened(f"{one.task}: PRMs trained on {one.trained}", 60), **SUPTITLE)
    facts = "; ".join(
        f"{point.prm} ({_parameters(point.size)}) {text.percent(found.value)} "
        f"{text.interval(found.low, found.high)}"
        for point, found in zip(points, one.series.accuracy, strict=True)
    )
    alt = (
        f"{title}. Percent with 95 % intervals: {facts}. The smallest that is not significantly "
        f"worse than the largest: {enough.prm}."
    )
    name = file_name("scaling", one.task, one.policy, one.trained)
    return write_canvas(canvas, folder, name, title, alt)


def _curve(
    ax: Any, series: Series, xs: Sequence[float], fit: Fit | None, shown: Callable[[float], str]
) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    ax.set_xscale("log")
    if fit is not None:
        ax.fill_between(fit.x, 100 * fit.low, 100 * fit.high, color=COLOURS[0], alpha=0.15, lw=0)
        ax.plot(fit.x, 100 * fit.y, color=COLOURS[0], lw=1.4)
        ax.axhline(100 * fit.a, color=GREY, lw=1, ls=(0, (4, 3)))
        limit = f"limit {text.percent(fit.a)} {text.interval(fit.a_low, fit.a_high)}"
        places = ax.get_yaxis_transform()
        ax.text(0.01, 100 * fit.a, limit, transform=places, va="bottom", fontsize=7.5, color=GREY)
    for place, (x, found) in enumerate(zip(xs, series.accuracy, strict=True)):
        chosen = place == series.enough
        ax.errorbar(
            [x],
            [100 * found.value],
            yerr=[[100 * (found.value - found.low)], [100 * (found.high - found.value)]],
            color=COLOURS[1] if chosen else INK,
            marker="D" if chosen else "o",
            markersize=5,
            elinewidth=1,
            capsize=2,
            ls="none",
            zorder=3,
            label="enough: not significantly worse than the largest" if chosen else None,
        )
        # Names stand inside the panel, and off a curve that rises.
        left = x * x > max(xs) * min(xs)
        ax.annotate(
            shortened(series.points[place].prm, 24),
            (x, 100 * found.value),
            (-6, 6) if left else (6, -11),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=7.5,
            color=COLOURS[1] if chosen else INK,
        )
    ax.margins(x=0.12)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: shown(x)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks(sorted({*xs}))
    ax.minorticks_off()


def _parameters(number: float) -> str:
    """Return a number of parameters as the field writes it: ``0.3M``, ``7B``."""
    size, unit = (1e9, "B") if number >= 1e9 else (1e6, "M")
    return f"{number / size:.3g}{unit}"


def _short_power(number: float) -> str:
    """Return a tick with its power of ten: ``4e10``."""
    return f"{number:.2g}".replace("e+", "e")


# --- domains -------------------------------------------------------------------------------------


def _matrix(cells: Sequence[Transfer], folder: Path) -> Figure:
    """Write training domain (down) by evaluation domain (across): gain over the majority vote."""
    from matplotlib.figure import Figure as Canvas
    from matplotlib.patches import Rectangle

    rows = list(dict.fromkeys(cell.trained for cell in cells))
    columns = list(dict.fromkeys(cell.domain for cell in cells))
    size = (2.3 + 2.1 * len(columns), 1.35 + 0.72 * len(rows))
    canvas = Canvas(figsize=size, dpi=DPI, layout="constrained")
    ax = canvas.subplots()
    reach = max((abs(cell.gain.estimate.value) for cell in cells), default=0.0) or 1.0
    for cell in cells:
        x, y = columns.index(cell.domain), rows.index(cell.trained)
        d = cell.gain.estimate
        colour = COLOURS[0] if d.value > 0 else COLOURS[1]
        share = 0.05 + 0.45 * abs(d.value) / reach if cell.gain.significant else 0.0
        box = Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, lw=0.8, ec="#B0B0B0", fc="white")
        tint = Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, lw=0, fc=colour, alpha=share)
        ax.add_patch(box)
        ax.add_patch(tint)
        ax.text(x, y - 0.12, text.points(d.value), ha="center", va="center", fontsize=11)
        ax.text(
            x, y + 0.24, text.points_interval(d.low, d.high), ha="center", va="center", fontsize=7.5
        )
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), [" + ".join(kind) for kind in rows])
    ax.set(xlim=(-0.55, len(columns) - 0.45), ylim=(len(rows) - 0.5, -0.5))
    ax.set_xlabel("evaluated on")
    ax.set_ylabel("trained on")
    ax.grid(visible=False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    title = "Best of N over the majority vote, by training and evaluation domain"
    canvas.suptitle("Points over the majority vote\n(tinted: significant after Holm)", **SUPTITLE)
    facts = "; ".join(
        f"trained on {' + '.join(cell.trained)}, evaluated on {cell.domain}: "
        f"{text.points(cell.gain.estimate.value)} "
        f"{text.points_interval(cell.gain.estimate.low, cell.gain.estimate.high)}"
        for cell in cells
    )
    return write_canvas(canvas, folder, "transfer", title, f"{title}, in points: {facts}.")


def _difference_cells(d: Estimate, adjusted: float) -> tuple[Cell, Cell, Cell]:
    """Return difference, interval and p."""
    return (
        Cell(text.points(d.value), d.value),
        Cell(text.points_interval(d.low, d.high), d.low),
        Cell(text.p_value(adjusted), adjusted),
    )
