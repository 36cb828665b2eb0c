"""``published.json``: figures of others that a run's configuration names.

A list of objects with the keys of `harness.published.PublishedResult`. They change no result, so
they are no part of the run's identity.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from harness.errors import DataError
from harness.files import write_json
from harness.published import PublishedResult
from harness.store.format import RunFolder

_FIGURES = TypeAdapter(tuple[PublishedResult, ...])


def write_published(run: RunFolder, figures: Sequence[PublishedResult]) -> None:
    """Write the figures of the latest launch; no file where there are none."""
    if figures:
        write_json(run.published, [one.model_dump(exclude_defaults=True) for one in figures])
    else:
        run.published.unlink(missing_ok=True)


def read_published(run: RunFolder) -> tuple[PublishedResult, ...]:
    """Read the figures back; none where there is no file.

    Raises:
        DataError: a file that holds something else.
    """
    if not run.published.exists():
        return ()
    try:
        return _FIGURES.validate_json(run.published.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{run.published}: {place or 'file'}: {first['msg']}") from error
