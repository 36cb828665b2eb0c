"""A run's report, made from its rows and samples: tables, figures and the page in one folder.

::

    <folder>/index.html            everything, self-contained
    <folder>/tables/*.md *.tex     one pair per table; claims.md, frontier.csv
    <folder>/figures/*.png *.svg   one pair per figure, and overview
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.files import write_bytes
from harness.reporting.figures import Figure, Missing, write_figures
from harness.reporting.first_error import Published
from harness.reporting.lines import CHOSEN_SCORE, one_run
from harness.reporting.page import NAME, NO_COSTS, About, CostSection, CostView, write_page
from harness.reporting.render import write_tables
from harness.reporting.sample import Sample
from harness.reporting.table import Table
from harness.reporting.tables import all_tables
from harness.types import Duel, ResultRow

if TYPE_CHECKING:
    from harness.analysis import Curve
    from harness.analysis.transfer import Transfer
    from harness.reporting.costs import ClaimText
    from harness.reporting.scaling import Scaling
    from harness.reporting.step_curves import StepCurves


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and what could not be."""

    page: Path
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    missing: tuple[Missing, ...]
    claims: tuple[ClaimText, ...] = ()


def write_report(
    rows: Sequence[ResultRow],
    duels: Sequence[Duel],
    samples: Sequence[Sample],
    about: About,
    folder: Path,
    trained: Mapping[str, Sequence[str]] = MappingProxyType({}),
    curves: Sequence[Curve] = (),
    searched: Collection[str] = (),
    published: Mapping[str, Published] = MappingProxyType({}),
    steps: Sequence[StepCurves] = (),
    sizes: Sequence[Scaling] = (),
    cells: Sequence[Transfer] = (),
) -> Report:
    """Write the whole report into `folder` and return what it holds.

    `searched` names the methods that write candidates of their own, `published` what others state
    for a PRM, `steps` holds what is drawn of the scores of given steps, `sizes` the series of PRMs
    that differ in size, `cells` the matrix of training and evaluation domains.

    Files of an earlier report are replaced one by one, each whole or not at all; the page comes
    last, so an interrupted report leaves the old page. The same input gives the same bytes.

    Raises:
        DataError: two rows for the same result, or a folder that cannot be written.
        InfrastructureError: the disk is full or failed.
    """
    one_run(rows)
    tables = all_tables(rows, duels, trained, published)
    if sizes or cells:
        from harness.reporting.scaling import scaling_table, transfer_table

        views = (transfer_table(cells), scaling_table(sizes))
        tables += tuple(table for table in views if table is not None)
    write_tables(tables, folder / "tables")
    figures, missing = write_figures(rows, folder / "figures", searched)
    if any(row.metric == CHOSEN_SCORE for row in rows):
        from harness.reporting.proxy_figures import write_proxy_figures

        figures += write_proxy_figures(rows, folder / "figures")
    if steps:
        from harness.reporting.step_figures import write_step_figures

        figures += write_step_figures(rows, steps, folder / "figures")
    if sizes or cells:
        from harness.reporting.scaling import write_scaling_figures

        figures += write_scaling_figures(sizes, cells, folder / "figures")
    costs = _write_costs(curves, folder) if curves else NO_COSTS
    page = folder / NAME
    write_page(page, about, tables, figures, missing, samples, costs)
    drawn = tuple(view.figure for view in costs.views)
    more = tuple(view.table for view in costs.views)
    winners = (costs.winners,) if costs.winners else ()
    return Report(
        page, (*tables, *winners, *more), (*figures, *drawn), missing, tuple(costs.claims)
    )


def _write_costs(curves: Sequence[Curve], folder: Path) -> CostSection:
    """Analyse the curves and write their tables and figures."""
    from harness.reporting import costs
    from harness.reporting.frontier_figures import write_frontier_figures

    found = costs.analyse(curves)
    drawn = write_frontier_figures(found, folder / "figures")
    views = []
    for axis, figure in drawn.items():
        table = costs.frontier_table(found, axis)
        if table is not None:
            views.append(CostView(axis, costs.TITLES[axis], figure, table))
    winners, claims = costs.winner_table(found), costs.claim_texts(found)
    tables = [*([winners] if winners else []), *(view.table for view in views)]
    write_tables(tables, folder / "tables")
    write_bytes(folder / "tables" / "frontier.csv", costs.frontier_csv(found))
    markdown = costs.claims_markdown(claims).encode("utf-8", "replace")
    write_bytes(folder / "tables" / "claims.md", markdown)
    return CostSection(tuple(views), winners, claims)
