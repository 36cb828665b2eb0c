"""index.html of a board: everything inside, nothing from elsewhere.

Names and texts are data: scripts assign them as text, the template escapes what it prints, and the
page's content security policy names its own scripts and style by their digests, forbids everything
else and lets no script turn a string into markup (trusted types), so that a text which slipped
through would still not run, and nothing could be fetched or sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from harness.boards.site.payload import board_json
from harness.boards.standing import Board
from harness.files import write_bytes
from harness.reporting.page import csp_digest, templates
from harness.reporting.payload import visible

NAME = "index.html"

LIBRARIES = ("table-core", "d3", "plot")
"""Under vendor/, in the order in which they need each other; each with its licence."""

SCRIPTS = (
    "site",
    "address",
    "columns",
    "table",
    "scatter",
    "charts",
    "solutions",
    "details",
    "compare",
    "start",
)


def page_html(board: Board, kept: Sequence[int] = ()) -> str:
    """Return the whole page. The same board gives the same text.

    Args:
        board: What is shown.
        kept: Earlier versions of the board whose pages lie beside this one, as ``v<version>/``.
    """
    from markupsafe import Markup

    style = f"{_own('page.css')}\n{_shared('steps.css')}"
    scripts = [_library(name) for name in LIBRARIES]
    scripts += ["\n".join([_shared("steps.js"), *(_own(f"scripts/{name}.js") for name in SCRIPTS)])]
    return (
        templates("harness.boards.site")
        .get_template("page.html.j2")
        .render(
            board=board,
            kept=kept,
            visible=visible,
            style=Markup(style),
            scripts=[Markup(script) for script in scripts],
            data=Markup(board_json(board)),
            style_digest=csp_digest(style),
            script_digests=[csp_digest(script) for script in scripts],
        )
    )


def write(board: Board, folder: Path, kept: Sequence[int] = ()) -> Path:
    """Write the page to `folder`, whole or not at all, and return its path.

    Raises:
        InfrastructureError, DataError: as `harness.errors.writing`.
    """
    path = folder / NAME
    write_bytes(path, page_html(board, kept).encode("utf-8", "replace"))
    return path


def _own(name: str) -> str:
    return files("harness.boards.site").joinpath(name).read_text("utf-8")


def _shared(name: str) -> str:
    return files("harness.reporting").joinpath(name).read_text("utf-8")


def _library(name: str) -> str:
    """Return a bundled library with its licence, which has to stay beside it.

    The line that names its source map is left out: there is none, and a debugger would ask for it.
    """
    licence, code = _own(f"vendor/{name}.LICENCE.txt"), _own(f"vendor/{name}.min.js")
    lines = [line for line in code.splitlines() if not line.startswith("//# sourceMappingURL=")]
    return f"/*\n{licence}*/\n" + "\n".join(lines) + "\n"
