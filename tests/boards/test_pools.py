"""Frozen pools: equal content is an equal digest, and an archive is hostile until it was read."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.boards import archive
from harness.boards.archive import CANDIDATES, CARD, GRADES, PROBLEMS, Archive, write_archive
from harness.boards.pools import load_pool
from harness.errors import DataError
from tests.boards.made import PROBLEM_COUNT, SAMPLES, card, pool_members, step_members


def written(path: Path, members: dict[str, bytes] | None = None, **changed: object) -> Path:
    members = members or pool_members()
    write_archive(path, card(members, **changed), members)
    return path


def test_reads_what_was_written(tmp_path: Path) -> None:
    pool = load_pool(written(tmp_path / "a.pool.zip"))
    assert pool.present.all() and pool.present.shape == (PROBLEM_COUNT, SAMPLES)
    assert pool.steps[1, 2] == 1 + 3 % 3 and pool.correct.sum() == 24
    assert [len(d.steps) for d in pool.read_drafts({"s1"})["s1"]] == pool.steps[1].tolist()
    assert pool.read_answers({"s0"})["s0", 0] == "0"
    given = {"kind": "steps", "samples": 1, "task": "errors"}
    steps = load_pool(written(tmp_path / "b.pool.zip", step_members(), **given))
    assert steps.labels.tolist() == [i % 3 if i % 2 else -1 for i in range(PROBLEM_COUNT)]
    assert np.array_equal(steps.correct[:, 0] == 1, steps.labels == -1)


def test_same_content_same_bytes_and_digest(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a.pool.zip"), written(tmp_path / "b.pool.zip")
    assert a.read_bytes() == b.read_bytes()
    other = written(tmp_path / "c.pool.zip", pool_members("{i} + {i} = ?"))
    assert load_pool(a).digest == load_pool(b).digest != load_pool(other).digest
    # Packed in another way it is the same pool.
    with zipfile.ZipFile(a) as old, zipfile.ZipFile(tmp_path / "d.pool.zip", "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert load_pool(tmp_path / "d.pool.zip").digest == load_pool(a).digest
    with pytest.raises(DataError, match="wanted is 000"):
        load_pool(a, "0" * 64)


def edited(change: Callable[[list[dict[str, object]]], None], member: str) -> dict[str, bytes]:
    members = pool_members()
    records = [json.loads(line) for line in members[member].splitlines()]
    change(records)
    members[member] = "".join(json.dumps(record) + "\n" for record in records).encode()
    return members


@pytest.mark.parametrize(
    ("member", "change", "says"),
    [
        (CANDIDATES, lambda r: r.pop(), "1 candidates are missing"),
        (CANDIDATES, lambda r: r.append(r[0]), r"candidates.jsonl:49\): this candidate is there t"),
        (CANDIDATES, lambda r: r[3].update(problem="s99"), r":4\): problem 's99' is not in the po"),
        (CANDIDATES, lambda r: r[3].update(index=4), "candidate 4 is not one of 4"),
        (CANDIDATES, lambda r: r[3].update(index=True), "candidate True is not one of 4"),
        (CANDIDATES, lambda r: r[3].update(steps=["a", ""]), "not a list of texts"),
        (GRADES, lambda r: r[0].update(verdict="perfect"), r"grades.jsonl:1\): not a grade"),
        (GRADES, lambda r: r.pop(), "1 candidates have no grade"),
        (PROBLEMS, lambda r: r[0].update(prompt="2+2=?"), "another digest"),
        (PROBLEMS, lambda r: r.append(r[0]), "is there twice"),
        (PROBLEMS, lambda r: r[0].pop("kind"), "not a problem"),
    ],
)
def test_records_must_fit(tmp_path: Path, member: str, change, says: str) -> None:  # type: ignore[no-untyped-def]
    path = written(tmp_path / "a.pool.zip", edited(change, member))
    with pytest.raises(DataError, match=says):
        load_pool(path)


def repacked(path: Path, target: Path, **replaced: bytes | None) -> Path:
    """Copy an archive with members (by stem) replaced, or left out."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = replaced.get(name.partition(".")[0], old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


def test_changed_and_foreign_members(tmp_path: Path) -> None:
    good = written(tmp_path / "a.pool.zip")
    forged = pool_members()[GRADES].replace(b'"wrong"', b'"correct"')
    with pytest.raises(DataError, match=r"grades\.jsonl was changed"):
        load_pool(repacked(good, tmp_path / "b.zip", grades=forged))
    with pytest.raises(DataError, match=r"grades\.jsonl is in the card or"):
        load_pool(repacked(good, tmp_path / "c.zip", grades=None))
    with pytest.raises(DataError, match="not in canonical form"):
        with zipfile.ZipFile(good) as old:
            spaced = json.dumps(json.loads(old.read(CARD)), indent=1).encode()
        load_pool(repacked(good, tmp_path / "d.zip", card=spaced))


@pytest.mark.parametrize("name", ["../../outside", "/etc/outside", "problems.jsonl/..", "x.pkl"])
def test_no_member_leaves_the_archive(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / "a.pool.zip")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(name, b"x")
    with pytest.raises(DataError, match=r"does not belong in a pool.*nothing was unpacked"):
        load_pool(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.pool.zip"]


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(CARD, b"{}")
        file.writestr(PROBLEMS, b"\n" * (1 << 26))
    with pytest.raises(DataError, match=r"would unpack from .* to 67,108,864 bytes"):
        Archive(path)
    monkeypatch.setattr(archive, "MAX_FILE", 100)
    with pytest.raises(DataError, match="more than the 100 of a pool"):
        Archive(path)


def test_a_lying_size_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pool.zip")
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")  # the last member of the directory: its size is cut short
    content[at + 24 : at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"size|torn"):
        load_pool(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x80\x04]\x94.", b"PAR1"])
def test_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pool.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no pool archive"):
        load_pool(path)
    with pytest.raises(DataError, match="there is no such pool"):
        load_pool(tmp_path / "b.pool.zip")


def test_deep_json_is_refused(tmp_path: Path) -> None:
    members = {**pool_members(), GRADES: b'{"a":' + b"[" * 100_000 + b"\n"}
    with pytest.raises(DataError, match=r"grades\.jsonl:1\): not JSON"):
        load_pool(written(tmp_path / "a.pool.zip", members))
