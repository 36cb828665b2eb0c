"""Where our tasks speak to lm-eval: a task's rows, and its prompts and targets rendered there.

So a task asks here what it asks under ``lm_eval --include_path``. lm-eval's own index of 14,000
tasks is never built, and only plain values leave this module. Tasks of lm-eval's own are read by
`harness.problems.lm_eval`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import paths
from harness.digest import digest
from harness.errors import ConfigError, DataError, UserError, unknown
from harness.problems.definition import Definition
from harness.problems.files import Row
from harness.types import Json


@dataclass(frozen=True, slots=True)
class Opened:
    """A task with its rows at hand, checked against the revision that the task is defined on."""

    definition: Definition
    rows: tuple[Row, ...]
    _task: Any
    _render: Callable[[Row], Any]

    def prompt(self, row: Row) -> str:
        """Return what a policy is asked: ``doc_to_text`` of the row."""
        text = self._render(row)
        if not isinstance(text, str):
            raise ConfigError(f"{self.definition.path}: doc_to_text gives no text but {text!r}")
        return text

    def target(self, row: Row) -> Json:
        """Return ``doc_to_target`` of the row."""
        target: Json = self._task.doc_to_target(row)
        return target

    def column(self, row: Row, name: str) -> Any:
        """Return one value of a row.

        Raises:
            ConfigError: the task's YAML names a column that the data does not have.
        """
        if name not in row:
            raise unknown("column", name, row, str(self.definition.path))
        return row[name]


def open_task(definition: Definition, data_dir: str | None) -> Opened:
    """Return the task with all its rows.

    Raises:
        ConfigError: the YAML names a column or a function that does not exist.
        DataError: the data is out of reach, torn, or of another revision.
    """
    task = _lm_eval_task(definition, data_dir)
    rows = tuple(dict(row) for row in task.eval_docs)
    opened = Opened(definition, rows, task, _renderer(task))
    _check(opened)
    return opened


def rows_digest(opened: Opened) -> str:
    """Return the digest of the rows' identity columns, in order of their ids."""
    definition = opened.definition
    ordered = sorted(opened.rows, key=lambda row: str(row[definition.id]))
    return digest(
        [{name: opened.column(row, name) for name in definition.identity} for row in ordered]
    )


def _check(opened: Opened) -> None:
    """Refuse rows of another revision, and ids that are not unique."""
    definition, rows = opened.definition, opened.rows
    task = f"task {definition.name!r} {definition.version}"
    seen: set[str] = set()
    for row in rows:
        name = str(opened.column(row, definition.id))
        if name in seen:
            raise DataError(f"{task}: the id {name!r} is there twice")
        seen.add(name)
    again = f"take the revision that {definition.card} names"
    if definition.rows is not None and len(rows) != definition.rows:
        raise DataError(
            f"{task}: the data is of another revision ({len(rows)} rows, not {definition.rows}); "
            f"{again}"
        )
    if definition.sha256 and (found := rows_digest(opened)) != definition.sha256:
        raise DataError(
            f"{task}: the data is of another revision (digest {found}, not "
            f"{definition.sha256[:12]}…); {again}"
        )


def _lm_eval_task(definition: Definition, data_dir: str | None) -> Any:
    from lm_eval.tasks import TaskManager

    manager = TaskManager(
        include_path=definition.path.parent,
        include_defaults=False,
        metadata={"data_dir": data_dir} if data_dir else None,
    )
    where = f", or name a folder by --data-dir or ${paths.DATA_VARIABLE}"
    with building(definition.name, definition.path, where):
        return manager.load([definition.name])["tasks"][definition.name]


@contextmanager
def building(name: str, path: Path, or_else: str = "") -> Iterator[None]:
    """Turn what goes wrong while lm-eval builds a task into one line.

    Args:
        name: of the task.
        path: of its YAML.
        or_else: what else may be done if the data is out of reach.

    Raises:
        ConfigError: the YAML, or a function of it, is wrong.
        DataError: the data is out of reach.
    """
    from jinja2 import TemplateError

    try:
        with _quiet():
            yield
    except UserError:
        raise
    except OSError as error:
        why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"task {name!r}: no data: {why}; connect to the network{or_else}"
        ) from error
    except (
        ImportError,
        AttributeError,
        LookupError,
        StopIteration,
        TypeError,
        ValueError,
        TemplateError,
    ) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ConfigError(f"{path}: lm-eval cannot build the task: {reason}") from error


def _renderer(task: Any) -> Callable[[Row], Any]:
    """Return the task's ``doc_to_text`` as a function of the row.

    lm-eval compiles a template again for each row, which takes nine tenths of the loading time;
    here its own environment compiles it once.
    """
    from lm_eval.utils import env

    text = task.config.doc_to_text
    if not isinstance(text, str) or text in task.features:
        return lambda row: task.doc_to_text(row)
    template = env.from_string(text)
    return lambda row: template.render(**row)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back lm-eval's warnings, which speak of options that its own runner has, and the bars
    of `datasets`, which tear through ours."""
    import datasets

    log = logging.getLogger("lm_eval")
    before, bars = log.level, datasets.are_progress_bars_disabled()
    log.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        log.setLevel(before)
        if not bars:
            datasets.enable_progress_bars()
