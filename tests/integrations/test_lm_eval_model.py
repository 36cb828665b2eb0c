"""A search as lm-eval's model: its own `simple_evaluate` gives what our own runs give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import paths
from harness.config import load_sweep
from harness.errors import ConfigError, InfrastructureError
from harness.grading import MathGrader
from harness.integrations.choice import elected
from harness.integrations.lm_eval import SearchLM
from harness.registry import open_policy
from harness.runner.evaluate import evaluate as evaluate_run
from harness.runner.execute import execute
from harness.runner.plan import make_plan
from harness.runner.progress import Silent
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder
from harness.store.sweepfile import read_sweep
from harness.types import Attempt, Draft, Found, Mark, Usage

# lm-eval opens files of data and does not close them, and warns of its own options.
pytestmark = pytest.mark.filterwarnings("ignore")

BOXED = r"""
filter_list:
  - name: box
    filter:
      - {function: regex, regex_pattern: '\\boxed\{([^{}]*)\}', group_select: -1}
      - {function: take_first}
"""


@pytest.fixture
def sums(quick_tasks: Path) -> Path:
    """The task `sums` with a filter, so that lm-eval can tell which texts are right."""
    file = quick_tasks / "sums" / "sums.yaml"
    file.write_text(file.read_text() + BOXED)
    return quick_tasks


def manager(folder: Path) -> Any:
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=folder, include_defaults=False)


def evaluate(model: Any, task: str, folder: Path, **more: Any) -> Any:
    import lm_eval

    return lm_eval.simple_evaluate(
        model=model, tasks=[task], task_manager=manager(folder), bootstrap_iters=0, **more
    )


def our_run(out: Path, **settings: Any) -> tuple[RunFolder, Any]:
    """Run a sweep of one method; return its folder and the row of its accuracy under the PRM's
    declared aggregation."""
    truth = RunTruth()
    plan = make_plan(load_sweep(None, settings), None, open_policy, truth.open_prm)
    run = execute(plan, out, truth, Silent(), ["run"], workers=1)
    rows = [row for row in evaluate_run(run).rows if row.metric == "accuracy" and row.headline]
    (row,) = rows
    return run, row


def test_greedy_equals_our_own_run(tmp_path: Path) -> None:
    run, row = our_run(
        tmp_path, tasks=["chain_arithmetic"], policies=["embedded"], methods=["greedy"], limit=12
    )
    (entry,) = read_sweep(run).pools
    asked = {problem.id for problem in entry.folder(run).read_problems()}
    tasks = paths.shipped("tasks")
    docs = manager(tasks).load(["chain_arithmetic"])["tasks"]["chain_arithmetic"].eval_docs
    places = [i for i, doc in enumerate(docs) if doc["id"] in asked]
    found = evaluate(
        "prm-harness", "chain_arithmetic", tasks, samples={"chain_arithmetic": places},
        model_args="policy=embedded,method=greedy",
    )  # fmt: skip
    accuracy = found["results"]["chain_arithmetic"]["exact_match,last_box"]
    assert 0 < accuracy < 1
    assert accuracy == row.value
    used = found["config"]["usage"]["chain_arithmetic"]["policy"]
    assert used["calls"] == len(asked)
    assert used["decode"] / len(asked) == pytest.approx(row.policy_tokens)


def test_best_of_n_equals_our_own_run(tmp_path: Path, sums: Path, script: Path) -> None:
    policy, prm = f"fake:{script}", "prm-math-small"
    _, row = our_run(
        tmp_path / "run", tasks=["sums"], include=[str(sums)], policies=[policy], prms=[prm],
        methods=["best_of_n"], budgets=[4],
    )  # fmt: skip
    model = SearchLM(policy, prm, "best_of_n", 4, steps="delimiter:\\n", temperature=1.0, id="id")
    found = evaluate(model, "sums", sums)
    accuracy = found["results"]["sums"]["exact_match,box"]
    assert 0 < accuracy < 1
    assert accuracy == row.value
    texts = [text for line in script.read_text().splitlines() for text in json.loads(line)["texts"]]
    used = model.usage["sums"]
    assert used.policy.decode == sum(map(len, texts))  # a fake policy's token is one character
    assert used.prm.calls == len(texts) and used.prm.prefill_logical > 0
    model.close()


def test_votes_count_answers(sums: Path, script: Path) -> None:
    model = SearchLM(f"fake:{script}", method="majority", n=4, temperature=1.0, id="id")
    found = evaluate(model, "sums", sums)
    # One right of four loses, two of four tie and come first, three of four win.
    assert found["results"]["sums"]["exact_match,box"] == 8 / 12


def test_a_search_writes_step_by_step(tmp_path: Path) -> None:
    model = SearchLM(
        "embedded", "prm-math-small", "beam,width=2", 4, steps="delimiter:\n", temperature=1.0
    )
    found = evaluate(model, "chain_arithmetic", paths.shipped("tasks"), limit=3)
    (text,) = found["samples"]["chain_arithmetic"][0]["resps"][0]
    used = model.usage["chain_arithmetic"]
    assert "boxed" in text and used.policy.calls > 3 * 4 and used.prm.calls > 3 * 4


def test_stops_and_limits_are_the_tasks(sums: Path, script: Path) -> None:
    def texts(**kwargs: Any) -> set[str]:
        model = SearchLM(f"fake:{script}", method="greedy", id="id")
        found = evaluate(model, "sums", sums, gen_kwargs=kwargs)
        return {sample["resps"][0][0] for sample in found["samples"]["sums"]}

    assert texts(until=["\nso"]) == {"step one of 0"}
    assert texts(until=["never"], max_gen_toks=5) == {"step "}
    assert texts(until="o") == {"step "}


def request(number: int = 0, prompt: str = "1 + 2 * 3", **kwargs: Any) -> Any:
    from lm_eval.api.instance import Instance

    doc = {"id": f"s{number}"}
    return Instance("generate_until", doc, (prompt, kwargs), 0, ("sums", number, 1))


def test_a_repeated_request_draws_anew_and_a_run_is_repeatable() -> None:
    asked = [request(do_sample=True, temperature=1.0, max_gen_toks=40)] * 3

    def texts(**more: Any) -> list[str]:
        model = SearchLM("embedded", "prm-math-small", "best_of_n", 1, **more)
        return model.generate_until(asked, disable_tqdm=True)

    first = texts()
    assert len(set(first)) > 1
    assert texts() == first
    assert texts(seed=1) != first
    cold = texts(temperature=0.01)
    assert len(set(cold)) == 1  # what is said to the model goes before what the task says


def test_what_cannot_be_is_refused(tmp_path: Path, script: Path) -> None:
    with pytest.raises(ConfigError, match="needs a PRM: prm='NAME'"):
        SearchLM("embedded")
    with pytest.raises(ConfigError, match="pass_at_n chooses no answer"):
        SearchLM("embedded", method="pass_at_n")
    with pytest.raises(ConfigError, match=r"did you mean 'beam'\?"):
        SearchLM("embedded", method="baem")
    with pytest.raises(ConfigError, match="device='cuda'"):
        SearchLM("embedded", method="greedy", device="cuda")
    compares = f"critic:pairwise,model=fake:{script}"
    with pytest.raises(ConfigError, match="method best_of_n needs a score of each; run it with"):
        SearchLM("embedded", compares, "best_of_n", 2)
    with pytest.raises(ConfigError, match="prm-math-small scores single ones; give --prm critic:"):
        SearchLM("embedded", "prm-math-small", "tournament", 2)
    SearchLM("embedded", compares, "tournament", 2)
    model = SearchLM(f"fake:{script}", method="majority", id="nr")
    with pytest.raises(ConfigError, match="task sums asks for greedy text, of which majority"):
        SearchLM(f"fake:{script}", method="majority").generate_until([request()], True)
    with pytest.raises(ConfigError, match="id='nr': task sums has no such column"):
        model.generate_until([request(temperature=1.0)], True)
    with pytest.raises(ConfigError, match="applies its own chat template"):
        model.apply_chat_template([])


def test_log_likelihoods_are_refused(tmp_path: Path, script: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"q": "1+1=", "choices": ["2", "3"], "answer": 0}\n' * 2)
    (tmp_path / "choice.yaml").write_text(
        f"""
task: choice
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: q
doc_to_choice: choices
doc_to_target: answer
metadata: {{version: 1}}
"""
    )
    with pytest.raises(ConfigError, match="choice asks for log-likelihoods; take tasks with"):
        evaluate(SearchLM(f"fake:{script}", method="greedy"), "choice", tmp_path)


def test_an_engine_that_fails_is_no_wrong_answer(sums: Path, script: Path) -> None:
    model = SearchLM(f"fake:{script},fail_after=0", method="greedy", id="id")
    with pytest.raises(InfrastructureError):
        evaluate(model, "sums", sums)


def test_other_models_stay_known() -> None:
    from lm_eval.api.registry import get_model

    assert get_model("prm-harness") is SearchLM
    assert get_model("dummy").__name__ == "DummyLM"


def attempts() -> Iterator[tuple[Attempt, str]]:
    def found(*pairs: tuple[str, float]) -> tuple[Found, ...]:
        return tuple(Found(Draft((text,), "stop"), weight) for text, weight in pairs)

    def attempt(choice: Any, own: tuple[Found, ...], **mark: Any) -> Attempt:
        marks = (Mark(len(own), Usage(), **mark),) if own else ()
        return Attempt("p", 0, choice, own, marks, Usage())

    three = found((r"so \boxed{0.5}", 0.4), (r"\boxed{2}", 0.7), (r"\boxed{\frac12}", 0.4))
    yield attempt("best", three), r"\boxed{2}"
    yield attempt("vote", three), r"so \boxed{0.5}"
    yield attempt("majority", three), r"so \boxed{0.5}"
    yield attempt("best", three, ballot=((0, 1.0), (2, 3.0))), r"\boxed{\frac12}"
    yield attempt("vote", three, ballot=((1, 5.0), (2, 3.0))), r"\boxed{2}"
    yield attempt("best", found(("a", 1.0), ("b", 1.0))), "a"
    yield attempt("majority", found(("no words", 1), ("a  b", 1), ("a b", 1))), "a  b"
    yield attempt("best", ()), ""


@pytest.mark.parametrize(("attempt", "text"), attempts())
def test_one_candidate_is_elected(attempt: Attempt, text: str) -> None:
    with MathGrader() as grader:
        assert elected(attempt, grader) == text
