"""Step scores as one Parquet file per pool: written, read as hostile data, checked to the row.

Columns: ``problem`` (text), ``candidate`` (its index), ``scores`` (list of one number per step),
and where known ``tokens`` and ``flops`` of judging it; ``replica`` (from 0) where a PRM was asked
several times. Rows may stand in any order. The schema's metadata hold ``prm_harness.pool``, the
digest of the pool that was scored, and ``prm_harness.seconds``, how long it took in all.

Nothing is unpickled and no type is built that was not asked for: the file's own description is
compared with the one above, sizes are limited by what the pool can need, before a page is unpacked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.boards.findings import Finding
from harness.boards.pools import FrozenPool

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POOL_KEY, SECONDS_KEY = b"prm_harness.pool", b"prm_harness.seconds"
_REQUIRED = ("problem", "candidate", "scores")
_OPTIONAL = ("tokens", "flops", "replica")
_FREE = 1 << 20
"""Bytes that any file may have, whatever its pool."""
_ROW = 200
"""Bytes that a row may take besides its scores."""


@dataclass(frozen=True)
class PoolScores:
    """One PRM's scores of one pool, in the pool's own order: replica, problem, candidate."""

    values: Floats
    """Scores of all steps of all candidates, one after the other."""
    offsets: Ints
    """(C + 1,) where each candidate's begin; C = replicas x candidates of the pool."""
    replicas: int
    tokens: Floats
    """(C,) NaN if unknown."""
    flops: Floats
    seconds: float | None

    @property
    def lengths(self) -> Ints:
        """(C,) scores of each candidate; 0 where the PRM came to no verdict."""
        return np.diff(self.offsets)

    def begun(self, steps: int) -> PoolScores:
        """Return the scores of each candidate's first steps."""
        lengths = self.lengths
        within = np.arange(len(self.values)) - np.repeat(self.offsets[:-1], lengths)
        offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, steps))])
        return replace(self, values=self.values[within < steps], offsets=offsets)


def write_scores(
    path: Path, pool: FrozenPool, rows: Mapping[str, Any], seconds: float | None
) -> None:
    """Write a score file: `rows` holds lists by column name."""
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    from harness.files import write_bytes

    schema = pa.schema([(name, kind) for name, kind in _types().items() if name in rows])
    metadata = {POOL_KEY: pool.digest.encode()}
    if seconds is not None:
        metadata[SECONDS_KEY] = repr(float(seconds)).encode()
    table = pa.table(dict(rows), schema=schema.with_metadata(metadata))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    write_bytes(path, sink.getvalue())


def read_scores(path: Path, pool: FrozenPool) -> tuple[PoolScores | None, list[Finding]]:
    """Read the scores of a pool; None with the reasons where they are not whole and sound."""
    try:
        table, seconds = _read_table(path, pool)
        return _aligned(pool, table, seconds), []
    except _Bad as bad:
        return None, [Finding(path, bad.what, bad.remedy, bad.row)]


class _Bad(Exception):
    def __init__(self, what: str, remedy: str, row: int | None = None) -> None:
        super().__init__(what)
        self.what, self.remedy, self.row = what, remedy, row


def _types() -> dict[str, Any]:
    import pyarrow as pa

    return {
        "problem": pa.string(),
        "candidate": pa.int32(),
        "scores": pa.list_(pa.float64()),
        "tokens": pa.int64(),
        "flops": pa.float64(),
        "replica": pa.int32(),
    }


def _read_table(path: Path, pool: FrozenPool) -> tuple[Any, float | None]:
    """Return the file as a table, after comparing its description with what the pool can need."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    again = "write it with run-benchmark submit new"
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise _Bad(f"cannot be read ({error.strerror})", "put it there as a plain file") from None
    if head != b"PAR1":
        kind = "a pickle" if head[:1] == b"\x80" else "no Parquet file"
        raise _Bad(f"is {kind}: it was not opened", again)
    candidates, steps = int(pool.present.sum()), int(pool.steps.sum())
    try:
        file = pq.ParquetFile(
            path, thrift_string_size_limit=1 << 24, thrift_container_size_limit=1 << 20
        )
        schema, meta = file.schema_arrow, file.metadata
        replicas = 100 if "replica" in schema.names else 1
        _check_schema(schema)
        if meta.num_rows > candidates * replicas:
            raise _Bad(
                f"has {meta.num_rows:,} rows for {candidates:,} candidates", "one row for each"
            )
        groups = [meta.row_group(i) for i in range(meta.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        most = _FREE + replicas * (candidates * _ROW + steps * 16)
        cells = max(
            (sum(g.column(i).num_values for g in groups) for i in range(meta.num_columns)),
            default=0,
        )
        if size > most or cells > replicas * (steps + candidates):
            raise _Bad(
                f"would unpack to {size:,} bytes and {cells:,} values; the pool has {steps:,} "
                "steps: nothing was unpacked",
                again,
            )
        table = file.read(columns=schema.names, use_threads=False)
        wanted = pa.schema([(name, _types()[name]) for name in schema.names])
        table = table.cast(wanted)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _Bad(f"is torn or no Parquet file ({first})", again) from None
    metadata = schema.metadata or {}
    found = metadata.get(POOL_KEY, b"").decode("ascii", "replace")
    if found != pool.digest:
        raise _Bad(
            f"says that it scored the pool {found[:16] or '(none)'}…, the board's is "
            f"{pool.digest[:16]}…",
            "score the board's own pool (run-benchmark board open)",
        )
    return table, _seconds(metadata.get(SECONDS_KEY))


def _check_schema(schema: Any) -> None:
    types = _types()
    for name in schema.names:
        if schema.names.count(name) > 1 or name not in types:
            raise _Bad(f"has a column {name!r}", f"only {', '.join(types)}, each once")
        found, wanted = schema.field(name).type, types[name]
        if not _alike(found, wanted):
            raise _Bad(f"column {name!r} is of type {found}", f"make it {wanted}")
    for name in _REQUIRED:
        if name not in schema.names:
            raise _Bad(f"has no column {name!r}", f"give {', '.join(_REQUIRED)}")


def _alike(found: Any, wanted: Any) -> bool:
    """Whether a type is the wanted one but for its width."""
    from pyarrow import types

    if types.is_list(wanted):
        lists = types.is_list(found) or types.is_large_list(found)
        return bool(lists and types.is_floating(found.value_type))
    if types.is_string(wanted):
        return bool(types.is_string(found) or types.is_large_string(found))
    same = types.is_integer if types.is_integer(wanted) else types.is_floating
    return bool(same(found))


def _seconds(text: bytes | None) -> float | None:
    try:
        value = float(text.decode()) if text else None
    except (ValueError, UnicodeDecodeError):
        return None
    return value if value is not None and 0 <= value < 1e12 else None


def _aligned(pool: FrozenPool, table: Any, seconds: float | None) -> PoolScores:
    """Return the rows in the pool's order, after checking that each candidate is there once."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in _REQUIRED:
        if table.column(name).null_count:
            row = int(pc.index(pc.is_null(table.column(name)), True).as_py()) + 1
            raise _Bad(f"column {name!r} holds a null", "every candidate has scores", row)
    problems, samples = pool.present.shape
    ids = pa.array([problem.id for problem in pool.problems], pa.string())
    where = pc.index_in(table.column("problem"), ids)
    if where.null_count:
        row = int(pc.index(pc.is_null(where), True).as_py())
        name = table.column("problem")[row].as_py()
        raise _Bad(
            f"problem {name[:80]!r} is not in the pool", "leave out what the pool lacks", row + 1
        )
    place = where.to_numpy().astype(np.int64)
    candidate = table.column("candidate").to_numpy().astype(np.int64)
    inside = (candidate >= 0) & (candidate < samples)
    inside[inside] = pool.present[place[inside], candidate[inside]]
    if not inside.all():
        row = int(np.argmin(inside))
        raise _Bad(
            f"candidate {candidate[row]} of problem {pool.problems[place[row]].id!r} is not in the "
            "pool",
            "candidates count from 0",
            row + 1,
        )
    replica, replicas = _replicas(table)
    key = (replica * problems + place) * samples + candidate
    order = np.argsort(key, kind="stable")
    same = np.flatnonzero(np.diff(key[order]) == 0)
    if same.size:
        row = int(order[same[0] + 1])
        raise _Bad(
            f"candidate {candidate[row]} of problem {pool.problems[place[row]].id!r} has two rows",
            "give each candidate one row",
            row + 1,
        )
    expected = replicas * int(pool.present.sum())
    if len(key) != expected:
        _raise_missing(pool, key, replicas)
    scores = table.column("scores").combine_chunks().take(pa.array(order))
    if isinstance(scores, pa.ChunkedArray):
        scores = scores.combine_chunks()
    values = scores.flatten()
    offsets = np.concatenate([[0], np.cumsum(pc.list_value_length(scores).to_numpy())])
    if values.null_count:
        raise _Bad("holds a null among the scores", "every step has a number", _row(scores))
    numbers = values.to_numpy().astype(np.float64)
    _check_numbers(pool, numbers, offsets, order, place, candidate)
    return PoolScores(
        numbers,
        offsets.astype(np.int64),
        replicas,
        _facts(table, "tokens", order),
        _facts(table, "flops", order),
        seconds,
    )


def _replicas(table: Any) -> tuple[Ints, int]:
    """Return each row's replica, and how many there are."""
    if "replica" not in table.column_names:
        return np.zeros(table.num_rows, np.int64), 1
    if table.column("replica").null_count:
        raise _Bad("column 'replica' holds a null", "number replicas from 0")
    replica = table.column("replica").to_numpy().astype(np.int64)
    found = np.unique(replica)
    if not len(found) or not np.array_equal(found, np.arange(len(found))):
        raise _Bad(f"has the replicas {found[:5].tolist()}", "number them from 0, without a gap")
    return replica, len(found)


def _raise_missing(pool: FrozenPool, key: Ints, replicas: int) -> None:
    present = np.broadcast_to(pool.present, (replicas, *pool.present.shape)).ravel()
    missing = np.flatnonzero(present & ~np.isin(np.arange(present.size), key))
    problem, candidate = divmod(int(missing[0]) % pool.present.size, pool.present.shape[1])
    raise _Bad(
        f"{missing.size:,} candidates have no scores, the first is candidate {candidate} of "
        f"problem {pool.problems[problem].id!r}",
        "score the whole pool; run-benchmark score goes on where it stopped",
    )


def _check_numbers(
    pool: FrozenPool, values: Floats, offsets: Ints, order: Ints, place: Ints, candidate: Ints
) -> None:
    """Refuse what is not one finite number per step."""

    def said(at: int) -> tuple[str, int]:
        row = int(order[at])
        return f"candidate {candidate[row]} of problem {pool.problems[place[row]].id!r}", row + 1

    finite = np.isfinite(values)
    if not finite.all():
        at = int(np.searchsorted(offsets, np.argmin(finite), side="right")) - 1
        who, row = said(at)
        raise _Bad(f"{who} has a score that is no finite number", "mend the PRM's reader", row)
    lengths, wanted = np.diff(offsets), pool.steps[place, candidate][order]
    # Nothing at all is a critic's answer that held no verdict.
    wrong = (lengths != wanted) & (lengths != 0)
    if wrong.any():
        at = int(np.argmax(wrong))
        who, row = said(at)
        raise _Bad(
            f"{who} has {lengths[at]} scores for {wanted[at]} steps", "one score per step", row
        )


def _row(scores: Any) -> int | None:
    for number, own in enumerate(scores):
        if any(value is None for value in own.as_py()):
            return number + 1
    return None


def _facts(table: Any, name: str, order: Ints) -> Floats:
    if name not in table.column_names:
        return np.full(len(order), np.nan)
    found: Floats = table.column(name).to_pandas().to_numpy(np.float64)[order]
    return np.where(np.isfinite(found) & (found >= 0), found, np.nan)
