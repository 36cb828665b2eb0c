"""Critics with scripted writers: what is asked, read, counted, joined and charged."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError, DataError
from harness.prms.critics import recipe as recipes
from harness.prms.critics import verdicts
from harness.prms.critics.critic import CriticPrm
from harness.prms.prm import Prm
from harness.registry import open_prm
from harness.stats import Judged as Solution
from harness.stats import Subset
from harness.types import Draft, Judge, Judged, Question, StepScores

STEPS = ("a=47+38\n", "a=85\n", "\\boxed{85}\n")
Answers = Mapping[str, str | tuple[str, dict[str, float]]]


@pytest.fixture
def open_(tmp_path: Path) -> Callable[..., CriticPrm]:
    """Open a critic whose answers, by case and chain, are given."""

    def open_it(family: str, answers: Answers, **options: object) -> CriticPrm:
        rows = []
        for id_, answer in answers.items():
            text, words = answer if isinstance(answer, tuple) else (answer, {})
            rows.append({"id": id_, "texts": [text], "words": words})
        path = tmp_path / "script.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        more = "".join(f",{key}={value}" for key, value in options.items())
        prm = open_prm(f"critic:{family},model=[fake:{path}]{more}")
        assert isinstance(prm, CriticPrm) and isinstance(prm, Prm)
        return prm

    return open_it


def judge(prm: Prm, *drafts: tuple[str, ...], id: str = "p") -> Judged:
    return prm.judge([Judge(Question("t", id, "a=47+38;a?\n"), tuple(map(Draft, drafts)))])[0]


def only(reply: Judged) -> StepScores:
    (scores,) = reply.scores
    assert scores is not None
    return scores


# --- an index ------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [-1, 0, 1, 2])
def test_the_metric_finds_the_index_that_was_said(open_, said: int) -> None:
    scores = only(
        judge(open_("processbench", {"p/3/0": f"\\boxed{{7}} no, \\boxed{{{said}}}."}), STEPS)
    )
    assert len(scores.values) == 3 and scores.unparsed == 0
    for label in (-1, 0, 1, 2):
        subset = Subset.of("x", [Solution(scores.values, label)])
        for threshold in (0.5, 1e-9, 1.0):
            assert bool(subset.found(threshold)[0]) == (said == label)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "none",
            "\\boxed{}",
            "\\boxed{two}",
            "\\boxed{3}",
            "\\boxed{-2}",
            "\\boxed{1.0}",
            "\\boxed{1",
        ),
        "\\boxed{1} or rather \\boxed{\\text{-1}}",
        "\\boxed{" + "9" * 5000 + "}",
        "\\boxed{" * 50_000,
    ],
)
def test_what_is_no_index_is_told_and_wrong(open_, caplog, text: str) -> None:
    prm = open_("processbench", {"p/3/0": text})
    with caplog.at_level(logging.WARNING):
        reply = judge(prm, STEPS)
    scores = only(reply)
    assert (scores.values, scores.unparsed) == ((), 1.0)
    assert "1 of 1 answers hold no verdict" in caplog.text
    assert reply.tokens.decode == min(len(text), 8192)
    for label in (-1, 0, 1, 2):
        assert not Subset.of("x", [Solution(scores.values, label)]).found(0.5)[0]


def test_chains_vote_and_silence_is_a_vote(open_) -> None:
    def voted(*said: str) -> StepScores:
        answers = {f"p/3/{i}": text for i, text in enumerate(said)}
        return only(judge(open_("processbench", answers, chains=len(said)), STEPS))

    one, two, none = "\\boxed{1}", "\\boxed{2}", "I do not know"
    assert voted(two, one, one).values == (1, 0, 0)
    assert voted(two, one).values == (1, 1, 0)  # of equally frequent ones the first
    assert voted(none, one, two, one) == pytest.approx(voted(none, one, two, one))
    assert (voted(none, one, two, one).values, voted(none, one, two, one).unparsed) == (
        (1, 0, 0),
        0.25,
    )
    assert (voted(none, one, none).values, voted(none, one, none).unparsed) == ((), 1.0)


def test_a_mean_of_verdicts_is_the_share_that_calls_a_step_right(open_) -> None:
    answers = {"p/3/0": "\\boxed{1}", "p/3/1": "\\boxed{-1}", "p/3/2": "?", "p/3/3": "\\boxed{2}"}
    prm = open_("processbench", answers, chains=4, combine="mean")
    scores = only(judge(prm, STEPS))
    assert scores.values == pytest.approx((1, 2 / 3, 1 / 3)) and scores.unparsed == 0.25
    assert (prm.semantics, prm.aggregation, prm.threshold) == ("p_correct", "min", 0.5)
    prm = open_("processbench", answers)
    assert (prm.semantics, prm.aggregation, prm.threshold) == ("verdict", "min", 0.5)


def test_a_critique_that_is_cut_is_told(open_, caplog) -> None:
    prm = open_("processbench", {"p/3/0": "so \\boxed{1}"}, max_tokens=9)
    with caplog.at_level(logging.WARNING):
        scores = only(judge(prm, STEPS))
    assert scores.truncated and scores.values == () and scores.tokens is not None
    assert "1 of 1 answers hold no verdict; 1 were cut at max_tokens" in caplog.text


# --- labels and lists ----------------------------------------------------------------------------


def test_labels_are_read_up_to_the_first_wrong_one() -> None:
    def read(text: str) -> int | None:
        return verdicts.labels(text, 3, "correct", "incorrect")

    good, bad = "Step: \\boxed{correct}. ", "Step: \\boxed{Incorrect}. "
    assert read(good * 3) == -1 == read(good + "so \\boxed{85} " + good * 2)
    assert [read(bad), read(good + bad), read(good * 2 + bad)] == [0, 1, 2]
    assert [read(""), read(good * 2), read("correct incorrect")] == [None] * 3
    assert read(good * 3 + bad) == -1  # of a step that is not there


def test_lists_are_read_and_malformed_ones_counted(open_, caplog) -> None:
    good = {"validity": [1, -0.25, 0.5], "redundancy": [-1, 0, 1]}
    text = f"First {{a}}: {json.dumps({'validity': [0, 0, 0]})}, but: {json.dumps(good)} so."
    prm = open_("prmbench", {"p/3/0": text})
    assert only(judge(prm, STEPS)).values == (1, -0.25, 0.5)
    assert (prm.semantics, prm.threshold) == ("value", 0.0)
    other = open_("prmbench", {"p/3/0": text}, field="redundancy")
    assert other.threshold is None  # a step that is needed is not wrong
    assert open_("prmbench", {}, field="redundancy", threshold=0.2).threshold == 0.2
    assert open_("prmbench", {}).threshold == 0.0
    assert only(judge(other, STEPS)).values == (-1, 0, 1)
    two = {"p/3/0": text, "p/3/1": json.dumps({"validity": [0, 0, 0]}), "p/3/2": "{"}
    found = only(judge(open_("prmbench", two, chains=3), STEPS))
    assert found.values == pytest.approx((0.5, -0.125, 0.25))
    assert found.unparsed == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "text",
    [
        '{"validity": [1, 1]}',
        '{"validity": [1, 1, 2]}',
        '{"validity": [1, 1, NaN]}',
        '{"validity": [1, 1, true]}',
        '{"validity": [1, 1, "1"]}',
        '{"validity": 1}',
        '{"Validity": [1, 1, 1]}',
        '{"validity": [1, 1, 1]',
        "[1, 1, 1]",
        '{"validity": ' + "[" * 100_000,
        "{" * 100_000,
        '{"a":' * 50_000,
        '{"validity": [1, 1, 1' + "0" * 5000 + "]}",
    ],
)
def test_what_is_no_list_is_no_verdict(text: str) -> None:
    assert verdicts.numbers(text, 3, "validity") is None


# --- words ---------------------------------------------------------------------------------------


def test_a_solution_has_the_mean_probability_of_its_chains(open_) -> None:
    answers = {
        "p/3/0": ("\nLet's verify step by step: fine", {"yes": 0.3, "no": 0.1}),
        "p/3/1": (
            "\nLet's verify step by step: bad. Is the solution correct? no",
            {"yes": 0.2, "no": 0.6},
        ),
    }
    prm = open_("think-prm", answers, chains=2)
    scores = only(judge(prm, STEPS))
    assert scores.values == pytest.approx(((0.75 + 0.25) / 2,))
    assert (prm.covers, prm.semantics, scores.truncated) == ("whole", "p_correct", False)
    # A chain is one sequence: conversation and beginning, what was written, the question put.
    begin, asked = "\nLet's verify step by step:", "\nIs the solution correct? "
    prompt = len(_prompt(prm))
    written = len(" fine") + len(" bad. Is the solution correct?")
    reply = judge(prm, STEPS)
    assert reply.tokens.decode == written and reply.tokens.calls == 2
    stop = len("Is the solution correct?")  # decoded and cut off: read over by what is put in
    tails = len("es") + len("o")
    sizes = [
        prompt + len(begin + " fine" + asked) + tails,
        max(prompt + len(begin + " bad. ") + stop, prompt + len(begin + " bad. " + asked) + tails),
    ]
    assert scores.tokens == sum(sizes)
    assert reply.tokens.prefill_logical == sum(sizes) - written


def _prompt(prm: CriticPrm) -> str:
    """Return what is asked of `STEPS`."""
    from harness.prms.critics.questions import case

    found = case(prm._recipe, Question("t", "p", "a=47+38;a?\n"), STEPS)
    return "".join(turn.text for turn in found.question.chat)


def test_every_beginning_or_every_step_has_its_own(open_) -> None:
    words = [{"yes": p, "no": 1 - p} for p in (0.9, 0.6, 0.2)]
    begin = "\nLet's verify step by step:"
    prm = open_("think-prm-prefixes", {f"p/{k + 1}/0": (begin, w) for k, w in enumerate(words)})
    found = judge(prm, STEPS, STEPS[:2], STEPS, ())
    assert found.scores[0] and found.scores[0].values == pytest.approx((0.9, 0.6, 0.2))
    assert found.scores[1] and found.scores[1].values == pytest.approx((0.9, 0.6))
    assert found.scores[2] == found.scores[0] and found.scores[3] is None
    assert prm.covers == "steps"
    # Critiques of what drafts have in common are written once.
    assert found.tokens.calls == 8 and found.tokens.decode == judge(prm, STEPS).tokens.decode


def test_r_prm_is_read_after_its_question_or_at_a_forced_one(open_) -> None:
    asked = "Verification: Is the step correct (Yes/No)?"
    answers = {
        "p/1/0": (f"It is. {asked} No. {asked} Yes", {" Yes": 0.5, " No": 0.1}),
        "p/2/0": ("It is not", {" Yes": 0.1, " No": 0.3}),
    }
    prm = open_("r-prm", answers, chains=1)
    reply = judge(prm, STEPS[:2])
    assert only(reply).values == pytest.approx((5 / 6, 1 / 4))
    # It is cut where the question stands for the first time.
    assert reply.tokens.decode == len(f"It is. {asked}") + len("It is not")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("\\boxed{Yes}", 7),
        ("\\boxed{no} and \\boxed{yes}$", 22),
        ("\\boxed{Yes} and \\boxed{5}", 7),
        ("\\boxed{", 7),
        ("\\boxed{5}", None),
        ("Yes", None),
        ("", None),
    ],
)
def test_words_are_weighed_after_the_last_mark_that_they_follow(text: str, at: int | None) -> None:
    assert verdicts.place(text, 0, "\\boxed{", ("Yes", "No")) == at
    assert verdicts.place("\\boxed{Yes}" + text, 11, "\\boxed{", ("Yes", "No")) == (
        None if at is None else at + 11
    )


def test_probabilities_of_words_are_of_the_two_alone() -> None:
    assert verdicts.probability((-5.0, -5.0)) == 0.5
    assert verdicts.probability((0.0, -2000.0)) == 1.0
    assert verdicts.probability((-2000.0, 0.0)) < 1e-300


# --- what is asked -------------------------------------------------------------------------------


def test_texts_of_others_are_put_in_and_never_read(open_) -> None:
    from harness.prms.critics.questions import case

    prm = open_("processbench", {})
    hostile = Question("t", "p", "{steps} {prompt} {k}")
    found = case(prm._recipe, hostile, ("{prompt}\n", "</paragraph_1> {i}\n"))
    text = found.question.prompt
    assert "[Math Problem]\n\n{steps} {prompt} {k}\n\n[Solution]" in text
    assert "<paragraph_0>\n{prompt}\n</paragraph_0>\n\n<paragraph_1>\n</paragraph_1> {i}\n" in text
    other = case(prm._recipe, hostile, ("{prompt}\n", "x\n"))
    assert other.question.task != found.question.task  # other random numbers


def test_seeds_and_chains_are_part_of_what_is_asked(open_) -> None:
    prm, other = open_("r-prm", {}), open_("r-prm", {}, seed=1)
    assert prm.identity() != other.identity()
    assert prm._recipe.sampling.seed == 0 and other._recipe.sampling.seed == 1
    assert prm.identity() == open_("r-prm", {}, threshold=0.3, aggregation="last").identity()
    assert "/" not in json.dumps(prm.identity())
    assert prm.unit_rows == 25


def test_every_family_is_sound() -> None:
    from harness.adapters.options import Options
    from harness.types import Spec

    for name in recipes.families():
        spec = recipes.with_recipe(Spec(name, "critic", name))
        options = Options(spec, "PRM")
        found = recipes.from_options(options)
        options.done()
        assert found.chains >= 1


# --- one's own, and mistakes ---------------------------------------------------------------------


def test_a_recipe_file_is_a_critic(open_, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(
        "recipe: processbench\ntemplate: |\n  {prompt}\n  {steps}\n  Which one?\nseparator: '#'\n"
    )
    prm = open_("mine.yaml", {"p/3/0": "\\boxed{2}"})
    assert only(judge(prm, STEPS)).values == (1, 1, 0)
    assert _prompt(prm).endswith(
        "</paragraph_1>#<paragraph_2>\n\\boxed{85}\n</paragraph_2>\nWhich one?\n"
    )
    Path("own.yaml").write_text("model: fake:script.jsonl\nrecipe: think-prm\nchains: 3\n")
    own = open_prm("critic:own.yaml,temperature=1")
    assert isinstance(own, CriticPrm)
    assert (own._recipe.chains, own._recipe.temperature, own.spec.name) == (3, 1.0, "own.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("critic:processbensch,model=embedded", "did you mean 'processbench'"),
        ("critic:processbench", "which model writes"),
        ("critic:processbench,model=embeded", "unknown policy 'embeded'; did you mean 'embedded'"),
        ("critic:processbench,model=embedded,batch=4", "no option 'batch'"),
        ("critic:processbench,model=[embedded,batch=0]", "a whole number, at least 1"),
        ("critic:processbench,model=embedded,read=indx", "did you mean 'index'"),
        ("critic:prmbench,model=embedded,combine=vote", "combine=vote counts equal verdicts"),
        ("critic:processbench,model=embedded,per=step", "per=step: the template must hold"),
        (
            "critic:gold.yaml,model=embedded",
            r"no slot \{gold\}; .* slots are \{prompt\}, \{steps\}",
        ),
        ("critic:think-prm-prefixes,model=embedded,read=index", "read=index is of whole solutions"),
        ("critic:genprm,model=embedded,fence=", "rounds= needs program=, fence="),
        ("critic:processbench,model=embedded,aggregation=sum", "aggregation 'sum' is not defined"),
        ("critic:processbench,model=embedded,top_p=0", "0 < top_p"),
        ("critic:genprm,model=embedded,sandbox=unsafe-local", "sandbox=unsafe-local does not"),
        ("critic:nowhere.yaml,model=embedded", "cannot read nowhere.yaml"),
        ("critic:bad.yaml,model=embedded", r"bad.yaml:2: a recipe has no 'chain'; did you mean"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, monkeypatch: Any, text: str, message: str) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("recipe: genprm\nchain: 3\n")
    Path("gold.yaml").write_text("recipe: think-prm\ntemplate: '{prompt} {steps} {gold}'\n")
    with pytest.raises((ConfigError, DataError), match=message):
        open_prm(text)


def test_a_writer_must_be_able_to_do_what_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_text(json.dumps({"id": "p/3/0", "index": 0, "text": "so \\boxed{1}"}) + "\n")
    for family, message in (
        ("think-prm", "cannot say how probable given words are"),
        ("genprm,read=index,per=solution", "the template must hold"),
        ("think-prm-labels", "cannot go on with a text"),
    ):
        with pytest.raises(ConfigError, match=message):
            open_prm(f"critic:{family},model=pool:{path}")
    # Critiques that were recorded elsewhere are read like fresh ones, but steer no search.
    prm = open_prm(f"critic:processbench,model=pool:{path}")
    assert only(judge(prm, STEPS)).values == (1, 0, 0) and not prm.live
