"""The shipped weights: plain transformers loads them, they are small, and they work."""

import json
from itertools import islice
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from harness.embedded import datasets, prms, samples, tokenizer  # noqa: E402
from harness.embedded.checkers import CHECKERS  # noqa: E402
from harness.embedded.corpus import DOMAINS, examples, problems  # noqa: E402
from harness.embedded.samples import Sample, steps_of  # noqa: E402
from harness.embedded.shapes import WEIGHTS, parameters  # noqa: E402
from harness.prms.catalog import entries  # noqa: E402

PRMS = sorted(path.name for path in WEIGHTS.iterdir() if path.name in prms.RECIPES)
NAMES = ("policy", *PRMS)
MAX_BYTES = 16 * 2**20


@pytest.fixture(scope="module")
def reader():
    return transformers.AutoTokenizer.from_pretrained(WEIGHTS / "policy")


@pytest.fixture(scope="module")
def policy():
    folder = WEIGHTS / "policy"
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def load_prm(name):
    kind = transformers.AutoModelForTokenClassification
    return kind.from_pretrained(WEIGHTS / name, dtype=torch.float32).eval()


def test_tokenizer_round_trip(reader):
    texts = [f"{item.problem}\n{item.solution.text}" for item in islice(examples("t", 0.5), 300)]
    texts += ["", "\n\n", "x = x + x = x + ", "    \n        if x >= é 数", "return x return"]
    for text in texts:
        assert text == reader.decode(reader(text).input_ids)


def test_tokens_never_reach_over_a_line_end(reader):
    for item in islice(examples("lines", 0.5), 200):
        lines = f"{item.problem}\n{item.solution.text}".splitlines(keepends=True)
        whole = reader("".join(lines)).input_ids
        assert whole == [token for line in lines for token in reader(line).input_ids]
        ends = [token == reader("\n").input_ids[0] for token in whole]
        assert len(lines) == sum(ends)


def test_boxed_is_one_token(reader):
    assert len(reader("\\boxed{").input_ids) == 1
    assert reader.eos_token == tokenizer.EOS
    assert reader.pad_token == tokenizer.PAD


def test_problems_and_solutions_are_short(reader):
    for domain, most in (("arithmetic", 110), ("programs", 60)):
        texts = [item.solution.text for item in islice(examples("n", domain == "programs"), 400)]
        lengths = [len(reader(text).input_ids) for text in texts]
        assert sum(lengths) / len(lengths) < most


def test_all_weights_fit_the_budget():
    size = sum(path.stat().st_size for path in WEIGHTS.rglob("*") if path.is_file())
    assert size <= MAX_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_every_folder_is_complete_and_plain(name):
    folder = WEIGHTS / name
    held = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= held
    assert not [path for path in held if Path(path).suffix == ".py"]
    config = json.loads((folder / "config.json").read_text())
    kind = "Qwen2ForCausalLM" if name == "policy" else "Qwen2ForTokenClassification"
    assert [kind] == config["architectures"]
    assert config["model_type"] == "qwen2"


@pytest.mark.parametrize("domain", DOMAINS)
def test_policy_solves_a_sane_share(policy, domain):
    """Neither hopeless nor perfect, and most problems are within the reach of 32 samples."""
    chosen = [problem.text for problem in islice(problems(domain, "test", "sane"), 24)]
    write = samples.writer(policy, seed=5)
    texts = write([f"{text}\n" for text in chosen for _ in range(32)])
    labels = [
        CHECKERS[domain](chosen[index // 32], steps_of(text)) for index, text in enumerate(texts)
    ]
    right = [label == -1 for label in labels]
    assert 0.1 < sum(right) / len(right) < 0.9
    solved = [any(right[begin : begin + 32]) for begin in range(0, len(right), 32)]
    assert sum(solved) > len(chosen) / 2


@pytest.mark.parametrize("name", PRMS)
def test_every_prm_tells_right_from_wrong(name):
    """A score per step, and right solutions above wrong ones far more often than not.

    The one that learned from rollouts learned little: its card and the report say so.
    """
    domain = prms.RECIPES[name].domains[-1]
    items = [row for row in datasets.shipped("chain_errors") if row["domain"] == domain]
    asked = [Sample(domain, row["problem"], tuple(row["steps"]), -1) for row in items]
    scores = prms.score(load_prm(name), asked)
    assert [len(row["steps"]) for row in items] == [len(values) for values in scores]
    good = [min(v) for v, row in zip(scores, items, strict=True) if row["label"] < 0]
    bad = [min(v) for v, row in zip(scores, items, strict=True) if row["label"] >= 0]
    wins = sum(g > b for g in good for b in bad) / (len(good) * len(bad))
    assert wins > (0.5 if prms.RECIPES[name].monte_carlo else 0.7)


def test_the_catalogue_is_what_ships():
    ours = {n for n, entry in entries().items() if entry.spec.target.startswith("embedded:")}
    assert set(PRMS) == ours


def test_size_order():
    sizes = [parameters(load_prm(f"prm-math-{size}")) for size in ("small", "medium", "large")]
    assert sizes == sorted(sizes)
    assert parameters(load_prm("prm-math-medium-mc")) == sizes[1]
