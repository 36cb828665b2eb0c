from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from harness.grading.program import code_blocks, program
from harness.grading.prompts import examples, literal, parameters
from harness.grading.public import CALLS, calls

CODE = "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (CODE, CODE),
        ("", None),
        (" \n\t\n", None),
        (f"Sure:\n```python\n{CODE}```\nDone.", CODE),
        (f"```\n{CODE}```", CODE),
        (f"```Python3 title=a\n{CODE}```", CODE),
        (f"~~~py\n{CODE}~~~", CODE),
        (f"```{{.python}}\n{CODE}```", CODE),
        (f"```python\n{CODE}", CODE),  # cut at the token limit
        (f"```python\ndef f(x): pass\n```\nBetter:\n```python\n{CODE}```", CODE),
        (f"```python\n{CODE}```\nUse it:\n```python\nprint(f(1))\n```", CODE),
        (f"```python\n{CODE}```\nIt prints\n```text\n7\n```", CODE),
        (f"```python\n{CODE}```\nRun\n```bash\npython f.py\n```", CODE),
        ("```java\nint f;\n```", None),
        ("```python\n```", None),
        ("```python\nf = abs\n```\n```python\nprint(f(1))\n```", "f = abs\n"),
        ("```python\nprint(1)\n```\n```python\nprint(2)\n```", "print(2)\n"),
        ('````python\ns = "```"\n```\nf = 1\n````', 's = "```"\n```\nf = 1\n'),
        ("    return x\n", "def f(x):\n    return x\n"),
        ("\n    return x\n", "def f(x):\n\n    return x\n"),
        ("I cannot.", "I cannot."),
    ],
)
def test_program(text: str, found: str | None) -> None:
    assert program(text, "f", "def f(x):\n") == found


def test_a_whole_program_is_the_last_block() -> None:
    text = "```python\nx = 1\n```\nfinally\n```python\nprint(input())\n```\n"
    assert program(text) == "print(input())\n"
    assert code_blocks("no fence") is None


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ('def f(a, b):\n    """>>> f([1, 2], "x)")\n    3\n    """', [([1, 2], "x)")]),
        ("assert f((1, 2), {'a': 1.5}) == 3", [((1, 2), {"a": 1.5})]),
        ("assert set(f(2, -1)) == {1}", [(2, -1)]),
        ("f(1) returns 2, f(1) twice, g.f(9), my_f(8), f(n), f(a=1), f(1+1), f()", [(1,), ()]),
        ('def f(s, k):\n    """Input: s = "a", k = 2\n    s = "b", k = 3"""', [("a", 2), ("b", 3)]),
        ('def f(arr):\n    """\n    Input: [1, 2]\n    Output: 3\n    """', [([1, 2],)]),
        ('def f(lst):\n    """For lst = [] it is 0\n    """', [([],)]),
        ('def f(x):\n    """other(5) == 6\n    """', [(5,)]),
        ('def f(x):\n    """Nothing."""', []),
        ("def f(x): f(g.system(x), __name__)", []),
        ("f(" + "[" * 3000, []),
        ("f([" + "1, " * 4000 + "])", []),
    ],
)  # fmt: skip
def test_examples(prompt: str, found: list[tuple[object, ...]]) -> None:
    assert examples(prompt, "f") == found


def test_literals_and_parameters() -> None:
    assert literal("[1, 'a]'] and more") == [1, "a]"]
    assert literal("-2.5, 3") == -2.5
    for text in ("", "x", "[1", "'abc", "f(1)", "]"):
        with pytest.raises(ValueError):
            literal(text)
    head = "def g(): pass\ndef f(a: List[int], b=2) -> int:\n"
    assert parameters(head, "f") == ["a", "b"]
    assert parameters(head, "h") == []


def test_public_inputs_are_seeded_and_of_the_types_shown() -> None:
    prompt = 'def f(a, b):\n    """\n    >>> f([1, 2], "abc")\n    0\n    """\n'
    found = calls(prompt, "f")
    assert found == calls(prompt, "f")
    assert found[0] == ([1, 2], "abc")
    assert len(found) == CALLS == len({repr(call) for call in found})
    assert all(isinstance(b, str) and all(type(x) is int and x >= 0 for x in a) for a, b in found)
    assert calls(prompt.replace("abc", "abd"), "f") != found


def test_without_examples_the_types_of_the_signature_serve() -> None:
    found = calls("def f(n: int, s: str, v: List[float]):\n    pass\n", "f")
    assert len(found) == CALLS
    assert all(type(n) is int and type(s) is str and type(v) is list for n, s, v in found)
    assert calls("def f(n, s):\n    pass\n", "f") == ()
    assert calls("def f(n: Tree):\n    pass\n", "f") == ()


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("humaneval_plus/HumanEvalPlus-v0.1.10.jsonl.gz", 4),
        ("mbpp_plus/MbppPlus-v0.2.0.jsonl.gz", 1),
    ],
)
def test_nearly_every_real_prompt_gives_public_inputs(
    name: str, without: int, data_dir: Path
) -> None:
    if not (data_dir / name).exists():
        pytest.skip(f"no {name}")
    text = gzip.decompress((data_dir / name).read_bytes()).decode()
    rows = [json.loads(line) for line in text.splitlines()]
    found = [calls(row["prompt"], row["entry_point"]) for row in rows]
    assert sum(not inputs for inputs in found) == without
