"""Result rows as files and as a pandas DataFrame.

`results.csv` and `results.parquet` hold the same rows with the same columns: the fields of
`harness.types.ResultRow`, in that order. Floats survive exactly (the CSV holds Python's shortest
text that reads back to the same double). What is absent is absent in both: an empty field in the
CSV, a null in Parquet and pandas, never a zero.
"""

from __future__ import annotations

import csv
import io
import math
import types
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from harness.errors import DataError
from harness.reporting.files import replace
from harness.types import ResultRow

if TYPE_CHECKING:
    import pandas as pd

CSV_NAME = "results.csv"
PARQUET_NAME = "results.parquet"

_PANDAS = {str: "string", bool: "boolean", int: "Int64", float: "Float64"}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a column holds."""

    kind: type[str] | type[bool] | type[int] | type[float]
    nullable: bool
    choices: tuple[str, ...] = ()
    """The only texts allowed; empty for any."""


@cache
def column_types() -> dict[str, ColumnType]:
    """Return the type of every column, in order: the fields of ResultRow."""
    hints = get_type_hints(ResultRow)
    return {f.name: _column_type(hints[f.name]) for f in fields(ResultRow)}


def dtypes() -> dict[str, str]:
    """Return the pandas dtype of every column, in order; all of them can hold nulls."""
    return {name: _PANDAS[column.kind] for name, column in column_types().items()}


def to_frame(rows: Iterable[ResultRow]) -> pd.DataFrame:
    """Return the rows as a DataFrame: one line per row, columns and dtypes as `dtypes` says.

    No rows give an empty frame with the same columns. A NaN `value` becomes a null.
    """
    import pandas as pd

    rows = list(rows)
    series = {
        name: pd.Series([_null_nan(getattr(row, name)) for row in rows], dtype=dtype)
        for name, dtype in dtypes().items()
    }
    return pd.DataFrame(series)


def from_frame(frame: pd.DataFrame) -> tuple[ResultRow, ...]:
    """Return a frame's rows, the inverse of `to_frame`; a null `value` comes back as NaN.

    Raises:
        DataError: a column is missing or unknown, or holds a value of another type.
    """
    _check_columns([str(name) for name in frame.columns], "the frame")
    columns = {
        name: [
            None if missing else value
            for value, missing in zip(frame[name], frame[name].isna(), strict=True)
        ]
        for name in column_types()
    }
    return tuple(
        _row({name: values[i] for name, values in columns.items()}, f"the frame, row {i}")
        for i in range(len(frame))
    )


def write_results(rows: Sequence[ResultRow], folder: Path) -> tuple[Path, Path]:
    """Write `results.csv` and `results.parquet` into `folder`; return their paths.

    Each file is replaced whole or not at all. No rows give files with columns only.

    Raises:
        InfrastructureError, DataError: as `harness.errors.writing`.
    """
    paths = folder / CSV_NAME, folder / PARQUET_NAME
    replace(paths[0], _csv_bytes(rows))
    replace(paths[1], _parquet_bytes(rows))
    return paths


def read_results(path: Path) -> tuple[ResultRow, ...]:
    """Return the rows of a `.csv` or `.parquet` file, or of the folder of a run (its CSV).

    Raises:
        DataError: no such file, not a results file, a column too few or too many, a bad value;
            the message names the file, the line and the column.
    """
    if path.is_dir():
        path = path / CSV_NAME
    if not path.is_file():
        raise DataError(f"{path}: no such results file; give a run's folder or its {CSV_NAME}")
    if path.suffix == ".parquet":
        return _read_parquet(path)
    if path.suffix == ".csv":
        return _read_csv(path)
    raise DataError(f"{path}: results are read from .csv or .parquet files")


# --- writing -------------------------------------------------------------------------------------


def _csv_bytes(rows: Sequence[ResultRow]) -> bytes:
    names = tuple(column_types())
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_field(getattr(row, name)) for name in names] for row in rows)
    return text.getvalue().encode()


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _parquet_bytes(rows: Sequence[ResultRow]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = {str: pa.string(), bool: pa.bool_(), int: pa.int64(), float: pa.float64()}
    schema = pa.schema(
        [
            pa.field(name, arrow[column.kind], nullable=column.nullable)
            for name, column in column_types().items()
        ]
    )
    records = [{name: getattr(row, name) for name in schema.names} for row in rows]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records, schema=schema), sink)
    return sink.getvalue()


# --- reading -------------------------------------------------------------------------------------


def _read_csv(path: Path) -> tuple[ResultRow, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            _check_columns(header, str(path))
            rows = []
            for line in lines:
                where = f"{path}, line {lines.line_num}"
                if len(line) != len(header):
                    raise DataError(f"{where}: {len(line)} fields, expected {len(header)}")
                texts = zip(header, line, strict=True)
                rows.append(_row({name: _parse(name, text, where) for name, text in texts}, where))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file ({error})") from error
    return tuple(rows)


_PARSERS: dict[type, Callable[[str], object]] = {
    str: str,
    bool: {"true": True, "false": False}.__getitem__,
    int: int,
    float: float,
}


def _parse(name: str, text: str, where: str) -> object:
    column = column_types()[name]
    if text == "" and column.nullable:
        return None
    try:
        return _PARSERS[column.kind](text)
    except (ValueError, KeyError):
        raise DataError(
            f"{where}: {name} is {text[:40]!r}, expected a {column.kind.__name__}"
        ) from None


def _read_parquet(path: Path) -> tuple[ResultRow, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error
    _check_columns(table.column_names, str(path))
    return tuple(_row(record, f"{path}, row {i}") for i, record in enumerate(table.to_pylist()))


def _row(values: dict[str, Any], where: str) -> ResultRow:
    """Return the row after checking every value against its column."""
    checked = {}
    for name, column in column_types().items():
        value = values[name]
        if value is None and column.kind is float and not column.nullable:
            value = math.nan
        if value is None and not column.nullable:
            raise DataError(f"{where}: {name} is empty")
        if value is not None:
            value = _checked(name, column, value, where)
        checked[name] = value
    return ResultRow(**checked)


def _checked(name: str, column: ColumnType, value: Any, where: str) -> str | bool | int | float:
    if column.choices and value not in column.choices:
        raise DataError(
            f"{where}: {name} is {value!r}, expected one of {', '.join(column.choices)}"
        )
    if isinstance(value, str) is (column.kind is str):
        with suppress(TypeError, ValueError, OverflowError):
            converted = column.kind(value)
            if converted == value or converted != converted:
                return converted
    raise DataError(f"{where}: {name} is {value!r}, expected a {column.kind.__name__}")


def _check_columns(names: Sequence[str], where: str) -> None:
    known = tuple(column_types())
    missing = [name for name in known if name not in names]
    strange = [name for name in names if name not in known]
    if missing or strange or len(names) != len(known):
        parts = [f"lacks {', '.join(missing)}"] if missing else []
        parts += [f"has unknown {', '.join(strange)}"] if strange else []
        raise DataError(
            f"{where}: not the columns of results.csv: {'; '.join(parts) or 'a column twice'}"
        )


def _null_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def _column_type(hint: Any) -> ColumnType:
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    nullable = types.NoneType in parts
    (inner,) = (part for part in parts if part is not types.NoneType)
    if get_origin(inner) is Literal:
        return ColumnType(str, nullable, get_args(inner))
    return ColumnType(inner, nullable)
