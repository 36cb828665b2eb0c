"""Data files as rows: JSON lines, a JSON array or Parquet, plain or gzipped, local or downloaded.

A file comes from the data folder if it is there, else from its pinned public source; a download is
kept in the cache of its client library and needs no network the second time. Rows are plain data:
nothing is unpickled or executed.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from harness import paths
from harness.errors import DataError


class NoData(DataError):
    """The rows are neither in the data folder nor to be had from their source."""


Row: TypeAlias = dict[str, Any]
"""One row of a data set, by column."""


def rows(
    *,
    data_dir: str | None = None,
    source: Mapping[str, Any] | None = None,
    local: str | Sequence[str] = (),
) -> Iterator[Row]:
    """Yield the rows of `local` under the data folder, else those of `source`, in file order.

    Args:
        data_dir: the folder of local data; by default $HARNESS_DATA.
        source: ``hub`` or ``github`` (owner/name), ``revision`` and ``files``.
        local: paths relative to the data folder, each with or without ``.gz``.

    Raises:
        NoData: neither is within reach.
        DataError: a file is torn.
    """
    folder = paths.data_folder(data_dir)
    names = [local] if isinstance(local, str) else list(local)
    found = [_inside(folder, name) for name in names] if folder else []
    kept = [path for path in found if path]
    if kept and len(kept) == len(names):
        files = kept
    elif source:
        files = [_download(source, name, folder, names) for name in source["files"]]
    else:
        raise NoData(
            f"no data: name a folder with {' and '.join(names)} in it by --data-dir or "
            f"${paths.DATA_VARIABLE}"
        )
    for path in files:
        yield from read(path)


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of one file, told apart by its name: .jsonl, .json (an array), .parquet.

    Raises:
        DataError: another kind of file, a torn one, or rows that are no objects.
    """
    kind = Path(path.name.removesuffix(".gz")).suffix
    if kind not in (".jsonl", ".json", ".parquet"):
        raise DataError(f"{path}: rows are read from .jsonl, .json and .parquet files")
    if kind == ".parquet":
        yield from _parquet(path)
        return
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            yield from _array(path, file.read()) if kind == ".json" else _lines(path, file)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _lines(path: Path, file: Any) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield _object(f"{path}:{number}", _parse(f"{path}:{number}", line))


def _array(path: Path, text: str) -> Iterator[Row]:
    items = _parse(str(path), text)
    if not isinstance(items, list):
        raise DataError(f"{path}: a .json file must hold one array of rows")
    for number, item in enumerate(items):
        yield _object(f"{path}[{number}]", item)


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow
    import pyarrow.parquet

    try:
        yield from pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _parse(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: no valid JSON: {error}") from error


def _object(where: str, item: Any) -> Row:
    if not isinstance(item, dict):
        raise DataError(f"{where}: a row must be an object of columns, not {type(item).__name__}")
    return item


def _inside(folder: Path, name: str) -> Path | None:
    """Return the file `name` (with or without .gz) under `folder`, None if it is not there."""
    parts = PurePosixPath(name)
    if parts.is_absolute() or ".." in parts.parts:
        raise DataError(f"{name!r} must be a path inside the data folder")
    plain = name.removesuffix(".gz")
    return next((p for p in (folder / plain, folder / f"{plain}.gz") if p.is_file()), None)


def _download(source: Mapping[str, Any], name: str, folder: Path | None, local: list[str]) -> Path:
    """Return the cached copy of one file of `source`, fetching it if it is not cached."""
    home = str(source.get("hub") or source.get("github"))
    fetch = _from_hub if "hub" in source else _from_github
    try:
        return fetch(home, source["revision"], name)
    except Exception as error:  # Each client has its own tree of network errors.
        ways = "connect to the network"
        if local:
            tried = f" (it is not in {folder})" if folder else ""
            ways += (
                f", or name a folder with {' and '.join(local)} in it by --data-dir or "
                f"${paths.DATA_VARIABLE}{tried}"
            )
        raise NoData(
            f"no data: {home}/{name} cannot be downloaded ({type(error).__name__}); {ways}"
        ) from error


def _from_hub(home: str, revision: str, name: str) -> Path:
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

    kept = try_to_load_from_cache(home, name, revision=revision, repo_type="dataset")
    if isinstance(kept, str):
        return Path(kept)
    # Fails at once without a network, where the download would try again for 20 seconds.
    HfApi().dataset_info(home, revision=revision, timeout=20)
    return Path(hf_hub_download(home, name, repo_type="dataset", revision=revision))


def _from_github(home: str, revision: str, name: str) -> Path:
    from datasets import DownloadConfig, DownloadManager

    # A commit's file never changes, so the cached copy needs no look at the server.
    config = DownloadConfig(use_etag=False, max_retries=2)
    url = f"https://raw.githubusercontent.com/{home}/{revision}/{name}"
    return Path(DownloadManager(download_config=config).download(url))
