"""Catalogues ship readable entries and are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.adapters.entries import load
from harness.errors import ConfigError
from harness.policies import catalog as policies
from harness.prms import catalog as prms
from harness.prms.aggregate import check, check_semantics

GOOD = "a: {adapter: pool, target: f, domains: [math], licence: MIT, note: n}\n"


def test_shipped_names() -> None:
    assert list(policies.entries()) == ["embedded"]
    assert set(prms.entries()) == {
        "prm-math-small",
        "prm-math-medium",
        "prm-math-large",
        "prm-math-medium-mc",
        "prm-code",
        "prm-mixed",
    }


def test_every_shipped_prm_declares_a_legal_aggregation() -> None:
    for name, entry in prms.entries().items():
        assert name == entry.spec.name
        options = entry.spec.options
        check(str(options["aggregation"]), check_semantics(str(options["semantics"])))


def test_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(GOOD)
    assert load(tmp_path / "c.yaml")["a"].domains == ("math",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + GOOD, r"c.yaml:2: 'a' is here twice"),
        (GOOD.replace("licence", "license"), "no key 'license'; did you mean 'licence'"),
        (GOOD.replace("note: n", ""), "'a' lacks 'note'"),
        (GOOD.replace("[math]", "math"), "'domains' of 'a' must be a list"),
        (GOOD.replace("pool", "3"), "'adapter' of 'a' must be a text"),
        (GOOD.replace("note: n", "note: n, options: [1]"), "'options' of 'a' must map"),
        ("a: b\n", "must be a mapping"),
        ("- a\n", "a catalogue is a mapping"),
        ("a: [\n", r"c.yaml:2: not valid YAML"),
    ],
)
def test_broken_ones(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(tmp_path / "c.yaml")
