"""Control groups are looked for in their own mounts, and only where one may look."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sandbox import cgroups


def test_mounts_of_other_kinds_and_closed_folders_are_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {
        "/proc/self/cgroup": "4:memory:/a\n0::/b\n",
        "/proc/self/mounts": (
            "/dev/vda /var/lib/containers/storage/overlay ext4 rw 0 0\n"
            "cgroup /closed/memory cgroup rw,memory 0 0\n"
            "cgroup2 /closed/two cgroup2 rw 0 0\n"
        ),
    }
    monkeypatch.setattr(Path, "read_text", lambda self: files[str(self)])

    def stat(path: object, **_: object) -> None:
        assert str(path).startswith("/closed"), path
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.stat", stat)
    assert cgroups._hierarchies() == [
        (Path("/closed/memory"), ("memory.limit_in_bytes",)),
        (Path("/closed/two"), ("memory.max", "pids.max")),
    ]
