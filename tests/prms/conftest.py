"""Tiny random value-head models that plain transformers saves and loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MakePrm = Callable[..., Path]


@pytest.fixture(scope="session")
def make_prm(tmp_path_factory: pytest.TempPathFactory) -> MakePrm:
    """Save a two-layer token classifier with random weights; settings go to its config."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from harness.embedded import tokenizer

    def make(family: str = "Qwen2", **settings: Any) -> Path:
        torch.manual_seed(0)
        words = tokenizer.build()
        shape = {
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 128,
            "num_labels": 1,
            "pad_token_id": 0,
            "bos_token_id": None,
        }
        config = getattr(transformers, f"{family}Config")(**{**shape, **settings})
        model = transformers.AutoModelForTokenClassification.from_config(config)
        for parameter in model.parameters():  # scores far from one half
            parameter.data.mul_(6 if parameter.ndim > 1 else 1)
        folder = tmp_path_factory.mktemp(family.lower())
        model.save_pretrained(folder)
        words.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny(make_prm: MakePrm) -> Path:
    return make_prm()
