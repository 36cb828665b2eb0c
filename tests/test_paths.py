"""Where tasks and data are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import paths
from harness.errors import DataError


def test_a_checkout_has_its_tasks_at_the_top() -> None:
    assert Path(__file__).resolve().parent.parent / "tasks" == paths.shipped("tasks")


def test_a_wheel_has_its_tasks_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "harness" / "_shipped" / "tasks"
    inside.mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "harness")
    assert inside == paths.shipped("tasks")


def test_the_option_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_option, by_variable = tmp_path / "a", tmp_path / "b"
    by_option.mkdir()
    by_variable.mkdir()
    monkeypatch.setenv(paths.DATA_VARIABLE, str(by_variable))
    assert by_option == paths.data_folder(by_option)
    assert by_variable == paths.data_folder()
    monkeypatch.delenv(paths.DATA_VARIABLE)
    assert paths.data_folder() is None


@pytest.mark.parametrize("origin", ["--data-dir", paths.DATA_VARIABLE])
def test_a_named_folder_must_exist(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "nowhere"
    monkeypatch.setenv(paths.DATA_VARIABLE, str(missing))
    with pytest.raises(DataError, match=f"^{origin}: there is no folder .*nowhere$"):
        paths.data_folder(missing if origin == "--data-dir" else None)
