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
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.files import write_bytes
from harness.reporting.columns import check_columns, checked_row, column_types
from harness.types import ResultRow

if TYPE_CHECKING:
    import pandas as pd

CSV_NAME = "results.csv"
PARQUET_NAME = "results.parquet"

_PANDAS = {str: "string", bool: "boolean", int: "Int64", float: "Float64"}


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
    check_columns([str(name) for name in frame.columns], "the frame")
    columns = {name: frame[name].astype(object).tolist() for name in column_types()}
    gaps = {name: frame[name].isna().tolist() for name in column_types()}
    return tuple(
        checked_row(
            {name: None if gaps[name][i] else values[i] for name, values in columns.items()},
            f"the frame, row {i}",
        )
        for i in range(len(frame))
    )


def write_results(rows: Sequence[ResultRow], folder: Path) -> tuple[Path, Path]:
    """Write `results.csv` and `results.parquet` into `folder`; return their paths.

    Each file is replaced whole or not at all. No rows give files with columns only.

    Raises:
        InfrastructureError, DataError: as `harness.errors.writing`.
    """
    paths = folder / CSV_NAME, folder / PARQUET_NAME
    write_bytes(paths[0], csv_bytes(rows))
    write_bytes(paths[1], parquet_bytes(rows))
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


def csv_bytes(rows: Iterable[ResultRow]) -> bytes:
    """Return the rows as `results.csv` holds them: UTF-8, a header, one line per row."""
    names = tuple(column_types())
    lines = [",".join(names)]
    lines += [",".join(_field(getattr(row, name)) for name in names) for row in rows]
    return "".join(f"{line}\n" for line in lines).encode()


def _field(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    # csv.writer leaves a lone carriage return bare, and csv.reader then takes it for a line's end.
    quoted = any(c in text for c in ',"\r\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def parquet_bytes(rows: Iterable[ResultRow]) -> bytes:
    """Return the rows as `results.parquet` holds them."""
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
            check_columns(header, str(path))
            rows = []
            for line in lines:
                where = f"{path}, line {lines.line_num}"
                if len(line) != len(header):
                    raise DataError(f"{where}: {len(line)} fields, expected {len(header)}")
                texts = zip(header, line, strict=True)
                rows.append(
                    checked_row({name: _parse(name, text, where) for name, text in texts}, where)
                )
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
        raise DataError(f"{where}: {name} is {text[:40]!r}, expected {column.kind_name}") from None


def _read_parquet(path: Path) -> tuple[ResultRow, ...]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from error
    check_columns(table.column_names, str(path))
    return tuple(
        checked_row(record, f"{path}, row {i}") for i, record in enumerate(table.to_pylist())
    )


def _null_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
