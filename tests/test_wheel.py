"""The wheel holds what an installed package needs: tasks, boards, presets, weights, templates."""

from __future__ import annotations

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parent.parent


def test_everything_ships(tmp_path: Path) -> None:
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(path).namelist())
    expected = {
        f"harness/_shipped/{file.relative_to(ROOT)}"
        for name in ("tasks", "leaderboards/boards", "leaderboards/pools")
        for file in (ROOT / name).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    for folder in ("presets", "embedded/weights", "embedded/rows", "reporting", "boards"):
        found = (ROOT / "harness" / folder).rglob("*")
        expected |= {
            str(file.relative_to(ROOT))
            for file in found
            if file.is_file() and "__pycache__" not in file.parts
        }
    expected |= {"harness/py.typed", "harness/prms/catalog.yaml", "harness/policies/catalog.yaml"}
    assert expected <= names
    assert not {name for name in names if name.startswith(("tests/", "benchmarks/", "runs/"))}
