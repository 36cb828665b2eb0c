"""What a comparison writes: sentences, tables, figures and one self-contained page.

::

    <folder>/index.html           everything, self-contained
    <folder>/versus.csv           every number: a line per task and budget, then the breakdowns
    <folder>/tables/*.md *.tex    <folder>/figures/*.png *.svg
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.analysis.versus import Versus
from harness.files import write_bytes
from harness.reporting.figures import Figure
from harness.reporting.page import NAME, About, picture, rendered
from harness.reporting.render import write_tables
from harness.reporting.table import Table
from harness.reporting.versus import power_line, sentence, slice_table, versus_table
from harness.reporting.versus_figures import write_versus_figures
from harness.types import Comparison

COLUMNS = (
    "task", "metric", "a", "b", "budget", "key", "value", "a_value", "b_value", "difference",
    "ci_low", "ci_high", "ci_method", "p", "p_holm", "test", "mid_p", "bootstrap_low",
    "bootstrap_high", "only_a", "only_b", "n_problems",
)  # fmt: skip
"""Columns of versus.csv. Values and differences are shares; `key` and `value` name a part of the
problems (subject, level …) and are empty for all of them; unknown is empty."""


@dataclass(frozen=True)
class VersusReport:
    """What was written."""

    page: Path
    sentences: tuple[str, ...]
    power: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]


def write_versus(
    found: Sequence[Versus], about: About, folder: Path, wanted: float | None = None
) -> VersusReport:
    """Write a comparison of at least one task into `folder`; the page comes last.

    Args:
        found: the comparison, task by task.
        about: title, command and what both sides share.
        folder: made if it is not there.
        wanted: a difference, as a share, to say how many problems it needs.

    Raises:
        InfrastructureError, DataError: as `harness.errors.writing`.
    """
    parts = slice_table(found)
    tables = (versus_table(found), *([parts] if parts else []))
    write_tables(tables, folder / "tables")
    figures = write_versus_figures(found, folder / "figures")
    write_bytes(folder / "versus.csv", _csv(found).encode("utf-8", "replace"))
    sentences = tuple(map(sentence, found))
    power = tuple(power_line(one, wanted) for one in found)
    html = rendered(
        "versus.html.j2",
        about=about,
        sentences=sentences,
        power=power,
        tables=tables,
        pictures=[picture(figure) for figure in figures],
    )
    write_bytes(folder / NAME, html.encode("utf-8", "replace"))
    return VersusReport(folder / NAME, sentences, power, tables, figures)


def _csv(found: Sequence[Versus]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        writer.writerows(_lines(one))
    return out.getvalue()


def _lines(one: Versus) -> Iterator[list[object]]:
    for point in one.points:
        yield _line(
            one, point.budget, ("", ""), (point.a, point.b), point.comparison,
            point.adjusted, point.mid_p, point.bootstrap,
        )  # fmt: skip
    for part in one.slices:
        yield _line(
            one, one.last.budget, (part.key, part.value), (part.a, part.b), part.comparison,
            part.adjusted, None, (math.nan, math.nan),
        )  # fmt: skip


def _line(
    one: Versus,
    budget: int | None,
    part: tuple[str, str],
    figures: tuple[float, float],
    found: Comparison,
    adjusted: float,
    mid_p: float | None,
    bootstrap: tuple[float, float],
) -> list[object]:
    d = found.difference
    numbers = [
        *(one.task, one.metric, one.a, one.b, budget, *part, *figures, d.value, d.low, d.high),
        *(d.method, found.p, adjusted, found.test, mid_p, *bootstrap, found.only_a, found.only_b),
        d.n,
    ]
    return [
        "" if number is None or (isinstance(number, float) and math.isnan(number)) else number
        for number in numbers
    ]
