"""What tests share: the folder of real data, and a small run that needs no model."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A loaded machine is no bug; what is too slow for a user is measured in benchmarks/.
settings.register_profile("quiet", deadline=None)
settings.load_profile("quiet")

# Who starts the tests in the background hands down that SIGINT is ignored; programs under test
# would inherit it, and could not be interrupted.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Results of references: not the user's, but one folder for all workers of this run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["HARNESS_CACHE"] = str(shared / "cache")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real benchmarks and recorded outputs; tests that need it skip without it."""
    folder = Path(os.environ.get("HARNESS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set HARNESS_DATA")
    return folder.resolve()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """An installed Chromium, driven by playwright; tests that need it skip without either."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield started
        started.close()


@pytest.fixture
def quick_tasks(tmp_path: Path) -> Path:
    """A folder with one tiny mathematics task, `sums`, of 12 problems."""
    return write_sums(tmp_path)


def write_sums(place: Path) -> Path:
    """Write the task `sums` and return the folder of tasks."""
    folder = place / "tasks" / "sums"
    folder.mkdir(parents=True)
    rows = [{"id": f"s{i}", "problem": f"{i}+{i}=?", "answer": str(2 * i)} for i in range(12)]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text("# sums\n\n## Changelog\n\n- 1.0: first version\n")
    (folder / "sums.yaml").write_text(
        f"""
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: '{{{{problem}}}}'
doc_to_target: answer
generation_kwargs: {{until: [], max_gen_toks: 100}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0, kind: math, domain: math, grader: math, steps: "delimiter:\\n"}}
"""
    )
    return folder.parent


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A scripted policy for `sums`: one to three of 4 texts are right, and the wrong ones agree."""
    return write_script(tmp_path)


def write_script(place: Path) -> Path:
    """Write the texts of the scripted policy and return their file."""
    path = place / "script.jsonl"
    lines = []
    for i in range(12):
        right, wrong = rf"\boxed{{{2 * i}}}", rf"\boxed{{{2 * i + 1}}}"
        texts = [right if j <= i % 3 else wrong for j in range(4)]
        texts = [f"step one of {j}\nso {text}\n" for j, text in enumerate(texts)]
        lines.append(json.dumps({"id": f"s{i}", "texts": texts}))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Cli]:
    """Run the command line in this process: code, standard output, standard error."""

    def run(*arguments: str | Path) -> Cli:
        from harness.cli.main import main

        monkeypatch.setattr("sys.argv", ["run-benchmark", *map(str, arguments)])
        monkeypatch.setattr(
            "harness.cli.main._leave", lambda code: (_ for _ in ()).throw(SystemExit(code))
        )
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        return Cli(int(exit_.value.code or 0), out, err)

    return run


class Cli:
    """What a command said."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
