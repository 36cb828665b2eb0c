from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.grading.extract import MAX_JOINED_BOXES, final_answer

CASES = [
    # rule 1: boxes
    (r"so \boxed{42}", "42"),
    (r"\boxed{1} is wrong, it must be $\boxed{2}$.", "2"),
    (r"\boxed{\frac{1}{\sqrt{2}}}", r"\frac{1}{\sqrt{2}}"),
    (r"\fbox{7}", "7"),
    (r"\boxed {7}", "7"),
    (r"\boxed{\boxed{7}}", "7"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}"),
    (r"put it in \boxed{}: \boxed{41}", "41"),
    (r"\boxed{5} and then \boxed{6", "5"),
    (r"\boxed{}", None),
    (r"= -\boxed{256}", "-256"),
    (r"5 -\boxed{3}", "3"),
    (r"The answer is 9. But \boxed{8}", "8"),
    (r"\boxed{8}. The answer is 9", "8"),
    # boxes that are tied together
    (r"$x=\boxed{1}$ or $x=\boxed{2}$", "1,2"),
    (r"$\boxed{-2}$ and $\boxed{1}$.", "-2,1"),
    (r"\boxed{1}, \boxed{2}, and \boxed{3}", "1,2,3"),
    (r"\boxed{1} \text{ or } \boxed{2}", "1,2"),
    (r"\boxed{5} or \boxed{5}", "5"),
    ("\\[\\boxed{4}\\]\n\\[\\boxed{3}\\]", "3"),
    (r"\boxed{1}," + " " * 100 + r"\boxed{2}", "2"),
    # rule 2: GSM8K
    ("9*2=<<9*2=18>>18\n#### 18", "18"),
    ("#### 1,450,000", "1,450,000"),
    ("#### -3", "-3"),
    ("#### -$3", "-3"),
    ("#### Step 3\nso it is 12", "12"),
    # rule 3: announced
    ("The answer is 18.", "18"),
    ("The answer is -10.", "-10"),
    ("The answer is $18 per day, not 20.", "18"),
    ("The final answer is $\\frac{1}{2}$. I hope it is correct. 7", r"\frac{1}{2}"),
    ("The final answer is Evelyn. I hope it is correct.", r"\text{Evelyn}"),
    ("**Answer:** 12", "12"),
    ("Answer: 3 eggs and 4 more make 7 eggs.", "7"),
    ("Answer: the discount is 30/100 * 100 = 30.\nans = 70", "70"),
    ("He should have found the answer 16. Check: 2", "16"),
    ("The answer is 9 500.", "9500"),
    # rule 4: the last formula or number
    ("so x = 4 and therefore \\(y = 5\\)", "y = 5"),
    ("that is $7 + $7 = $14", "14"),
    ("He has 1250 - 200 = 1050$ and 350$ remaining", "350"),
    ("in the 12th grade", "12"),
    ("the 2/2=1 bolt", "1"),
    ("it equals 1/2 of it", "1/2"),
    ("We get 5. Next, $\\left(x + \\frac{4}{", "5"),
    ("$x = 5$", "x = 5"),
    ("$$", None),
    ("no idea", None),
    ("", None),
    ("\x00\ud800", None),
]


@pytest.mark.parametrize(("text", "answer"), CASES)
def test_final_answer(text: str, answer: str | None) -> None:
    assert answer == final_answer(text)


def test_endless_boxes_are_cut() -> None:
    text = " and ".join(rf"\boxed{{{i}}}" for i in range(1000))
    answer = final_answer(text)
    assert answer is not None
    assert len(answer.split(",")) == MAX_JOINED_BOXES
    assert answer.endswith(",999")


@pytest.mark.parametrize(
    "piece",
    [r"\boxed{", r"\boxed{1}", r"\boxed{1} and ", "{", "}", "$", "#### ", "####", r"\[", "1,", "1 ",
     "answer is ", "answer: ", "(", r"\boxed" + " " * 100, " ", r"\\"],
)  # fmt: skip
def test_time_is_linear_in_hostile_texts(piece: str) -> None:
    """A megabyte of anything takes about as long as ten times a tenth of it; here, 20 s at most."""
    started = time.process_time()
    final_answer(piece * (1_000_000 // len(piece)))
    assert time.process_time() - started < 20


@given(st.text(alphabet="\\{}$#boxed answer:is0123./-,%()[]\n", max_size=200))
def test_never_fails_and_is_never_blank(text: str) -> None:
    answer = final_answer(text)
    assert answer is None or answer.strip()


@given(
    st.integers(-(10**9), 10**9), st.sampled_from([r"\boxed{%d}", "#### %d", "The answer is %d."])
)
def test_reads_any_integer(number: int, form: str) -> None:
    assert str(number) == final_answer("Some 12 steps, then $3 + 4$. " + form % number)
