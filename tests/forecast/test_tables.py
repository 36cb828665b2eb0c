"""The tables that forecasts rest on: every figure has a source, and derived ones follow from it."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.forecast.lengths import lengths
from harness.forecast.throughput import Device, Grading, Measurement, Throughputs, throughputs

TABLE = Throughputs(
    {
        "fast": Device("fast", "a fast one", 100e12, 80, "maker"),
        "slow": Device("slow", "a slow one", 25e12, 24, "maker"),
        "odd": Device("odd", "of unknown peak", None, None, "maker"),
    },
    [
        Measurement("fast", "vllm", "seven", 7e9, "paper", decode=6000, prefill=20_000),
        Measurement("fast", "vllm", "seventy", 70e9, "paper", decode=500),
        Measurement("fast", "transformers", "one", 1e9, "own", decode=3000),
        Measurement("odd", "vllm", "seven", 7e9, "own", decode=10),
    ],
    [Grading("sums", "math", 4000, "own", 2), Grading("math500", "math", 2.5, "own", 2)],
    {"mcts": 0.8},
    "own",
)


@pytest.mark.parametrize(
    ("kind", "device", "engine", "size", "value", "said"),
    [
        ("decode", "fast", "vllm", 7e9, 6000, "writes 6,000 tokens/s, measured"),
        ("decode", "fast", "vllm", 14e9, 3000, "× 0.5 by operations per token"),
        ("decode", "fast", "vllm", 35e9, 1000, "500 of seventy with vllm on fast, × 2"),
        ("decode", "fast", "transformers", 2e9, 1500, "3,000 of one"),
        ("prefill", "fast", "transformers", 7e9, 20_000, "no figure of transformers there"),
        ("decode", "slow", "vllm", 7e9, 1500, "× 0.25 by peak operations of slow"),
        ("decode", "fast", "vllm", 0.7e9, 60_000, "(sizes far apart)"),
    ],
)
def test_a_rate_is_measured_or_derived_from_the_nearest(
    kind: str, device: str, engine: str, size: float, value: float, said: str
) -> None:
    found = TABLE.rate(kind, device, engine, size)  # type: ignore[arg-type]
    assert found is not None
    assert found.value == pytest.approx(value)
    assert said in found.note and found.source


def test_nothing_is_derived_from_what_cannot_be_compared() -> None:
    assert TABLE.rate("prefill", "odd", "vllm", 7e9) is None, "no peak, so no other device"
    assert TABLE.rate("decode", "fast", "vllm", 1e6) is None, "a thousandth of any size"


def test_grading_is_that_of_the_task_or_of_its_kind() -> None:
    own, other = TABLE.grading("sums", "math"), TABLE.grading("gsm8k", "math")
    assert own is not None and other is not None
    assert (own.value, other.value) == (4000, 2.5), "another one is taken to be slow"
    assert own.note == "sums: 4,000 solutions graded per second by 2 cores, measured"
    assert "2.5 solutions" in other.note and "derived: measured on math500" in other.note
    assert TABLE.grading("lcb", "code_stdin") is None


def test_a_device_that_does_not_exist_has_a_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'h100'"):
        throughputs().device("h10")
    assert throughputs().device("H100") == throughputs().device("h100")


def test_every_figure_that_ships_has_a_source() -> None:
    table = throughputs()
    assert set(table.devices) == {"h100", "h200", "a100", "rtx4090", "cpu"}
    for one in [*table.devices.values(), *table.measurements, *table.gradings]:
        assert len(one.source) > 10
    for measured in table.measurements:
        assert measured.device in table.devices
        assert measured.decode or measured.prefill
    assert table.factors_source
    for device in ("h100", "h200", "a100", "rtx4090"):
        for kind in ("decode", "prefill"):
            found = table.rate(kind, device, "vllm", 6.5e9)  # type: ignore[arg-type]
            assert found is not None and 1e3 < found.value < 1e5
    solutions = lengths().solutions
    assert all(one["tokens"] > 0 and one["source"] for one in solutions.values())
    assert set(lengths().usual.values()) <= set(solutions)


def test_factors_are_of_methods_that_exist() -> None:
    from harness.search.methods import METHODS

    assert set(throughputs().factors) <= set(METHODS)


def test_no_gpu_does_more_operations_than_its_peak() -> None:
    table = throughputs()
    for one in table.measurements:
        peak = table.devices[one.device].peak
        if peak is not None:
            assert 2 * one.parameters * (one.decode or 0) < peak
            assert 2 * one.parameters * (one.prefill or 0) < peak


def test_lengths_are_those_of_a_task_or_said_to_be_anothers() -> None:
    own, other = lengths().solution("livecodebench_v5", "code"), lengths().solution("x", "code")
    assert own.value == 278 and "taken from" not in own.note
    assert other.value == 209 and "taken from humaneval_plus" in other.note
    assert lengths().of_texts(["x" * 295, "y" * 295], "math") == pytest.approx(200)
