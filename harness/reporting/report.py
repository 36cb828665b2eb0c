"""A run's report, made from its rows and samples: tables, figures and the page in one folder.

::

    <folder>/index.html            everything, self-contained
    <folder>/tables/*.md *.tex     one pair per table
    <folder>/figures/*.png *.svg   one pair per figure, and overview
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness.reporting.figures import Figure, Missing, write_figures
from harness.reporting.lines import one_run
from harness.reporting.page import NAME, About, write_page
from harness.reporting.render import write_tables
from harness.reporting.sample import Sample
from harness.reporting.table import Table
from harness.reporting.tables import all_tables
from harness.types import Duel, ResultRow


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and what could not be."""

    page: Path
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    missing: tuple[Missing, ...]


def write_report(
    rows: Sequence[ResultRow],
    duels: Sequence[Duel],
    samples: Sequence[Sample],
    about: About,
    folder: Path,
    trained: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Report:
    """Write the whole report into `folder` and return what it holds.

    Files of an earlier report are replaced one by one, each whole or not at all; the page comes
    last, so an interrupted report leaves the old page. The same input gives the same bytes.

    Raises:
        DataError: two rows for the same result, or a folder that cannot be written.
        InfrastructureError: the disk is full or failed.
    """
    one_run(rows)
    tables = all_tables(rows, duels, trained)
    write_tables(tables, folder / "tables")
    figures, missing = write_figures(rows, folder / "figures")
    page = folder / NAME
    write_page(page, about, tables, figures, missing, samples)
    return Report(page, tables, figures, missing)
