"""Published numbers of published checkpoints, where their weights are at hand.

``HARNESS_WEIGHTS`` is a folder of weights by their names on the hub (``ORG/NAME``); without it, or
where it lacks some, the hub's own cache is looked at. Nothing is downloaded; what is not there is
skipped. Select these tests with ``-m weights``. Whole benchmarks need a GPU besides.

Inputs are put together from the public benchmarks that their authors took them from, or read where
their authors keep them, so that nothing is copied.
"""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from harness.prms.catalog import entries
from harness.prms.recipe import families
from harness.prms.render import token
from harness.prms.transformers import TransformersPrm
from harness.types import Draft, Json, Judge, Question, Spec, StepScores

torch = pytest.importorskip("torch")
from transformers import AutoTokenizer  # noqa: E402

pytestmark = pytest.mark.weights


def folder_of(name: str) -> Path:
    """Where ORG/NAME is on this machine."""
    own = os.environ.get("HARNESS_WEIGHTS")
    if own and (Path(own) / name).is_dir():
        return Path(own) / name
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):
        where = f"{own} has no {name}" if own else "HARNESS_WEIGHTS is not set"
        pytest.skip(f"no {name} here: {where}, and the hub's cache does not have it")


def weights(name: str) -> str:
    folder = folder_of(name)
    if (folder / "adapter_config.json").is_file():
        pytest.skip(f"{folder} is an adapter: merge it into its base first")
    if not any(folder.glob("*.safetensors")):
        pytest.skip(f"{folder} has no safetensors weights")
    return str(folder)


def judge(target: str, prompt: str, steps: tuple[str, ...], **options: Json) -> StepScores:
    prm = TransformersPrm(Spec("golden", "transformers", target, options))
    (scores,) = prm.judge([Judge(Question("t", "p", prompt), (Draft(steps),))])[0].scores
    assert scores is not None
    return scores


def test_qwen_prm_gives_what_vllm_keeps_as_its_fixture(data_dir: Path) -> None:
    """vLLM, tests/models/fixtures/qwen2_5_math_prm_reward_step.json, made in float16.

    The solution is ProcessBench's gsm8k-0 without the backslashes of its brackets. The text around
    it is that of vLLM's test, tests/models/language/pooling/test_reward.py: nearly the chat
    template, but with turns that are marked by ordinary text and a space after the system's.
    """
    wrong = (0.0006361007690429688, 0.81884765625, 0.025543212890625, 0.0004382133483886719)
    right = (0.99951171875, 0.1812744140625, 0.974609375, 0.99951171875)
    system = "Please reason step by step, and put your final answer within \\boxed{}. "
    with gzip.open(data_dir / "processbench/gsm8k.json.gz", "rt", encoding="utf-8") as file:
        row = next(row for row in json.load(file) if row["id"] == "gsm8k-0")
    steps = tuple(step.replace("\\(", "(").replace("\\)", ")") for step in row["steps"])
    scores = judge(
        weights("Qwen/Qwen2.5-Math-PRM-7B"),
        row["problem"],
        steps,
        recipe="qwen-prm",
        chat="none",
        system="",
        template=f"<im_start>system\n{system}<im_end>\n<im_start>user\n{{prompt}}<im_end>\n"
        "<im_start>assistant\n{steps}",
        dtype="float16",
    )
    assert scores.values == pytest.approx(right, rel=1.5e-2)  # vLLM's own tolerance, of both
    odds = [math.log(a / b) for a, b in zip(right, wrong, strict=True)]
    assert scores.raw == pytest.approx(odds, abs=3e-2)


REASONEVAL = "codes/examples.py of github.com/GAIR-NLP/ReasonEval"
SHA = "6b1c2987d1596df93863527cee9029f8489c9ac08a589cc45046f673536add5c"
"""Of its example, as JSON: the question and ten steps."""
EVALUATIONS = {
    ("GAIR/ReasonEval-7B", "validity"): (
        *(0.9492, 0.7863, 0.2520, 0.7860, 0.9125, 0.5916, 0.4494, 0.8189, 0.8240, 0.2671),
    ),
    ("GAIR/ReasonEval-7B", "redundancy"): (
        *(0.4433, 0.1287, 0.0397, 0.0789, 0.0789, 0.0509, 0.0487, 0.0702, 0.0955, 0.0120),
    ),
    ("GAIR/ReasonEval-34B", "validity"): (
        *(0.9360, 0.6813, 0.0720, 0.2811, 0.4531, 0.1122, 0.1328, 0.2026, 0.2265, 0.1163),
    ),
    ("GAIR/ReasonEval-34B", "redundancy"): (
        *(0.6060, 0.1682, 0.0258, 0.1044, 0.1604, 0.0404, 0.0447, 0.0507, 0.0492, 0.0236),
    ),
}


def example(text: str) -> tuple[str, list[str]]:
    """The question and steps that a script assigns; the script is not run."""
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("question", "reasoning_steps"):
                found[name] = ast.literal_eval(node.value)
    return found["question"], found["reasoning_steps"]


@pytest.mark.parametrize(("name", "head"), EVALUATIONS)
def test_reasoneval_gives_what_its_authors_note_beside_their_example(name: str, head: str) -> None:
    """The example is read from a checkout of their repository, beside the weights."""
    target = weights(name)
    script = folder_of("GAIR-NLP/ReasonEval") / "codes/examples.py"
    if not script.is_file():
        pytest.skip(f"the example is not here: {script} is to be {REASONEVAL}")
    question, steps = example(script.read_text(encoding="utf-8"))
    assert hashlib.sha256(json.dumps([question, steps]).encode()).hexdigest() == SHA
    aggregation = {"validity": "min", "redundancy": "max"}[head]
    exact = name.endswith("7B")  # 34B in 32 bits fit no GPU
    scores = judge(
        target,
        question,
        tuple(steps),
        recipe="reasoneval",
        head=head,
        aggregation=aggregation,
        dtype="float32" if exact else "bfloat16",
    )
    assert scores.values == pytest.approx(EVALUATIONS[name, head], abs=1e-3 if exact else 2e-2)


@pytest.mark.parametrize(("answer", "last"), [(18, 0.9957), (17, 0.0240)])
def test_math_psa_tells_the_right_answer_from_a_wrong_one(
    data_dir: Path, answer: int, last: float
) -> None:
    """openreasoner/openr, prm/code/evaluate_qwen.py, bfloat16: the first problem of GSM8K."""
    with (data_dir / "gsm8k/test.jsonl").open(encoding="utf-8") as file:
        question = json.loads(file.readline())["question"]
    lines = (
        "Janet's ducks lay 16 eggs per day.",
        "She eats three for breakfast every morning, so she has 16 - 3 = 13 eggs left.",
        "She bakes muffins for her friends every day with four eggs, so she has 13 - 4 = 9 eggs "
        "left.",
        "She sells the remainder at the farmers' market daily for $2 per fresh duck egg, so she "
        f"makes 9 * $2 = ${answer} every day at the farmers' market. The answer is: {answer}",
    )
    steps = (f"{' ' if k > 1 else ''}Step {k}: {line}" for k, line in enumerate(lines, 1))
    scores = judge(
        weights("openreasoner/Math-psa"),
        question,
        tuple(steps),
        recipe="math-psa",
        dtype="bfloat16",
    )
    assert scores.values == pytest.approx((0.9955, 0.9958, 0.9983, last), abs=1e-2)


MARKS = {
    "math-shepherd": ("peiyi9979/math-shepherd-mistral-7b-prm", (12902, 648, 387)),
    "math-psa": ("openreasoner/Math-psa", (76325, 488, 481)),
    "er-prm": (entries()["er-prm-8b"].spec.target, (116624, 489, 482)),
    "qwen-prm": ("Qwen/Qwen2.5-Math-PRM-7B", (151651,)),
}
"""Family → checkpoint, and the numbers of its tag, good and bad token in its authors' code."""


@pytest.mark.parametrize("family", MARKS)
def test_words_of_a_recipe_are_the_tokens_that_the_authors_number(family: str) -> None:
    target, numbers = MARKS[family]
    tokenizer = AutoTokenizer.from_pretrained(folder_of(target))
    recipe = families()[family]
    keys = ("tag", "good", "bad")[: len(numbers)]
    assert tuple(token(tokenizer, str(recipe[key]), key) for key in keys) == numbers


BENCHMARK = "ProcessBench F1"
FIGURES: dict[str, dict[str, Json]] = {
    "math-shepherd-7b": {},
    # The benchmark's authors put a blank line between the problem and the first step.
    "rlhflow-8b-mistral": {"template": "{prompt}\n\n{steps}"},
    "rlhflow-8b-deepseek": {"template": "{prompt}\n\n{steps}"},
    "qwen2.5-math-prm-7b": {},
    "qwen2.5-math-prm-72b": {},
    "qwen2.5-math-7b-prm800k": {},
    "skywork-o1-prm-1.5b": {},
    "skywork-o1-prm-7b": {},
    "h4-prm-1.5b": {},
    "h4-prm-7b": {},
    "eurusprm-stage1": {},
    "eurusprm-stage2": {},
}
"""How the input of those who published a figure departs from the recipe."""


def of_folders(spec: Spec, more: dict[str, Json]) -> str:
    """A catalogue entry, written for weights that lie in folders: those have no revision."""
    target, options = weights(spec.target), {**spec.options, **more}
    if "reference" in options:
        options["reference"] = weights(str(options["reference"]))
    given = {k: v for k, v in options.items() if k not in ("revision", "reference_revision")}
    return f"transformers:{target}" + "".join(f",{k}={json.dumps(v)}" for k, v in given.items())


@pytest.mark.parametrize("name", FIGURES)
def test_processbench_is_within_a_point_of_the_published_figure(
    name: str, data_dir: Path, cli: Any, tmp_path: Path
) -> None:
    entry = entries()[name]
    method = "first_error_tuned" if entry.threshold_rule == "tuned" else "first_error"
    prm = of_folders(entry.spec, FIGURES[name]) + f",name={name}"
    if not torch.cuda.is_available():
        pytest.skip("3,400 solutions with a model of this size need a GPU")
    done = cli("run", "processbench", "--prm", prm, "--data-dir", data_dir, "--out", tmp_path / "o")
    assert done.code == 0, done.err
    with (tmp_path / "o/results.csv").open(newline="") as file:
        found = {
            (row["task"], row["method"]): 100 * float(row["value"])
            for row in csv.DictReader(file)
            if row["metric"] == "f1"
        }
    published = entry.published[BENCHMARK]["mean"]
    assert found["processbench", method] == pytest.approx(published, abs=1.0)
