"""Finds a problem by its text, for recorded files that carry the question and not the id."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

from harness import paths
from harness.problems.bridge import open_task
from harness.problems.catalog import Include, catalog


def normalised(text: str) -> str:
    """Return the text with all white space reduced to single spaces."""
    return " ".join(text.split())


def ids_by_text(
    name: str, *, data_dir: str | PathLike[str] | None = None, include: Include = ()
) -> Mapping[str, str]:
    """Return problem ids by every normalised text of their rows that belongs to one problem alone.

    All text columns count, so it does not matter how the task calls its question. A text that
    several problems share (an answer, a subject) names none of them and is left out.

    Raises:
        ConfigError: no such task.
        DataError: its data is out of reach.
    """
    folder = paths.data_folder(data_dir)
    found: dict[str, str] = {}
    shared: set[str] = set()
    for definition in catalog(include).expand(name):
        opened = open_task(definition, str(folder) if folder else None)
        for row in opened.rows:
            problem = str(row[definition.id])
            texts = {normalised(value) for value in row.values() if isinstance(value, str)}
            shared |= {text for text in texts if found.setdefault(text, problem) != problem}
    return {text: problem for text, problem in found.items() if text not in shared}
