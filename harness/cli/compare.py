"""`compare`: two PRMs, methods, policies or runs, problem by problem."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli import options, output

Runs = Annotated[list[Path], typer.Argument(help="One run, or two.", show_default=False)]
Prms = Annotated[list[str], typer.Option("--prm", help="A PRM of the run, by its name in tables.")]
Methods = Annotated[list[str], typer.Option("--method", "-m", help="A method of the run.")]
Policies = Annotated[list[str], typer.Option("--policy", help="A policy of the run.")]
Detect = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--detect", help="Say how many problems a difference of so many points needs."),
]
Out = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--out", "-o", help="Folder of the result; default RUN/compare/A-vs-B."),
]


def compare(
    runs: Runs,
    prm: Prms = [],  # noqa: B006 - typer copies defaults
    method: Methods = [],  # noqa: B006
    policy: Policies = [],  # noqa: B006
    tasks: options.Tasks = [],  # noqa: B006
    budget: options.Budgets = [],  # noqa: B006
    detect: Detect = None,
    out: Out = None,
) -> None:
    """Compare two PRMs, methods, policies or runs on the same problems.

    What is named once holds for both sides, what is named twice is one side's and the other's.
    """
    from rich.text import Text

    from harness.cli.main import command_line
    from harness.errors import ConfigError
    from harness.reporting.escape import plain
    from harness.reporting.render import print_table
    from harness.runner.compare import make_comparison
    from harness.runner.sides import sides

    if detect is not None and not 0 < abs(detect) <= 100:
        raise ConfigError(f"--detect {detect:g} is no difference in points; write --detect 2")
    a, b = sides(runs, policy, prm, method)
    made = make_comparison(
        a,
        b,
        command_line(),
        tasks=options.names(tasks),
        budgets=options.whole(budget),
        wanted=None if detect is None else detect / 100,
        out=out,
    )
    console = output.console()
    for table in made.tables:
        print_table(table, console)
    for line in (*made.sentences, "", *made.power, ""):
        console.print(Text(plain(line)))
    typer.echo(f"figures  {made.page.parent / 'figures'}")
    typer.echo(f"page     {made.page.resolve().as_uri()}")
