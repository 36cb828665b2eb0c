from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.grading.livecodebench import Test as Case
from harness.grading.livecodebench import tests as read_tests
from harness.grading.mbpp import arguments
from harness.grading.packed import plain_pickle, unpacked
from harness.grading.tokens import first_difference


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("3\n", "3"),
        ("  3  \n\n", "3"),
        ("1 2\n3 4", "1 2 \n 3 4\n"),
        ("6.0", "6"),
        ("1e3 2", "1000 2.000"),
        ("inf", "Infinity"),
        ("-0", "0"),
        ("1  2", "1 2"),
        ("", "\n"),
        ("1\r\n2", "1\n2"),
        ("nan", "nan"),
        ("Yes", "Yes"),
        ("1_000", "1000"),
    ],
)
def test_right_output(output: str, expected: str) -> None:
    assert first_difference(output, expected) is None


@pytest.mark.parametrize(
    ("output", "expected", "line"),
    [
        ("3\n4", "3", 1),
        ("3", "3\n4", 1),
        ("", "1", 0),
        ("1\n2\n3", "1\n5\n3", 1),
        ("yes", "Yes", 0),
        ("a  b", "a b", 0),
        ("0.1", "0.10000000001", 0),
        ("NaN", "nan", 0),
        ("sNaN", "1", 0),
        ("1 2", "1 2 3", 0),
        ("1\n\n2", "1\n2", 2),
        ("0x10", "16", 0),
        ("9" * 10**6, "1", 0),
        ("1e999999999", "1", 0),
    ],
)
def test_wrong_output(output: str, expected: str, line: int) -> None:
    assert first_difference(output, expected) == line


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


ROWS = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]
PAIRS = {"inputs": ["1\n"], "outputs": ["2\n"], "fn_name": None}


@pytest.mark.parametrize(
    "text",
    [
        ROWS,
        json.dumps(ROWS),
        packed(json.dumps(ROWS)),
        packed(ROWS),
        packed({"input_output": json.dumps(PAIRS)}),
        {"input_output": PAIRS},
    ],
)
def test_every_form_of_tests(text: Any) -> None:
    assert read_tests(text) == (Case("1\n", "2\n"),)


def test_no_tests() -> None:
    assert read_tests(None) == read_tests("[]") == read_tests([]) == read_tests("null") == ()


class Runs:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self._how = (call, arguments)

    def __reduce__(self) -> Any:
        return self._how


@pytest.mark.parametrize(
    "value",
    [
        Runs(exec, "open('/tmp/never', 'w')"),
        Runs(print, "hello"),
        [{"input": Runs(eval, "1"), "output": "2"}],
        Path("x"),
        1j,
        range(3),
        len,
    ],
)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_that_name_anything_are_refused(value: Any, protocol: int) -> None:
    with pytest.raises(DataError, match=r"refused: it names"):
        plain_pickle(pickle.dumps(value, protocol))


def test_pickles_of_plain_values_are_read_by_every_protocol() -> None:
    value = [{"a": (1, 2.5, None, True)}, {1}, "é", b"x", 10**40]
    for protocol in range(4, pickle.HIGHEST_PROTOCOL + 1):
        assert plain_pickle(pickle.dumps(value, protocol)) == value
    texts = json.dumps(ROWS)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert plain_pickle(pickle.dumps(texts, protocol)) == texts


def test_other_tricks_are_refused() -> None:
    hostile = [
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"Pid\n.",  # a persistent id
        b"\x82\x01.",  # an extension code
        b"(S'true'\nios\nsystem\n.",
        b"",
        b"\x80\x04",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f",
    ]
    for raw in hostile:
        with pytest.raises(DataError):
            plain_pickle(raw)


def test_packed_texts_have_a_size_limit() -> None:
    with pytest.raises(DataError, match="limit"):
        unpacked(packed("0" * 100_000), limit=50_000)
    for text in ("", "é", "AAAA", "!!!", packed("x")[:-8], base64.b64encode(b"no").decode()):
        with pytest.raises(DataError):
            unpacked(text)


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", '[{"input": 1}]', 7, "[" * 100_000, [None]])
def test_tests_of_another_form_are_refused(text: Any) -> None:
    with pytest.raises(DataError):
        read_tests(text)


def test_real_packed_tests(data_dir: Path) -> None:
    path = data_dir / "livecodebench" / "encoded_private_tests_examples.jsonl"
    if not path.exists():
        pytest.skip(f"no {path}")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    found = [(row["question_id"], read_tests(row["value"])) for row in rows]
    counts = [(name, len(cases)) for name, cases in found]
    assert counts == [("1873_A", 4), ("1873_A", 5), ("2727", 14), ("abc301_a", 15)]
    assert found[1][1][1:] == found[0][1]


@pytest.mark.parametrize(
    ("task", "call", "expected"),
    [
        ("Mbpp/2", [[1], [2]], ((1,), (2,))),
        ("Mbpp/63", [[[1, 2]]], ([(1, 2)],)),
        ("Mbpp/75", [[[1, 2]], 3], ([(1, 2)], 3)),
        ("Mbpp/106", [[1], [2]], ([1], (2,))),
        ("Mbpp/115", [[[1], [], 3]], ([{1}, {}, {}],)),
        ("Mbpp/124", ["1", "2j"], (1.0, 2j)),
        ("Mbpp/252", ["1+1j"], (1 + 1j,)),
        ("Mbpp/278", [[1, [2, 3]]], ((1, (2, 3)),)),
        ("Mbpp/307", [["a", []], 1, 2], (("a", []), 1, 2)),
        ("Mbpp/580", [[1, [2, [3]]]], ((1, (2, (3,))),)),
        ("Mbpp/722", [{"a": [1, 2]}, 3.0, 4], ({"a": (1, 2)}, 3.0, 4)),
        ("Mbpp/3", [[1]], ([1],)),
    ],
)
def test_inputs_of_mbpp(task: str, call: list[Any], expected: tuple[Any, ...]) -> None:
    assert repr(arguments(task, call)) == repr(expected)
