"""What users read of methods is what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.search.methods import METHODS
from harness.search.moves import Search, candidate, extend, judge, report
from harness.search.options import SearchOptions
from harness.search.setting import Setting
from harness.types import Draft

ROOT = Path(__file__).resolve().parents[2]
SEARCHED = [name for name, method in METHODS.items() if not method.pooled]


@pytest.mark.parametrize("name", SEARCHED)
def test_the_table_has_each_method_with_its_defaults(name: str) -> None:
    lines = (ROOT / "docs" / "methods.md").read_text().splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{name}` | ")][:1]
    _, _, _, shown, unit, curve, _ = [cell.strip() for cell in row.split("|")]
    fields = METHODS[name].options.model_fields
    wanted = [
        f"{key}={'none' if field.default is None else field.default}"
        for key, field in fields.items()
        if key != "agg"
    ]
    assert shown.split() == (wanted or ["none"])
    assert (unit, curve) == (METHODS[name].unit, METHODS[name].curve)


@pytest.mark.parametrize("name", SEARCHED)
def test_show_prints_every_option(cli, name: str) -> None:  # type: ignore[no-untyped-def]
    shown = cli("show", "method", name)
    assert shown.code == 0
    for key, field in METHODS[name].options.model_fields.items():
        assert f"{key}=" in shown.out
        assert field.description and field.description in shown.out
    assert METHODS[name].unit in " ".join(shown.out.split())
    assert name in cli("ls", "methods").out


def test_every_option_is_described() -> None:
    for method in METHODS.values():
        assert all(field.description for field in method.options.model_fields.values())
        assert method.pooled or (method.source and method.about and method.deviations)


def test_the_example_of_the_docs_runs() -> None:
    text = (ROOT / "docs" / "methods.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    lines = "\n".join(line.removeprefix("   ") for line in code.splitlines())
    from pydantic import Field

    names = {
        "Search": Search, "candidate": candidate, "extend": extend, "judge": judge,
        "report": report, "SearchOptions": SearchOptions, "Setting": Setting, "Draft": Draft,
        "Field": Field, "__name__": "example",
    }  # fmt: skip
    exec(compile("from __future__ import annotations\n" + lines, "docs/methods.md", "exec"), names)
    from harness.search.driver import Driver, Job
    from tests.search.world import QUESTIONS, Run

    run = Run("beam")
    twice, options = names["twice"], names["TwiceOptions"](keep=3)  # type: ignore[operator]
    job = Job("q0", lambda: twice(run.setting(QUESTIONS[0]), options), "best")  # type: ignore[operator]
    (attempt,) = Driver(run.policy, run.prm).run([job])
    assert len(attempt.found) == 3
