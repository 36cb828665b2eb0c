"""The models behind a policy or a PRM, and how large their names say that they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.prms import catalog
from harness.runner.models import models, named, parameters, size, spec_of, weights


@pytest.mark.parametrize(
    ("text", "engine", "targets"),
    [
        ("qwen2.5-math-prm-7b", "vllm", ["vllm:Qwen/Qwen2.5-Math-PRM-7B"]),
        (
            "critic:think-prm,model=[transformers:Q/Judge-7B,batch=8]",
            "vllm",
            ["vllm:Q/Judge-7B"],
        ),
        (
            "ensemble:[qwen2.5-math-prm-7b,engine=vllm]+prm-math-small",
            "default",
            ["vllm:Qwen/Qwen2.5-Math-PRM-7B", "transformers:embedded:prm-math-small"],
        ),
        ("critic:think-prm", "default", []),
    ],
)
def test_models_behind_a_prm(text: str, engine: str, targets: list[str]) -> None:
    found = models(spec_of(text, "PRM", engine), engine)
    assert [f"{one.adapter}:{one.target}" for one in found] == targets


@pytest.mark.parametrize(
    ("text", "words", "number"),
    [
        ("qwen2.5-math-prm-7b", "7B", 7e9),
        ("eurusprm-stage1", "7B + 7B", 14e9),
        ("ensemble:qwen2.5-math-prm-7b+h4-prm-1.5b", "7B + 1.5B", 8.5e9),
        ("ensemble:qwen2.5-math-prm-7b+[transformers:Q/X,recipe=qwen-prm]", "", None),
        ("critic:think-prm,model=transformers:Q/Judge-72B", "72B by its name", 72e9),
        (
            "transformers:Q/X-7B,recipe=implicit-prm,reference=Q/Y-7B,beta=0.05",
            "7B + 7B by its name",
            14e9,
        ),
    ],
)
def test_sizes_add_up(text: str, words: str, number: float | None) -> None:
    found = size(spec_of(text, "PRM", "default"), "default")
    assert (found, parameters(found)) == (words, number)


def test_experts_are_all_in_memory() -> None:
    spec = spec_of("transformers:Q/X-235B-A22B", "policy", "default")
    assert parameters(named(spec)) == 22e9
    assert weights(spec, named(spec)) == 235e9


def test_critics_of_the_catalogue_are_as_large_as_it_says() -> None:
    for name, entry in catalog.entries().items():
        if entry.spec.adapter == "critic":
            own = size(spec_of(name, "PRM", "default"), "default")
            assert parameters(own) == parameters(entry.size), name


def test_a_recipe_file_is_a_prm(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("model: Q/X-7B\nrecipe: qwen-prm\n")
    assert size(spec_of(f"{file},batch=8", "PRM", "default"), "default") == "7B by its name"
