"""`pool`: work with candidate pools as files."""

from __future__ import annotations

import typer

app = typer.Typer(help="Convert candidate pools.", no_args_is_help=True)


@app.callback()
def _pool() -> None:
    """Keep `import` a sub-command, also while it is the only one."""
