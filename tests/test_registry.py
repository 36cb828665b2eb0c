"""Names on the command line become specs; a wrong one is met with the nearest right one."""

from __future__ import annotations

import pytest

from harness.errors import ConfigError
from harness.registry import POLICIES, PRMS, adapter_class, parse_spec, with_engine
from harness.types import Spec

CATALOG = {"small": Spec("small", "transformers", "embedded:small", {"batch": 4})}


def _parse(text: str) -> Spec:
    return parse_spec(text, adapters=PRMS, catalog=CATALOG, what="PRM")


def test_adapter_target_and_options() -> None:
    assert Spec("x", "recorded", "a,b/x.jsonl.gz", {"covers": "prefix", "n": 3}) == _parse(
        "recorded:a,b/x.jsonl.gz,covers=prefix,n=3"
    )


def test_a_name_can_be_given() -> None:
    assert Spec("mine", "fake", "noisy", {"p": 0.9}) == _parse("fake:noisy,p=0.9,name=mine")


def test_catalogue_entries_take_options_on_top() -> None:
    assert Spec("small", "transformers", "embedded:small", {"batch": 8}) == _parse("small,batch=8")


def test_escapes_in_double_quotes() -> None:
    assert _parse('fake:oracle,separator="\\n\\n"').options == {"separator": "\n\n"}


def test_a_hub_id_keeps_its_owner() -> None:
    assert _parse("transformers:Qwen/Qwen2.5-Math-PRM-7B").name == "Qwen/Qwen2.5-Math-PRM-7B"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("smal", "unknown PRM 'smal'; did you mean 'small'"),
        ("recordet:x", "unknown PRM adapter 'recordet'; did you mean 'recorded'.$"),
        ("mine:Scorer,a=1", "valid: .*; code of your own: python:mine:Scorer$"),
        ("recorded:", "names no target"),
        ("small,name=", "name= is empty"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _parse(text)


def test_every_adapter_can_be_imported() -> None:
    for adapters in (POLICIES, PRMS):
        for name in adapters:
            assert adapter_class(Spec("x", name, "y"), adapters).__name__


def test_how_members_use_a_machine_is_not_in_their_name() -> None:
    def name(text: str) -> str:
        return parse_spec(text, adapters=PRMS, catalog={}, what="PRM").name

    members = "ensemble:[fake:noisy,batch={0},p=0.5]+fake:oracle"
    assert (
        name(members.format(4))
        == name(members.format(8))
        == name(members.replace(",batch={0}", ""))
    )
    assert name(members.format(4)) != name(members.format(4).replace("0.5", "0.6"))


def test_what_stands_in_brackets_keeps_its_options() -> None:
    text = "critic:r-prm,model=[transformers:org/net,batch=8],chains=2"
    spec = Spec(
        "r-prm by org/net",
        "critic",
        "r-prm",
        {"model": "[transformers:org/net,batch=8]", "chains": 2},
    )
    assert _parse(text) == spec
    assert _parse("critic:r-prm,model=small").name == "r-prm by small"
    entry = {"mine": Spec("mine", "critic", "r-prm", {"model": "transformers:org/net"})}
    found = parse_spec("mine,model=[pool:a,b=1],chains=2", adapters=PRMS, catalog=entry, what="PRM")
    assert found == Spec("mine", "critic", "r-prm", {"model": "[pool:a,b=1]", "chains": 2})


def test_a_prm_that_is_given_other_steps_is_called_so() -> None:
    assert _parse("small,steps=join:2").name == "small,steps=join:2"
    assert _parse("small,steps=each").name == "small"
    assert _parse('recorded:a/x.jsonl,steps="delimiter:\\n\\n"').name == r"x,steps=delimiter:\n\n"
    assert _parse("small,steps=whole,name=orm").name == "orm"


def test_a_run_s_engine_is_for_those_that_say_none_themselves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def adapter(name: str, **options: str | bool) -> str:
        return with_engine(Spec("x", name, "T", options), "vllm").adapter

    assert adapter("transformers") == adapter("vllm") == "vllm"
    assert adapter("transformers", engine="transformers") == "transformers"
    assert adapter("fake") == "fake" and not caplog.records
    kept = ({"trust_remote_code": True}, {"device": "cpu"})
    assert [adapter("transformers", **options) for options in kept] == ["transformers"] * 2
    said = [one.getMessage() for one in caplog.records]
    assert len(said) == 2 and "x keeps its engine, transformers: vLLM gets no code" in said[0]
    assert with_engine(Spec("x", "transformers", "T"), "ray").adapter == "transformers"
