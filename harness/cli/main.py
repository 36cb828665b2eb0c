"""The entry point: assembles the verbs and turns errors into exit codes.

Exit codes: 0 done · 2 the user's mistake (one line says what, where and what to type) · 1 the
machine failed (one line) or a bug (traceback) · 3 a limit of the user's is used up · 130
interrupted (after either, everything finished is kept).
"""

from __future__ import annotations

import os
import shlex
import signal
import sys

import typer

from harness.cli import (
    board,
    compare,
    doctor,
    grade,
    ls,
    plan,
    pool,
    report,
    run,
    score,
    serve_prm,
    show,
    submit,
    validate,
)
from harness.errors import InfrastructureError, LimitReached, UserError

# Newer versions of typer carry click inside, older ones use the package: this is the one in use.
_UsageMistake: type[Exception] = typer.BadParameter.__mro__[2]

INTERRUPTED, TERMINATED = 130, 143
LIMITED = 3

app = typer.Typer(
    name="run-benchmark",
    help="Benchmark Process Reward Models and the search they guide, on math and code.",
    epilog=(
        "Try: run-benchmark run embedded · run-benchmark ls tasks · "
        "run-benchmark run math500 --policy pool:FILE --prm recorded:FILE"
    ),
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("score")(score.score)
app.command("grade")(grade.grade)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("ls")(ls.ls)
app.command("show")(show.show)
app.command("validate")(validate.validate)
app.command("serve-prm")(serve_prm.serve_prm)
app.command("doctor")(doctor.doctor)
app.add_typer(pool.app, name="pool")
app.add_typer(board.app, name="board")
app.add_typer(submit.app, name="submit")


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        import harness

        typer.echo(harness.__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def command_line() -> list[str]:
    """Return the command as the user typed it, ready to be typed again."""
    return ["run-benchmark", *sys.argv[1:]]


def main() -> None:
    """Run the command line and exit with its code."""
    # Threads that spin for long while they wait make small models three times slower on a machine
    # with other work; threads that sleep at once make them 1.6 times slower on one without.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    told = _heed_sigterm()
    try:
        code = app(prog_name="run-benchmark", standalone_mode=False)
    except _UsageMistake as error:
        _say(f"error: {_mistake(error)}; try {_help_for(error)}")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except UserError as error:
        _say(f"error: {error}")
        if error.kept:
            _go_on("what is finished is kept")
        sys.exit(2)
    except InfrastructureError as error:
        _say(f"failed: {error}")
        if sys.argv[1:2] in _RESUMED:
            _go_on("what is finished is kept")
        _leave(1)
    except LimitReached as error:
        _go_on(f"stopped: {error}; everything finished is kept")
        _leave(LIMITED)
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is no failure.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    if code == INTERRUPTED:
        why = "told to end (SIGTERM)" if told else "interrupted"
        _go_on(f"{why}; everything finished is kept")
        _leave(TERMINATED if told else INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _heed_sigterm() -> list[int]:
    """Let SIGTERM, by which clusters take a machine back, do what Ctrl-C does.

    Returns:
        The signals that came, as they come. A process that is forked from this one just ends.
    """
    own, told = os.getpid(), list[int]()

    def end(number: int, _: object) -> None:
        if os.getpid() == own:
            told.append(number)
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, end)
    return told


_RESUMED = (["run"], ["score"])
"""Commands that go on where they stopped."""


def _mistake(error: Exception) -> str:
    """Return in one line what is wrong with which argument."""
    # The text of the exception alone does not name the option.
    said = getattr(error, "format_message", error.__str__)()
    return " ".join(said.replace("Value error, ", "").split()).rstrip(".")


def _help_for(error: Exception) -> str:
    """Return the command that explains the one with a mistake in it."""
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'run-benchmark'} --help"


def _go_on(why: str) -> None:
    """Say why a run ended early, and how it goes on."""
    _say(f"{why}. Go on with the same command:")
    _say(f"  {shlex.join(command_line())}")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _leave(code: int) -> None:
    """Exit at once: engines' threads must not hold up a process that is told to stop."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
