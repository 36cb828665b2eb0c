"""Looking around is quick: no engine is loaded before one is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "vllm", "transformers", "datasets", "lm_eval", "pandas", "matplotlib", "sympy")
COMMANDS = [
    "import harness",
    "import harness.types, harness.errors, harness.digest, harness.config, harness.registry",
    "import sys; sys.argv = ['run-benchmark', '--help']; import harness.cli.main as m; m.main()",
    "import sys; sys.argv = ['x', 'ls', 'tasks']; import harness.cli.main as m; m.main()",
    "import sys; sys.argv = ['x', 'ls', 'prms']; import harness.cli.main as m; m.main()",
    "import sys; sys.argv = ['x', 'ls', 'methods']; import harness.cli.main as m; m.main()",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_heavy_is_loaded(command: str) -> None:
    code = (
        f"import atexit, sys\n"
        f"atexit.register(lambda: print('LOADED', [m for m in {HEAVY!r} if m in sys.modules]))\n"
        f"{command}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("LOADED []\n"), done.stdout[-200:]
