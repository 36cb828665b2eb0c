"""Reading rows: every form of file, no path out of the data folder, nothing torn goes unseen."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from harness.errors import DataError
from harness.problems import files, sources
from harness.problems.files import NoData, read, rows

ROWS = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.jsonl", LINES),
        ("x.jsonl", LINES.replace("\n", "\n\n")),
        ("x.json", json.dumps(ROWS, indent=1)),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_plain_or_gzipped(tmp_path: Path, name: str, text: str, packed: bool) -> None:
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert list(read(path)) == ROWS
    # A task names either form; the other one is found too.
    for named in (name, f"{name}.gz"):
        assert list(rows(data_dir=str(tmp_path), local=named)) == ROWS


def test_a_parquet_file(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    assert list(read(path)) == ROWS
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"x.parquet: cannot be read"):
        list(read(path))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.jsonl", b'{"id": 1}\n{"id"', r"x.jsonl:2: no valid JSON"),
        ("x.jsonl", b"[1]\n", r"x.jsonl:1: a row must be an object of columns, not list"),
        ("x.jsonl", b"\xff\n", r"x.jsonl: cannot be read"),
        ("x.json", b'{"id": 1}', r"x.json: a .json file must hold one array"),
        ("x.json", b"[1]", r"x.json\[0\]: a row must be an object"),
        ("x.jsonl.gz", gzip.compress(LINES.encode(), mtime=0)[:-12], r"x.jsonl.gz: cannot be read"),
        ("x.jsonl.gz", b"plain text", r"x.jsonl.gz: cannot be read"),
        ("x.pkl", b"", r"x.pkl: rows are read from .jsonl, .json and .parquet"),
    ],
)
def test_a_torn_file(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        list(read(path))


@pytest.mark.parametrize("name", ["../x.jsonl", "/etc/passwd.jsonl", "a/../../x.jsonl"])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="inside the data folder"):
        list(rows(data_dir=str(tmp_path), local=name))


def test_several_local_files_are_one_data_set(tmp_path: Path) -> None:
    for row in ROWS:
        (tmp_path / f"{row['id']}.jsonl").write_text(json.dumps(row))
    assert list(rows(data_dir=str(tmp_path), local=["a.jsonl", "b.jsonl"])) == ROWS
    with pytest.raises(NoData, match=r"a.jsonl and c.jsonl"):
        list(rows(data_dir=str(tmp_path), local=["a.jsonl", "c.jsonl"]))


def test_a_cached_download_needs_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    kept = tmp_path / "datasets--own--set" / "snapshots" / ("0" * 40) / "x.jsonl"
    source = {"hub": "own/set", "revision": "0" * 40, "files": ["x.jsonl"]}
    with pytest.raises(NoData):
        list(rows(source=source))
    kept.parent.mkdir(parents=True)
    kept.write_text(LINES)
    assert list(rows(source=source)) == ROWS


def test_github_files_are_asked_for_by_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def offline(self: object, url: str) -> str:
        asked.append(url)
        raise ConnectionError("no network")

    monkeypatch.setattr("datasets.DownloadManager.download", offline)
    source = {"github": "own/set", "revision": "abc", "files": ["x.jsonl.gz"]}
    with pytest.raises(NoData, match=r"own/set/x.jsonl.gz cannot be downloaded \(ConnectionErr"):
        list(rows(source=source))
    assert asked == ["https://raw.githubusercontent.com/own/set/abc/x.jsonl.gz"]


def test_gsm8k_answers_lose_their_thousands_separators(tmp_path: Path) -> None:
    row = {"question": "How many?", "answer": "500+500=<<500+500=1000>>1,000\n#### 1,000"}
    (tmp_path / "x.jsonl").write_text(json.dumps(row))
    found = sources.gsm8k(data_dir=str(tmp_path), local="x.jsonl")["test"][0]
    assert ("gsm8k-test-0000", "1000", row["answer"]) == (
        found["id"],
        found["answer"],
        found["solution"],
    )


def test_private_tests_stay_encoded(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "livecodebench" / "encoded_private_tests_examples.jsonl"
    encoded = json.loads(path.read_text().splitlines()[0])["value"]
    row = {
        "question_title": "t",
        "question_content": "c",
        "question_id": "1873_A",
        "contest_date": "2023-08-21T00:00:00",
        "starter_code": "",
        "platform": "codeforces",
        "difficulty": "easy",
        "metadata": "{}",
        "public_test_cases": "[]",
        "private_test_cases": encoded,
    }
    (tmp_path / "x.jsonl").write_text(json.dumps(row))
    (found,) = sources.livecodebench(data_dir=str(tmp_path), local="x.jsonl")["test"]
    assert encoded == found["private_tests"]


def test_no_source_is_unpickled_or_executed() -> None:
    for module in (files, sources):
        text = Path(module.__file__).read_text()
        assert not [word for word in ("import pickle", "eval(", "exec(") if word in text]
