"""What one YAML under ``tasks/`` says, read but not loaded: no row of data is touched.

Keys that lm-eval knows keep lm-eval's meaning. Everything that is ours stands in ``metadata``:

=================  ================================================================================
``version``        of the task; changes when scores can change, each with a line in the card
``kind``           ``math`` | ``code_function`` | ``code_stdin`` | ``steps`` | ``preference``
``kind_column``    column with the kind of each row, where they differ (optional)
``domain``         ``math``, ``code``: how tables group tasks
``grader``         ``math`` | ``code`` | ``steps`` | ``preference``
``steps``          how a solution is cut, see `harness.segment`
``id``             column with the data set's own id (default ``id``)
``meta``           columns to slice results by (optional)
``reference``      columns that the grader gets; without it the grader gets ``doc_to_target``
``solution``       column with a solution that must grade as correct (optional)
``source``         ``hub`` or ``github`` repository, ``revision``, ``files``
``local``          the same rows as files under the data folder (optional)
``released_until`` LiveCodeBench only: the last contest date to take from a local file …
``without``        … and ids in that window that a later release brought in
``texts``          RewardMATH only: the file under the data folder with the solutions' texts
``rows``           how many rows there are
``identity``       columns that tell one revision of the data from another …
``sha256``         … and the digest of these columns over all rows, in order of their ids
=================  ================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.segment import Segmenter
from harness.types import Json, Kind, Sampling


@dataclass(frozen=True, slots=True)
class Definition:
    """One task as its YAML defines it."""

    name: str
    path: Path
    """The YAML file."""
    version: str
    kind: Kind
    domain: str
    grader: str
    steps: Segmenter
    sampling: Sampling
    """Defaults of the task: ``generation_kwargs`` without what the user sets per run."""
    id: str
    kind_column: str | None
    meta: tuple[str, ...]
    reference: tuple[str, ...]
    solution: str | None
    rows: int | None
    identity: tuple[str, ...]
    sha256: str | None
    offline: bool
    """The rows are generated: no download and no data folder is needed."""
    config: Mapping[str, Json] = field(repr=False, compare=False)
    """The YAML as plain data, ``include`` merged, ``!function`` as its dotted name."""

    @property
    def card(self) -> Path:
        """The file that describes the task: source, licence, revision, prompt, changelog."""
        return self.path.parent / "README.md"


@dataclass(frozen=True, slots=True)
class Group:
    """Several tasks under one name, in this order."""

    name: str
    path: Path
    version: str
    members: tuple[str, ...]
    """Names of tasks or of other groups."""

    @property
    def card(self) -> Path:
        """The file that describes the group."""
        return self.path.parent / "README.md"
