"""Catalogues ship readable entries and are read strictly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.adapters.entries import load
from harness.adapters.options import Options
from harness.errors import ConfigError
from harness.policies import catalog as policies
from harness.prms import catalog as prms
from harness.prms.aggregate import check
from harness.prms.critics import recipe as critics
from harness.prms.recipe import from_options, with_recipe
from harness.registry import POLICIES, parse_spec

GOOD = "a: {adapter: pool, target: f, domains: [math], licence: MIT, note: n}\n"


def test_shipped_names() -> None:
    assert list(policies.entries()) == [
        "embedded", "qwen2.5-math-7b-instruct", "qwen2.5-coder-7b-instruct",
    ]  # fmt: skip
    ours = {name for name, one in prms.entries().items() if one.spec.target.startswith("embedded:")}
    assert ours == {
        "prm-math-small",
        "prm-math-medium",
        "prm-math-large",
        "prm-math-medium-mc",
        "prm-code",
        "prm-mixed",
    }
    assert len(prms.entries()) >= len(ours) + 17


def test_every_shipped_prm_has_a_recipe_that_can_be_read() -> None:
    for name, entry in prms.entries().items():
        assert name == entry.spec.name and entry.size and entry.base and entry.data
        if entry.spec.adapter == "critic":
            spec = critics.with_recipe(entry.spec)
            assert str(spec.options["model"]).startswith("transformers:")
            critic = critics.from_options(Options(spec, "PRM"))
            check(critic.aggregation, critic.semantics)
            continue
        recipe = from_options(Options(with_recipe(entry.spec), "PRM"))
        check(recipe.aggregation, recipe.semantics)
        assert not entry.spec.target.startswith("embedded:") or recipe.semantics == "p_correct"


def test_revisions_are_whole_commits_and_reach_the_loader() -> None:
    pinned = re.compile("[0-9a-f]{40}")
    found = 0
    for entry in (*prms.entries().values(), *policies.entries().values()):
        options = dict(entry.spec.options)
        if "model" in options:  # of a critic
            writer = parse_spec(str(options["model"]), adapters=POLICIES, catalog={}, what="policy")
            assert writer.target.count("/") == 1
            options = dict(writer.options)
        for key in ("revision", "reference_revision"):
            if key in options:
                assert pinned.fullmatch(str(options[key])), entry.spec.name
                found += 1
    assert found >= 13


def test_published_means_are_those_of_their_parts() -> None:
    """ProcessBench's mean is that of its subsets, unweighted; a slip of the pen shows here."""
    found = 0
    for entry in prms.entries().values():
        for benchmark, figures in entry.published.items():
            assert entry.source_of(benchmark)
            parts = [figure for part, figure in figures.items() if part != "mean"]
            if parts and "mean" in figures:
                assert abs(sum(parts) / len(parts) - figures["mean"]) <= 0.051
                found += 1
    assert found >= 16


def test_a_benchmark_can_have_a_source_of_its_own(tmp_path: Path) -> None:
    figures = "published: {F1: {a: 3}, rm@8: {a: 4, source: there}, source: here}"
    (tmp_path / "c.yaml").write_text(GOOD.replace("note: n", f"note: n, {figures}"))
    entry = load(tmp_path / "c.yaml")["a"]
    assert entry.published == {"F1": {"a": 3}, "rm@8": {"a": 4}}
    assert (entry.source_of("F1"), entry.source_of("rm@8")) == ("here", "there")
    # Boards cite all of an entry's figures on ProcessBench from one source.
    shipped = [one for one in prms.entries().values() if "ProcessBench F1" in one.published]
    assert all(one.source_of("ProcessBench F1") == one.source for one in shipped)


def test_figures_without_a_declared_threshold_have_a_tuned_one() -> None:
    for name, entry in prms.entries().items():
        if entry.spec.adapter != "critic" and "ProcessBench F1" in entry.published:
            recipe = from_options(Options(with_recipe(entry.spec), "PRM"))
            assert recipe.threshold is not None or entry.threshold_rule == "tuned", name
    tuned = {name for name, entry in prms.entries().items() if entry.threshold_rule == "tuned"}
    assert {"skywork-o1-prm-1.5b", "skywork-o1-prm-7b", "eurusprm-stage1"} < tuned
    assert not {"qwen2.5-math-prm-7b", "math-shepherd-7b", "r-prm-7b-dpo"} & tuned


def test_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(GOOD)
    found = load(tmp_path / "c.yaml")["a"]
    assert (found.domains, found.threshold_rule) == (("math",), "fixed")
    (tmp_path / "c.yaml").write_text(GOOD.replace("note: n", "note: n, threshold_rule: tuned"))
    assert load(tmp_path / "c.yaml")["a"].threshold_rule == "tuned"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + GOOD, r"c.yaml:2: 'a' is here twice"),
        (GOOD.replace("licence", "license"), "no key 'license'; did you mean 'licence'"),
        (GOOD.replace("note: n", ""), "'a' lacks 'note'"),
        (GOOD.replace("[math]", "math"), "'domains' of 'a' must be a list"),
        (GOOD.replace("pool", "3"), "'adapter' of 'a' must be a text"),
        (GOOD.replace("note: n", "note: n, options: [1]"), "'options' of 'a' must map"),
        (GOOD.replace("note: n", "note: n, size: 7"), "'size' of 'a' must be a text"),
        (GOOD.replace("note: n", "note: n, threshold_rule: 0.5"), "'a' must be fixed or tuned"),
        (GOOD.replace("note: n", "note: n, published: {F1: 3}"), "by their parts"),
        (GOOD.replace("note: n", "note: n, published: {F1: {a: 3}}"), "figures need a source"),
        (GOOD.replace("note: n", "note: n, published: {F1: {a: 3, source: 1}}"), "by their parts"),
        (GOOD.replace("note: n", "note: n, published: {source: s}"), "a source figures"),
        ("a: b\n", "must be a mapping"),
        ("- a\n", "a catalogue is a mapping"),
        ("a: [\n", r"c.yaml:2: not valid YAML"),
    ],
)
def test_broken_ones(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(tmp_path / "c.yaml")
