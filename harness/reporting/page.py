"""The report as one HTML file that opens without a network.

Style, script, figures and samples are all inside. Names and model text are data: the template
escapes whatever it prints, the viewer inserts text as text, and the page's content security
policy names the two scripts and the style sheet by their digests and forbids everything else, so
that a text which slipped through would still not run.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import write_bytes
from harness.reporting.figures import Figure, Missing
from harness.reporting.payload import samples_json, visible
from harness.reporting.sample import Sample
from harness.reporting.table import Table

if TYPE_CHECKING:
    from jinja2 import Environment

    from harness.reporting.costs import ClaimText

NAME = "index.html"


@dataclass(frozen=True, slots=True)
class About:
    """Where the results come from; printed as given."""

    title: str
    command: str
    """The exact command line."""
    digest: str
    """Of the run's configuration."""
    date: str
    """When the run was started, from its provenance; a report made again keeps it."""
    versions: tuple[tuple[str, str], ...] = ()
    """Package names and versions."""
    facts: tuple[tuple[str, str], ...] = ()
    """Anything else worth a line: machine, models, data revisions."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure ready to be put in the page."""

    title: str
    alt: str
    uri: str


@dataclass(frozen=True, slots=True)
class CostView:
    """One axis of the section on accuracy against cost."""

    axis: str
    title: str
    """What the selector calls it."""
    figure: Figure
    table: Table


@dataclass(frozen=True, slots=True)
class CostSection:
    """The section on accuracy against cost."""

    views: tuple[CostView, ...]
    winners: Table | None
    claims: tuple[ClaimText, ...]


NO_COSTS = CostSection((), None, ())


def page_html(
    about: About,
    tables: Sequence[Table],
    figures: Sequence[Figure] = (),
    missing: Sequence[Missing] = (),
    samples: Sequence[Sample] = (),
    costs: CostSection = NO_COSTS,
) -> str:
    """Return the whole page. The same arguments and figure files give the same text."""
    return rendered(
        "page.html.j2",
        samples,
        about=about,
        tables=tables,
        pictures=[picture(figure) for figure in figures if figure.name != "overview"],
        missing=missing,
        costs=costs,
        cost_pictures=[picture(view.figure) for view in costs.views],
        n_samples=len(samples),
    )


def templates(package: str) -> Environment:
    """Return the templates of a package: all text is escaped, nothing may be missing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def rendered(template: str, samples: Sequence[Sample] = (), **values: object) -> str:
    """Return a template of this room with `values`, style, scripts and the digests of these."""
    from markupsafe import Markup

    css = f"{_own('page.css')}\n{_own('steps.css')}"
    js = f"{_own('steps.js')}\n{_own('page.js')}"
    library = _tablesort()
    return (
        templates("harness.reporting")
        .get_template(template)
        .render(
            visible=visible,
            css=Markup(css),
            js=Markup(js),
            library=Markup(library),
            samples=Markup(samples_json(samples)),
            style_digest=csp_digest(css),
            script_digests=[csp_digest(library), csp_digest(js)],
            **values,
        )
    )


def write_page(
    path: Path,
    about: About,
    tables: Sequence[Table],
    figures: Sequence[Figure] = (),
    missing: Sequence[Missing] = (),
    samples: Sequence[Sample] = (),
    costs: CostSection = NO_COSTS,
) -> None:
    """Write the page to `path`, whole or not at all.

    Raises:
        InfrastructureError, DataError: as `harness.errors.writing`.
    """
    html = page_html(about, tables, figures, missing, samples, costs)
    write_bytes(path, html.encode("utf-8", "replace"))


def _own(name: str) -> str:
    return files("harness.reporting").joinpath(name).read_text("utf-8")


def _tablesort() -> str:
    """Return the bundled library with its licence, which has to stay beside it."""
    licence, code = _own("vendor/tablesort.LICENCE.txt"), _own("vendor/tablesort.min.js")
    return f"/*\n{licence}*/\n{code}"


def csp_digest(text: str) -> str:
    """Return how a content security policy names a script or a style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def picture(figure: Figure) -> Picture:
    """Return the smaller of SVG and PNG. An image element runs no script of an SVG."""
    candidates = (("image/svg+xml", figure.svg), ("image/png", figure.png))
    kind, data = min(
        ((kind, path.read_bytes()) for kind, path in candidates), key=lambda one: len(one[1])
    )
    uri = f"data:{kind};base64,{base64.b64encode(data).decode()}"
    return Picture(figure.title, figure.alt, uri)
