"""PRMs across domains: one row per PRM, names as short as they can be, absent where unknown."""

from __future__ import annotations

from harness.reporting.domains import domain_table
from harness.stats import compare
from harness.types import Duel, ResultRow
from tests.reporting.report_rows import row


def _duel(task: str, prm: str, policy: str = "small") -> Duel:
    found = compare(f"best_of_n {prm}", "majority", [1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0])
    return Duel(task, policy, prm, "best_of_n", 4, found)


def _rows(*places: tuple[str, str, str]) -> list[ResultRow]:
    return [
        row(task=task, domain=domain, prm=prm, method="best_of_n", aggregation="min", headline=True)
        for task, domain, prm in places
    ]


def test_one_domain_needs_no_table() -> None:
    assert domain_table(_rows(("sums", "math", "a")), [_duel("sums", "a")], {}) is None


def test_one_task_per_domain_is_called_by_its_domain() -> None:
    rows = _rows(("sums", "math", "a"), ("loops", "code", "a"), ("sums", "math", "b"))
    duels = [_duel("sums", "a"), _duel("loops", "a"), _duel("sums", "b")]
    table = domain_table(rows, duels, {"a": ("math", "code")})
    assert table is not None
    headers = [column.header for column in table.columns]
    assert headers[:3] == ["PRM", "trained on", "math points"]
    assert headers[4] == "code points"
    assert [cell.text for cell in table.rows[0][:3]] == ["a", "math + code", "+50.0"]
    assert [table.rows[1][i].text for i in (0, 1, 2, 4, 5)] == ["b", "–", "+50.0", "–", "–"]
    assert "math: sums; code: loops" in table.notes[0]


def test_two_tasks_of_a_domain_keep_their_names_and_policies() -> None:
    rows = _rows(("sums", "math", "a"), ("loops", "code", "a"), ("chains", "math", "a"))
    duels = [_duel(task, "a") for task in ("sums", "loops", "chains")]
    table = domain_table(rows, duels, {})
    assert table is not None
    assert [column.header for column in table.columns][2::2] == [
        "sums points", "loops points", "chains points",
    ]  # fmt: skip
    both = [_duel("sums", "a"), _duel("loops", "a"), _duel("sums", "a", policy="large")]
    table = domain_table(rows, both, {})
    assert table is not None
    assert table.columns[6].header == "sums, large points"
