"""Records survive the way to the disk and back, and folder names stay inside the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.store.format import (
    PoolFolder,
    RunFolder,
    candidate_from,
    candidate_record,
    read_scores,
    scores_record,
    slug,
)
from harness.store.log import Header, LogWriter
from harness.types import Candidate, Draft, Problem, StepScores

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    st.lists(TEXTS, max_size=4),
    st.sampled_from(["stop", "length", "budget", None]),
    st.none() | st.integers(0, 10**6),
    st.none() | st.lists(st.floats(-50, 0), max_size=3),
)
def test_candidates_survive(steps, finish, tokens, logprobs) -> None:  # type: ignore[no-untyped-def]
    draft = Draft(tuple(steps), finish, tokens, None if logprobs is None else tuple(logprobs))
    candidate = Candidate("p/1", 3, draft, tokens)
    assert candidate == candidate_from(candidate_record(candidate))


def test_scores_survive(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    scores = StepScores((0.1, 1.0), "p_correct", raw=(-2.0, 30.0), truncated=True, tokens=17)
    told = StepScores((0.1,), "p_correct", flops=(10**15, 3), unparsed=0.25, tokens=9)
    silent = StepScores((), "verdict", flops=(7,), unparsed=1.0, tokens=9)
    all_ = [("a", i, one) for i, one in enumerate((scores, None, told, silent))]
    with LogWriter(path, Header("scores", {})) as log:
        log.append("0", [scores_record(*one) for one in all_])
    assert all_ == list(read_scores(path))


def test_problems_survive_and_an_edited_one_is_refused(tmp_path: Path) -> None:
    folder = PoolFolder(tmp_path / "pool")
    problems = [
        Problem("a", "t", "1", "math", "1+1?\u2028", "2", meta={"level": 1}),
        Problem("b", "t", "1", "steps", "q", {"label": 0}, steps=("x", "y")),
        Problem("c", "t", "1", "preference", "q", {"right": 1}, solutions=(("x", "y"), ())),
    ]
    folder.write_problems(problems)
    assert problems == folder.read_problems()
    folder.problems.write_text(folder.problems.read_text().replace("1+1", "1+2"))
    with pytest.raises(DataError, match="edited"):
        folder.read_problems()


@given(st.text())
def test_no_name_climbs_out_of_the_run(name: str) -> None:
    run = RunFolder(Path("/run"))
    path = run.scores(name, name, name, "0" * 64)
    assert path.parent == Path("/run/scores")
    assert not slug(name).startswith(".")
    assert run.pool(name, name, "0" * 64).root.parent == Path("/run/pools")
