"""What critics cost a search: their own operations, once for every verdict."""

from __future__ import annotations

from harness.cost import Architecture
from harness.search.ledger import Ledger
from harness.search.moves import UNSCORED, judge
from harness.search.setting import Setting
from harness.store.searches import entry_from, entry_record
from harness.types import Cut, Draft, Entry, Judge, Judged, Question, Sampling, StepScores, Tokens

SHAPE = Architecture(matrices=10, active=10, head=5, layers=1, attention_width=4)
QUESTION = Question("t", "p", "?")


def cost(ledger: Ledger, steps: tuple[str, ...], *flops: int, values: int | None = None) -> float:
    """Charge one draft; return what it added."""
    before = ledger.spent.flops
    scores = StepScores((0.5,) * (values or len(flops)), "p_correct", tokens=99, flops=flops)
    request = Judge(QUESTION, (Draft(steps),))
    ledger.judged(request, Judged((scores,), Tokens(1, 90, 90, 9)))
    return ledger.spent.flops - before


def test_a_verdict_per_step_is_paid_once() -> None:
    ledger = Ledger(None, SHAPE)
    assert cost(ledger, ("a",), 100) == 100
    assert cost(ledger, ("a", "b"), 100, 20) == 20
    assert cost(ledger, ("a", "b", "c", "d"), 100, 20, 3, 4) == 7
    assert cost(ledger, ("a", "b"), 100, 20) == 0
    assert cost(ledger, ("x", "b"), 100, 20) == 120
    assert ledger.spent.prm == Tokens(5, 450, 450, 45)


def test_a_critique_of_the_whole_is_paid_for_whenever_there_is_more() -> None:
    ledger = Ledger(None, SHAPE)
    for all_ in ((70,), (0, 70)):  # one number, or one per step with all cost at the last
        steps = ("a", "b") if len(all_) > 1 else ("x", "y")
        assert cost(ledger, steps[:1], *all_[-1:]) == 70
        assert cost(ledger, steps, *all_) == 70
        assert cost(ledger, steps, *all_) == 0


def test_a_critic_without_a_verdict_is_paid_and_ranks_last() -> None:
    silent = StepScores((), "verdict", tokens=9, flops=(7,), unparsed=1.0)
    ledger, request = Ledger(None, SHAPE), Judge(QUESTION, (Draft(("a", "b")),))
    ledger.judged(request, Judged((silent,), Tokens(1, 8, 8, 1)))
    assert ledger.spent.flops == 7
    move = judge(Setting(QUESTION, 1, Sampling(), Cut(("\n",))), [Draft(("a", "b"))])
    assert isinstance(next(move), Judge)
    try:
        move.send(Judged((silent,), Tokens()))
    except StopIteration as end:
        (scored,) = end.value
    assert (scored.score, scored.scores, scored.last) == (UNSCORED, None, None)
    entry = Entry("p", 0, 3, Judged((silent, None), Tokens(1, 8, 8, 1)), 0.5)
    assert entry_from(entry_record(entry)) == entry
