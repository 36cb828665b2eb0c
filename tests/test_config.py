"""A configuration is checked where it enters: every mistake names file, line and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import (
    SearchConfig,
    Sweep,
    changed_keys,
    load_sweep,
    parse_setting,
    preset_names,
    settled,
)
from harness.errors import ConfigError


def _file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tasks: [a]\nsampels: 4\n",
            r"sweep.yaml:2: unknown key 'sampels'; did you mean 'samples'\?",
        ),
        ("tasks: [a]\nsampling:\n  temprature: 1\n", r"sweep.yaml:3: .*did you mean 'temperature'"),
        ("tasks: [a]\nsamples: many\n", r"sweep.yaml:2: samples: "),
        (
            "tasks: [a]\nbudgets: [0, 2]\n",
            r"sweep.yaml:2: budgets: budgets are whole numbers from 1 up",
        ),
        ("tasks: [a\n", r"sweep.yaml:\d: not YAML"),
        ("- tasks\n", r"a mapping of keys"),
        ("samples: 4\n", r"no tasks; name a preset"),
        ("tasks: [a]\nsampling:\n  top_p: 0\n", r"sweep.yaml:3: sampling.top_p: "),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_sweep(_file(tmp_path, text), {})


def test_mistakes_on_the_command_line_say_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"command line: unknown key 'sead'; did you mean 'seed'"):
        load_sweep(_file(tmp_path, "tasks: [a]\n"), {"sead": 1})
    with pytest.raises(ConfigError, match=r"command line: sampling\.temperature"):
        load_sweep(_file(tmp_path, "tasks: [a]\n"), {"sampling.temperature": "hot"})
    with pytest.raises(ConfigError, match="has no keys below it"):
        load_sweep(_file(tmp_path, "tasks: [a]\n"), {"tasks.x": 1})
    with pytest.raises(ConfigError, match="command line: seed: "):
        load_sweep(_file(tmp_path, "tasks: [a]\n"), {"seed.x": 1})


def test_unknown_preset_and_file() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'embeded'; did you mean 'embedded'\?"):
        load_sweep("embeded", {})
    with pytest.raises(ConfigError, match=r"gone\.yaml: No such file"):
        load_sweep("gone.yaml", {})


def test_command_line_beats_yaml_beats_defaults(tmp_path: Path) -> None:
    file = _file(tmp_path, "tasks: [a]\nseed: 3\nsampling: {temperature: 0.5, top_p: 0.9}\n")
    sweep = load_sweep(file, {"sampling.temperature": 0.7})
    assert (
        sweep.seed,
        sweep.sampling.temperature,
        sweep.sampling.top_p,
        load_sweep(None, {"tasks": ["a"]}).sampling.temperature,
    ) == (3, 0.7, 0.9, 1)


def test_settings_are_yaml() -> None:
    assert parse_setting("sampling.temperature=0.7") == ("sampling.temperature", 0.7)
    assert parse_setting("budgets=[1,4]") == ("budgets", [1, 4])
    with pytest.raises(ConfigError, match="write key=value"):
        parse_setting("seed")


def test_every_setting_is_part_of_the_identity_but_who_does_the_work() -> None:
    base = Sweep(tasks=("a",))
    others = {
        "name": "x",
        "tasks": ("b",),
        "policies": ("p",),
        "prms": ("p",),
        "methods": ("greedy",),
        "samples": 2,
        "budgets": (1,),
        "aggregations": ("min",),
        "sampling": {"temperature": 0.1},
        "search": {"replicas": 2},
        "threshold": 0.4,
        "tune_threshold_on": "a",
        "seed": 1,
        "limit": 5,
        "include": ("x",),
    }
    # Figures of others change no result (tests/test_presets.py), nor does who does the work.
    assert set(Sweep.model_fields) == {*others, "published", "engine", "ray", "unit"}
    digests = {Sweep(**{"tasks": ("a",), key: value}).digest for key, value in others.items()}
    assert len({base.digest, *digests}) == 1 + len(others)
    assert Sweep(tasks=("a",), engine="ray", ray={"workers": 2}, unit=8).digest == base.digest


def test_an_engine_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"engine: input should be 'default', 'vllm' or 'ray'"):
        load_sweep(_file(tmp_path, "tasks: [a]\nengine: rey\n"), {})


def test_every_setting_of_searches_is_part_of_the_identity_but_the_speed() -> None:
    others = {
        "budgets": (2,),
        "prms": ("p",),
        "limit": 5,
        "replicas": 2,
        "cut": "tokens:5",
        "policy_tokens": 9,
        "flops": 1e9,
        "seconds": 3.0,
        "latency": 1,
    }
    assert set(SearchConfig.model_fields) == {*others, "concurrency"}
    base = Sweep(tasks=("a",))
    made = [Sweep(tasks=("a",), search={key: value}).digest for key, value in others.items()]
    assert len({base.digest, *made}) == 1 + len(others)
    assert Sweep(tasks=("a",), search={"concurrency": 2}).digest == base.digest


def test_the_larger_version_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("tasks: [a]\nlimit: 5\nfull:\n  limit: 50\n  search.budgets: [2, 8]\n")
    assert load_sweep(str(file), {}).limit == 5
    larger = load_sweep(str(file), {}, full=True)
    assert (larger.limit, larger.search.budgets) == (50, (2, 8))
    assert load_sweep(str(file), {"limit": 7}, full=True).limit == 7
    file.write_text("tasks: [a]\n")
    with pytest.raises(ConfigError, match="no larger version"):
        load_sweep(str(file), {}, full=True)


def test_other_prms_than_a_files_own_all_steer(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("tasks: [a]\nprms: [p, q]\nsearch:\n  prms: [q]\n  limit: 3\n")
    assert load_sweep(str(file), {}).search.prms == ("q",)
    other = load_sweep(str(file), {"prms": ["r"]}).search
    assert (other.prms, other.limit) == (None, 3)
    assert load_sweep(str(file), {"prms": ["r"], "search.prms": ["r"]}).search.prms == ("r",)
    file.write_text("tasks: [a]\nsearch: 3\n")
    with pytest.raises(ConfigError, match="search"):
        load_sweep(str(file), {"prms": ["r"]})


def test_what_says_how_a_machine_is_used_changes_nothing() -> None:
    given = [
        "embedded,engine=vllm,cache=10000,gpu_memory_utilization=0.5",
        "critic:x,model=[transformers:a/b,batch=8],per=step",
        "ensemble:[m,batch=4,steps=each]+n",
        "http://localhost:8000,protocol=vllm,timeout=1e+5,model=m,key=MY_KEY",
        "transformers:/data,batchless/m,batches=3",
        "python:mine:Prm,rate=3",
        "transformers:m,device=cuda:0",
    ]
    assert [settled(text) for text in given] == [
        "embedded,engine=vllm",
        "critic:x,model=[transformers:a/b],per=step",
        "ensemble:[m,steps=each]+n",
        "http://localhost:8000,protocol=vllm,model=m",
        "transformers:/data,batchless/m,batches=3",
        "python:mine:Prm,rate=3",
        "transformers:m,device=cuda:0",
    ]
    old = {"prms": ["a,batch=1", "b"], "seed": 0}
    assert not changed_keys(old, {"prms": ["a", "b,batch=2", "a,cache=9"], "seed": 0})
    assert changed_keys(old, {"prms": ["a", "c"], "seed": 0}) == ["prms: ['a', 'b'] → ['a', 'c']"]


def test_changed_keys_are_listed() -> None:
    assert changed_keys({"seed": 0}, {"seed": 1, "x": 2}) == ["seed: 0 → 1", "x: None → 2"]


def test_every_preset_is_valid() -> None:
    assert "embedded" in preset_names()
    for name in preset_names():
        load_sweep(name, {})
