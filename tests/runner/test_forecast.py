"""Forecasts against sums by hand, of models that are at hand and of models that are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from harness.config import Sweep
from harness.errors import ConfigError
from harness.forecast.lengths import lengths
from harness.forecast.throughput import throughputs
from harness.registry import open_policy, open_prm
from harness.runner.expected import FIGURES, at_least, total
from harness.runner.forecast import Forecaster
from harness.runner.models import parameters
from harness.runner.plan import Plan, make_plan
from harness.runner.standins import Opener, StandIn
from harness.runner.truth import RunTruth
from harness.store.format import RunFolder

POLICY = "transformers:Nobody/Some-Math-7B-Instruct"


def planned(policy: str, *prms: str, **changed: object) -> tuple[Plan, Opener]:
    settings = Sweep(
        policies=(policy,),
        prms=prms,
        **{
            "tasks": ("chain_arithmetic",),
            "methods": ("majority",),
            "samples": 8,
            "limit": 10,
            **changed,
        },  # type: ignore[arg-type]
    )
    opener, truth = Opener(), RunTruth()
    plan = make_plan(
        settings,
        None,
        lambda text: opener.policy(text, open_policy),
        lambda text: opener.prm(text, truth.open_prm),
    )
    return plan, opener


def forecast(plan: Plan, out: Path, device: str = "h100") -> Forecaster:
    return Forecaster(throughputs().device(device), RunFolder(out))


def test_a_pool_and_its_scores_by_hand(tmp_path: Path) -> None:
    plan, opener = planned(POLICY, "qwen2.5-math-prm-7b")
    assert [one.size for one in opener.missing] == ["7B by its name", "7B"]
    pool, scores = forecast(plan, tmp_path).lines(plan)
    drafts, solution = 80, 80
    prompt = sum(len(p.prompt) for p in plan.pools[0].problems) / 10 / 2.95
    decode = throughputs().rate("decode", "h100", "transformers", 7e9)
    prefill = throughputs().rate("prefill", "h100", "transformers", 7e9)
    assert decode is not None and prefill is not None
    assert pool.policy_tokens == drafts * solution
    read = 10 * prompt / prefill.value
    assert pool.policy_hours == pytest.approx((read + drafts * solution / decode.value) / 3600)
    assert pool.flops == pytest.approx(2 * 7e9 * (drafts * solution + 10 * prompt), rel=0.01)
    assert pool.grading_hours == pytest.approx(80 / 3576 / 3600)
    assert scores.prm_tokens == pytest.approx(10 * prompt + drafts * solution)
    assert scores.prm_hours == pytest.approx(scores.prm_tokens / prefill.value / 3600)
    assert scores.flops == pytest.approx(2 * 7e9 * drafts * (prompt + solution), rel=0.01)
    whole = total([pool, scores])
    assert whole.hours == pytest.approx(pool.hours + scores.hours)  # type: ignore[operator]


def test_twice_the_size_takes_twice_the_time(tmp_path: Path) -> None:
    small, _ = planned(POLICY)
    large, _ = planned(POLICY.replace("7B", "14B"))
    (one,), (two,) = (forecast(p, tmp_path).lines(p) for p in (small, large))
    assert two.flops == pytest.approx(2 * one.flops)  # type: ignore[operator]
    assert 1.5 < two.policy_hours / one.policy_hours < 2.5  # type: ignore[operator]


def test_a_search_writes_what_its_method_is_known_to_need(tmp_path: Path) -> None:
    plan, _ = planned(POLICY, "qwen2.5-math-prm-7b", methods=("mcts",), search={"budgets": (4, 16)})
    maker = forecast(plan, tmp_path)
    lines = maker.lines(plan)
    line = lines[-1]
    assert line.work.startswith("mcts n=16")
    assert (line.count, line.unit) == (10, "searches")
    assert line.policy_tokens == pytest.approx(10 * 0.79 * 16 * 80)
    assert line.prm_tokens > line.policy_tokens  # type: ignore[operator]
    assert any("mcts writes 0.79" in note for note in maker.notes)


def test_finished_work_is_left_out_and_its_lengths_are_used(tmp_path: Path) -> None:
    from harness.runner.execute import execute
    from harness.runner.progress import Silent

    plan, opener = planned("embedded", "prm-math-small", limit=4, samples=2)
    assert not opener.missing
    run = execute(plan, tmp_path, RunTruth(), Silent(), [])
    done = forecast(plan, run.root, "cpu").lines(plan)
    assert [(line.count, line.hours, line.flops) for line in done] == [(0, 0, 0), (0, 0, 0)]
    (pool,) = run.root.glob("pools/*")
    rows = [json.loads(text) for text in (pool / "candidates.jsonl").read_text().splitlines()]
    mean = sum(row["tokens"] for row in rows) / len(rows)
    # Half of a larger run in the same folder: what is left has the length that was measured.
    ledger = pool / "candidates.ledger.jsonl"
    header, unit = (json.loads(text) for text in ledger.read_text().splitlines())
    kept = dict(list(unit["usage"].items())[:2])
    ledger.write_text("\n".join(map(json.dumps, (header, {**unit, "usage": kept}))) + "\n")
    decoded = sum(counts[3] for counts in kept.values())
    maker = forecast(plan, run.root, "cpu")
    left = maker.lines(plan)[0]
    assert left.count == 4
    assert left.policy_tokens == pytest.approx(decoded)
    assert any("measured in" in note for note in maker.notes)
    assert mean != lengths().solution("chain_arithmetic", "math").value


def test_what_nobody_knows_is_unknown_and_said(tmp_path: Path) -> None:
    plan, opener = planned("transformers:Nobody/Something")
    maker = forecast(plan, tmp_path)
    (line,) = maker.lines(plan)
    assert (line.policy_hours, line.flops, total([line]).hours) == (None, None, None)
    assert line.policy_tokens == 80 * 80
    (missing,) = maker.missing
    assert "how large Nobody/Something" in missing.what and "name=" in missing.way
    assert missing.figures == ("policy_flops", "policy_hours")
    named, _ = planned("transformers:Nobody/Something,name=mine-7B")
    assert forecast(named, tmp_path).lines(named)[0].hours
    with pytest.raises(Exception, match="not on this machine"):
        opener.missing[0].extend([])


def misfits(tmp_path: Path, device: str, policy: str, *prms: str, **changed: object) -> list[str]:
    plan, _ = planned(policy, *prms, **changed)
    maker = forecast(plan, tmp_path, device)
    maker.lines(plan)
    return maker.misfits


BIG = POLICY.replace("7B", "72B")


def test_a_model_that_does_not_fit_is_told_with_what_would_help(tmp_path: Path) -> None:
    (said,) = misfits(tmp_path, "h100", BIG)
    for words in (
        "does not fit on h100 (80 GB): 144 GB of weights in bfloat16",
        "engine=vllm,tensor_parallel_size=2",
        "has 36 GB",
    ):
        assert words in said
    assert "tensor_parallel_size=8" in misfits(tmp_path, "rtx4090", BIG)[0]
    assert misfits(tmp_path, "h100", POLICY.replace("7B", "32B")) == []
    assert misfits(tmp_path, "cpu", BIG) == []
    assert misfits(tmp_path, "h100", BIG.replace("72B", "235B-A22B")), "experts are in memory"


def test_cards_and_bits_make_room(tmp_path: Path) -> None:
    vllm = BIG.replace("transformers", "vllm")
    for option in ("tensor_parallel_size=2", "quantization=awq", "quantization=fp8"):
        assert misfits(tmp_path, "h100", f"{vllm},{option}") == []
    (said,) = misfits(tmp_path, "rtx4090", f"{vllm},tensor_parallel_size=2")
    assert "144 GB of weights in bfloat16 on 2 cards" in said
    (said,) = misfits(tmp_path, "rtx4090", f"{vllm},quantization=awq")
    assert "36 GB of weights in awq; tensor_parallel_size=2" in said
    plan, _ = planned(f"{vllm},quantization=gptq")
    maker = forecast(plan, tmp_path)
    maker.lines(plan)
    assert not maker.misfits and any("gptq take is not known" in note for note in maker.notes)


def test_models_that_work_together_need_room_together(tmp_path: Path) -> None:
    policy, prm = POLICY.replace("7B", "32B"), "transformers:Q/Judge-32B,recipe=qwen-prm"
    assert misfits(tmp_path, "h100", policy, prm, methods=("best_of_n",)) == []
    (said,) = misfits(
        tmp_path, "h100", policy, prm, methods=("beam,width=2",), search={"budgets": (4,)}
    )
    assert "do not fit together" in said
    critic = "critic:think-prm,model=transformers:Q/Judge-72B"
    (said,) = misfits(tmp_path, "h100", POLICY, critic, methods=("best_of_n",))
    assert "Judge-72B does not fit" in said
    several = "ensemble:qwen2.5-math-prm-72b+qwen2.5-math-prm-7b"
    (said,) = misfits(tmp_path, "h200", POLICY, several, methods=("best_of_n",))
    assert "144 GB of weights in bfloat16 + 14 GB of weights in bfloat16" in said


def test_tokens_of_models_that_read_the_same_add_up(tmp_path: Path) -> None:
    one, _ = planned(POLICY, "qwen2.5-math-prm-7b")
    two, _ = planned(POLICY, "ensemble:qwen2.5-math-prm-7b+skywork-o1-prm-7b")
    (_, single), (_, double) = (forecast(p, tmp_path).lines(p) for p in (one, two))
    assert double.prm_tokens == pytest.approx(2 * single.prm_tokens)
    assert double.prm_flops == pytest.approx(2 * single.prm_flops, rel=0.01)
    assert double.prm_hours == pytest.approx(2 * single.prm_hours)


def test_a_quantization_of_a_model_that_is_not_here_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match=r"fp8 is an option of vLLM's; add engine=vllm"):
        planned(f"{POLICY},quantization=fp8")
    text = f"{POLICY},engine=vllm,quantization=fp9"
    monkeypatch.setattr("harness.runner.standins.find_spec", lambda name: None)
    _, opener = planned(text)
    assert "quantization=fp9 was not checked" in opener.unchecked[0]
    monkeypatch.setattr("harness.runner.standins.find_spec", lambda name: True)
    monkeypatch.setattr("harness.adapters.vllm_settings.quantizations", lambda: ["fp8", "awq"])
    with pytest.raises(ConfigError, match=r"fp9 does not exist; did you mean 'fp8'"):
        planned(text)
    with pytest.raises(ConfigError, match=r"fp9 does not exist; did you mean 'fp8'"):
        planned(POLICY, f"critic:think-prm,model=[{text}]")


def test_another_engines_speed_is_said_beneath_the_hours(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    command = (
        "plan", "--task", "chain_arithmetic", "--policy", POLICY, "--method", "majority",
        "--budget", "16", "--out", tmp_path, "--device",
    )  # fmt: skip
    for more, wanted in (
        ((), "hours are at the speed of vllm, as nobody measured transformers on h100"),
        (("--engine", "vllm"), "written: "),
    ):
        after = cli(*command, "h100", *more).out.split("one thing after the other")[1].splitlines()
        assert after[1].startswith(wanted)
    assert json.loads(cli(*command, "a100", "--json").out)["speeds"] == {"transformers": "vllm"}
    own, _ = planned("embedded")
    maker = forecast(own, tmp_path, "cpu")
    maker.lines(own)
    assert maker.speeds == {}


def test_misfits_stand_beneath_the_hours_and_brackets_are_printed(  # type: ignore[no-untyped-def]
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    command = (
        "plan", "--task", "chain_arithmetic", "--policy", POLICY, "--prm", "qwen2.5-math-prm-72b",
        "--prm", "ensemble:[qwen2.5-math-prm-7b,dtype=float32]+h4-prm-7b", "--method", "best_of_n",
        "--budget", "16", "--out", tmp_path, "--device", "h100",
    )  # fmt: skip
    done = cli(*command)
    after = done.out.split("one thing after the other")[1].splitlines()
    assert after[2].startswith("qwen2.5-math-prm-72b does not fit on h100 (80 GB)")
    assert "[qwen2.5-math-prm-7b,dtype=float32]+h4-prm-7b scores" in done.out
    assert len(json.loads(cli(*command, "--json").out)["misfits"]) == 1


@pytest.mark.parametrize(
    ("size", "number"),
    [("7B", 7e9), ("0.3M", 3e5), ("7B + 7B", 14e9), ("1.5B by its name", 1.5e9), ("", None)],
)
def test_sizes_in_words(size: str, number: float | None) -> None:
    assert parameters(size) == number


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("transformers:Q/Qwen2.5-7B-Instruct", "7B by its name"),
        ("transformers:Q/Qwen3-30B-A3B", "3B by its name"),
        ("transformers:Q/v2-large", ""),
        ("openai:http://h/v1,model=Q/Llama-3.1-8B,tokenizer=Q/Llama-3.1-8B", "8B by its name"),
    ],
)
def test_a_size_by_name(text: str, size: str) -> None:
    found = Opener().policy(text, open_policy)
    assert isinstance(found, StandIn) and found.size == size


def test_the_runs_engine_is_that_of_models_that_are_not_here() -> None:
    opener = Opener("vllm")
    policy, prm = opener.policy(POLICY, open_policy), opener.prm("qwen2.5-math-prm-7b", open_prm)
    own = opener.policy(f"{POLICY},engine=transformers", open_policy)
    assert [one.spec.adapter for one in (policy, prm, own)] == ["vllm", "vllm", "transformers"]


@pytest.mark.parametrize(
    ("family", "method"), [("pairwise", "tournament"), ("think-prm", "beam,width=2")]
)
def test_what_a_critic_writes_in_a_search_is_not_known(
    tmp_path: Path, family: str, method: str
) -> None:
    critic = f"critic:{family},model=transformers:Q/Judge-7B"
    plan, _ = planned(POLICY, critic, methods=(method,), search={"budgets": (4,)})
    maker = forecast(plan, tmp_path)
    (line,) = maker.lines(plan)
    assert line.policy_tokens and line.policy_hours
    assert (line.prm_tokens, line.flops, line.prm_hours, line.hours) == (None,) * 4
    assert line.known().flops == line.policy_flops > 0
    assert any("writes before it judges" in one.what for one in maker.missing)


def test_sums_of_what_is_known_are_told_with_what_is_missing(tmp_path: Path) -> None:
    """Every figure that is unknown has a reason, and what is left out of a sum is not negative."""
    critic = "critic:think-prm,model=transformers:Q/Judge-7B"
    plan, _ = planned(POLICY, critic, "qwen2.5-math-prm-7b", methods=("best_of_n",))
    maker = forecast(plan, tmp_path)
    lines = maker.lines(plan)
    whole, least = total(lines), at_least(lines)
    unknown = {name for name in FIGURES if getattr(whole, name) is None}
    assert unknown == {name for one in maker.missing for name in one.figures}
    assert unknown == {"prm_tokens", "prm_flops", "prm_hours"}
    assert whole.hours is None and whole.flops is None
    (known,) = (line for line in lines if line.work.startswith("qwen2.5-math-prm-7b"))
    assert least.prm_hours == known.prm_hours
    assert least.hours == pytest.approx(sum(line.known().hours for line in lines))


def test_critiques_of_given_solutions_are_counted(tmp_path: Path) -> None:
    """How long one is is not known, but how many there are, and what 100 tokens of each take."""
    for family, by_step in (("processbench", False), ("think-prm-prefixes", True)):
        critic = f"critic:{family},model=vllm:Q/Judge-7B,chains=3"
        plan, _ = planned("fake:echo", critic, tasks=("chain_errors_arithmetic",))
        maker = forecast(plan, tmp_path)
        maker.lines(plan)
        (problems,) = {len(entry.source.problems) for entry in plan.scores}
        steps = sum(len(p.steps) for p in plan.scores[0].source.problems)
        critiques = 3 * (steps if by_step else problems)
        speed = throughputs().rate("decode", "h100", "vllm", 7e9)
        assert speed is not None
        (missing,) = maker.missing
        hours = 100 * critiques / speed.value / 3600
        assert f"100 tokens of its {critiques:,} critiques take {hours:.2g} hours" in missing.way
    plan, _ = planned(POLICY, critic, methods=("best_of_n",))
    maker = forecast(plan, tmp_path)
    maker.lines(plan)
    assert "critiques" not in maker.missing[0].way


def test_grading_goes_by_what_this_run_has_measured(tmp_path: Path) -> None:
    from harness.runner.execute import execute
    from harness.runner.progress import Silent

    plan, _ = planned("embedded", limit=4, samples=2)
    run = execute(plan, tmp_path, RunTruth(), Silent(), [])
    (pool,) = run.root.glob("pools/*")
    ledger = pool / "grades.ledger.jsonl"
    header, unit = (json.loads(text) for text in ledger.read_text().splitlines())
    kept = dict(list(unit["usage"].items())[:2])
    half = {**unit, "usage": kept, "seconds": 36.0}
    ledger.write_text("\n".join(map(json.dumps, (header, half))) + "\n")
    maker = forecast(plan, run.root, "cpu")
    (line,) = maker.lines(plan)
    assert line.grading_hours == pytest.approx(0.01)
    assert any("graded per second, in" in note for note in maker.notes)


def test_the_command_says_what_is_known_at_least_and_what_is_missing(  # type: ignore[no-untyped-def]
    cli, tmp_path: Path
) -> None:
    command = (
        "plan", "--task", "chain_arithmetic", "--policy", POLICY, "--prm",
        "critic:think-prm,model=transformers:Q/Judge-7B", "--method", "best_of_n",
        "--budget", "512", "--out", tmp_path, "--device", "h100",
    )  # fmt: skip
    told = json.loads(cli(*command, "--json").out)
    assert told["total"]["hours"] is None and told["total"]["prm_tokens"] is None
    least = told["at_least"]["hours"]
    assert least == told["total"]["policy_hours"] + told["total"]["grading_hours"]
    (missing,) = told["missing"]
    assert missing["figures"] == ["prm_tokens", "prm_flops", "prm_hours"]
    done = cli(*command)
    (line,) = (line for line in done.out.splitlines() if "at least" in line)
    said = float(line.split("at least ")[1].split()[0])
    assert 0.9 * least < said <= least
    for words in ("not known: how much", "writes before it judges (read, FLOPs, PRM h)", "--limit"):
        assert words in done.out


@pytest.mark.parametrize(
    ("least", "said"), [(0.436, "≥0.43"), (5.69e17, "≥5.6e17"), (1999, "≥1,900"), (0.0001, "?")]
)
def test_what_is_known_at_least_is_rounded_down(least: float, said: str) -> None:
    from harness.cli.device import _number

    assert _number(None, least) == said


def test_the_command_says_hours_and_sources(cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    command = (
        "plan", "--task", "chain_arithmetic", "--policy", POLICY, "--prm", "qwen2.5-math-prm-7b",
        "--method", "best_of_n", "--budget", "16", "--out", tmp_path,
    )  # fmt: skip
    done = cli(*command, "--device", "h100")
    assert done.code == 0, done.err
    for said in ("policy h", "on NVIDIA H100 SXM", "derived: 6,403 of Qwen3-8B", "gpustack", "[1]"):
        assert said in done.out
    made = json.loads(cli(*command, "--device", "a100", "--json").out)
    assert made["device"]["name"] == "a100" and made["total"]["hours"] > 0
    assert {line["task"] for line in made["lines"]} == {"chain_arithmetic"}
    wrong = cli(*command, "--device", "a10")
    assert wrong.code == 2 and "did you mean 'a100'" in wrong.err


def test_searches_are_no_drafts(  # type: ignore[no-untyped-def]
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many drafts a search writes is not known; how many searches there are is."""
    monkeypatch.setenv("COLUMNS", "120")
    command = (
        "plan", "--task", "chain_arithmetic", "--policy", "embedded", "--prm", "prm-math-small",
        "--method", "best_of_n", "--method", "beam,width=2", "--set", "search.budgets=[8]",
        "--budget", "4", "--limit", "5", "--out", tmp_path,
    )  # fmt: skip
    for more in ((), ("--device", "cpu")):
        out = cli(*command, *more).out
        (pool,) = (line for line in out.splitlines() if "generate" in line or "pool of 4" in line)
        (search,) = (line for line in out.splitlines() if "beam,width=2 n=8" in line)
        assert " 20 " in pool and " 5 searches " in search
