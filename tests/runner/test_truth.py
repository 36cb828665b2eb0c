"""How a run opens its PRMs."""

from __future__ import annotations

import pytest

from harness.runner.truth import RunTruth


@pytest.mark.parametrize(
    ("engine", "adapter"), [("default", "transformers"), ("ray", "transformers"), ("vllm", "vllm")]
)
def test_a_run_s_engine_is_that_of_its_prms(
    monkeypatch: pytest.MonkeyPatch, engine: str, adapter: str
) -> None:
    monkeypatch.setattr("harness.adapters.vllm_settings.find_spec", lambda name: True)
    truth = RunTruth(engine)
    assert truth.open_prm("prm-math-small").spec.adapter == adapter
    assert truth.open_prm("prm-math-small,engine=transformers").spec.adapter == "transformers"
    assert not truth.asked
    assert truth.open_prm("fake:oracle").spec.adapter == "fake"
    assert truth.asked
