"""The same holds for a user without rights, whose isolation starts from a user namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from harness.sandbox.namespaces import open_pool, probe
from tests.sandbox.attacks import ATTACKS, LOOK_AROUND
from tests.sandbox.judging import faults
found = probe()
if not found.works:
    print(json.dumps({"why": found.why})); sys.exit()
with open_pool(1) as pool:
    (fresh,) = pool.run([LOOK_AROUND])
    bad = [[a.property, said] for a in ATTACKS if (said := faults(pool, fresh.stdout, a))]
    print(json.dumps({"bad": bad, "layers": pool.describe()["layers"]}))
"""


def test_attacks_are_contained_without_root() -> None:
    user = 54321 if os.getuid() == 0 else os.getuid()
    python = "/usr/bin/python3" if os.getuid() == 0 else sys.executable
    command = [python, "-c", SCRIPT]
    change = {"user": user, "group": user, "extra_groups": []} if os.getuid() == 0 else {}
    try:
        check = [
            python,
            "-c",
            "import harness.sandbox.job, sys; print(sys.version_info >= (3, 11))",
        ]
        said = subprocess.run(
            check, capture_output=True, text=True, cwd="/", env={"PYTHONPATH": str(ROOT)}, **change
        )
    except OSError as error:
        pytest.skip(f"cannot run as another user: {error}")
    if said.stdout.strip() != "True":
        pytest.skip("no Python that another user can run and that reaches this checkout")
    environment = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd="/", env=environment, timeout=120, **change
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if "why" in found:
        pytest.skip(found["why"])
    assert found["bad"] == []
    assert "user" in found["layers"] and "uid" not in found["layers"]
