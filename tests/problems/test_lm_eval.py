"""The same YAML files under plain lm-eval: they load, render the same and can be run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import paths
from harness.problems import load, names


@pytest.fixture(scope="module")
def manager(data_dir: Path) -> Any:
    from lm_eval.tasks import TaskManager

    # What `lm_eval --include_path tasks --metadata '{"data_dir": …}'` builds, less the defaults.
    return TaskManager(
        include_path=paths.shipped("tasks"),
        include_defaults=False,
        metadata={"data_dir": str(data_dir)},
    )


def test_lm_eval_sees_every_name(manager: Any) -> None:
    assert list(names()) == manager.all_tasks


@pytest.mark.parametrize("name", ["math500", "mbpp_plus", "livecodebench_v5", "processbench_gsm8k"])
def test_lm_eval_asks_what_we_ask(manager: Any, name: str, data_dir: Path) -> None:
    (ours,) = load(name, data_dir=data_dir)
    theirs = manager.load([name])["tasks"][name]
    prompts = [theirs.fewshot_context(doc, num_fewshot=0) for doc in theirs.eval_docs]
    assert [problem.prompt for problem in ours.problems] == prompts
    assert all(theirs.doc_to_target(doc) for doc in theirs.eval_docs)


@pytest.mark.filterwarnings("ignore")
def test_lm_eval_runs_a_task_with_a_model(manager: Any) -> None:
    import lm_eval
    from lm_eval.api.model import LM

    class Oracle(LM):
        """Boxes the answer of every other problem, after a wrong box."""

        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            answers = [r.doc["answer"] if r.doc_id % 2 else "x" for r in requests]
            return [rf"\boxed{{0}} and so \boxed{{{answer}}}" for answer in answers]

        def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> Any:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    found = lm_eval.simple_evaluate(
        model=Oracle(), tasks=["chain_arithmetic"], task_manager=manager, bootstrap_iters=0
    )
    assert found["results"]["chain_arithmetic"]["exact_match,last_box"] == 0.5
    assert found["versions"]["chain_arithmetic"] == 1.0
