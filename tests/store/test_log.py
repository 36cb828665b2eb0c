"""The unit log survives a kill at any byte: a unit is there whole, or owed again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError, InfrastructureError
from harness.store.log import Header, LogWriter, Record, ledger_path, read_ledger, read_records
from harness.types import Tokens

HEADER = Header("candidates", {"task": "t", "seed": 1}, {"samples": 2})


def _records(unit: int) -> list[Record]:
    return [{"unit": unit, "n": n, "text": "é\u2028\n" * unit} for n in range(unit % 3 + 1)]


def _write(path: Path, units: range) -> None:
    with LogWriter(path, HEADER) as log:
        for unit in units:
            if str(unit) not in log.finished:
                log.append(str(unit), _records(unit), 0.5, {f"p{unit}": Tokens(1, 2, 3, 4)})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.jsonl"
    _write(path, range(5))
    expected = [record for unit in range(5) for record in _records(unit)]
    assert expected == list(read_records(path))
    header, units = read_ledger(path)
    assert header == HEADER
    assert [str(n) for n in range(5)] == [unit.name for unit in units]
    assert {"p3": Tokens(1, 2, 3, 4)} == units[3].usage
    assert sum(unit.seconds for unit in units) == 2.5


def test_cut_at_every_byte_then_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    _write(whole, range(3))
    records, ledger = whole.read_bytes(), ledger_path(whole).read_bytes()
    path = tmp_path / "cut.jsonl"
    for cut in range(len(ledger) + 1):
        # Records are flushed before the ledger line that commits them, so they can only be ahead.
        ledger_path(path).write_bytes(ledger[:cut])
        path.write_bytes(records)
        _write(path, range(3))
        assert records == path.read_bytes()
        assert ledger == ledger_path(path).read_bytes()


@given(st.integers(0, 400))
def test_records_beyond_the_last_commit_are_never_read(extra: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        _write(path, range(2))
        before = list(read_records(path))
        with path.open("ab") as file:
            file.write((b'{"unit": 9, "torn": "' + b"x" * extra)[: extra + 1])
        assert before == list(read_records(path))


def test_finished_units_are_known_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    _write(path, range(2))
    with LogWriter(path, HEADER) as log:
        assert {"0", "1"} == set(log.finished)
        with pytest.raises(ValueError, match="finished already"):
            log.append("1", [])


def test_a_log_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    _write(path, range(1))
    other = Header("candidates", {"task": "t", "seed": 2})
    with pytest.raises(DataError, match=r"seed differ"):
        LogWriter(path, other)
    assert _records(0) == list(read_records(path))


def test_facts_may_change_without_making_it_another_log(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    _write(path, range(1))
    LogWriter(path, Header("candidates", HEADER.identity, {"samples": 3})).close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace('"seed": 1', '"seed": 7'), "edited"),
        (lambda text: text.replace('"schema_version": 1', '"schema_version": 99'), "schema"),
        (lambda text: text.replace('"end"', '"and"'), "not a ledger line"),
        (lambda text: text[:5], "torn"),
    ],
)
def test_a_damaged_ledger_is_named(tmp_path: Path, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "x.jsonl"
    _write(path, range(1))
    ledger = ledger_path(path)
    ledger.write_text(damage(ledger.read_text()))
    with pytest.raises(DataError, match=message):
        read_ledger(path)


def test_a_records_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    _write(path, range(3))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match="it was cut"):
        list(read_records(path))


def test_lone_surrogates_survive(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    record: Record = {"text": "a\ud800b"}
    with LogWriter(path, HEADER) as log:
        log.append("0", [record])
    assert [record] == list(read_records(path))


def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    _write(path, range(2))
    expected = list(read_records(path))
    log = LogWriter(path, HEADER)
    log._records.close()
    full = open("/dev/full", "ab", buffering=0)  # noqa: SIM115 - the writer closes it
    log._records = full
    with pytest.raises(InfrastructureError, match="disk is full"):
        log.append("2", _records(2))
    log.close()
    assert expected == list(read_records(path))
    _write(path, range(3))
    assert expected + _records(2) == list(read_records(path))


def test_a_ledger_line_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    _write(path, range(1))
    header, unit = map(json.loads, ledger_path(path).read_text().splitlines())
    assert {"schema_version", "kind", "digest", "identity", "facts"} == set(header)
    assert {
        "unit": "0",
        "end": len(path.read_bytes()),
        "records": 1,
        "seconds": 0.5,
        "usage": {"p0": [1, 2, 3, 4]},
    } == unit


def test_records_of_some_problems_are_those_of_all_that_name_them(tmp_path: Path) -> None:
    names = ["a", 'b"', "ü,\\", "\ud800", "a"]
    path = tmp_path / "x.jsonl"
    with LogWriter(path, Header("scores", {}, {})) as log:
        log.append("u", [{"problem": name, "index": i} for i, name in enumerate(names)], 0.0, {})
        log.append("v", [{"index": 9, "problem": "a"}], 0.0, {})  # another order: not skipped
    everything = list(read_records(path))
    for wanted in (set(names), {"a"}, {'b"', "\ud800"}, {"ü,\\"}, set[str]()):
        found = [one for one in read_records(path, wanted) if one["problem"] in wanted]
        assert found == [one for one in everything if one["problem"] in wanted]
    assert len(list(read_records(path, {"none"}))) == 1
