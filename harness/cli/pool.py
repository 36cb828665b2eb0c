"""`pool`: work with candidate pools as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import options

app = typer.Typer(help="Convert candidate pools.", no_args_is_help=True)


@app.callback()
def _pool() -> None:
    """Keep `import` a sub-command, also while it is the only one."""
