"""`serve-prm`: a PRM behind HTTP, for others' programs and for other machines."""

from __future__ import annotations

from typing import Annotated

import typer

Name = Annotated[
    str,
    typer.Argument(
        help="adapter:target,key=value or a name of ls prms.", metavar="PRM", show_default=False
    ),
]


def serve_prm(
    prm: Name,
    host: Annotated[str, typer.Option(help="Address; 0.0.0.0 lets other machines in.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8000,
) -> None:
    """Serve a PRM: POST {"prompt", "solutions"} gives {"scores"}; --prm http://… uses it.

    There is no password and no encryption: serve where you trust who can connect.
    """
    from harness.registry import open_prm
    from harness.runner.serving import PrmServer

    opened = open_prm(prm)
    server = PrmServer(opened, host, port)
    try:
        typer.echo(f"loading {opened.spec.name} …", err=True)
        opened.load()
        typer.echo(f"{opened.spec.name} at {server.url}; Ctrl-C ends it. Use it with")
        said = f"semantics={opened.semantics},aggregation={opened.aggregation}"
        if opened.threshold is not None:
            said += f",threshold={opened.threshold:g}"
        typer.echo(f"  --prm {server.url},model={opened.spec.name},{said}")
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("ended")
    finally:
        server.server_close()
        opened.close()
