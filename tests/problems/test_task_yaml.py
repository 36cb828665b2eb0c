"""The strict reader: every mistake names its file and line, and what would be right."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.problems import catalog, describe, keys, names, strict, yamlfile
from harness.problems.definition import Definition, Group
from harness.segment import Delimiter

TASK = r"""task: mine
dataset_path: json
test_split: test
doc_to_text: problem
doc_to_target: answer
generation_kwargs:
  until: ["\n\n"]
  max_gen_toks: 99
  temperature: 0.5
metadata:
  version: 2.0
  kind: math
  domain: math
  grader: math
  steps: "delimiter:\n"
"""


def write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_task_is_read_with_its_defaults(tmp_path: Path) -> None:
    found = strict.parse(yamlfile.read(write(tmp_path, TASK)))
    assert isinstance(found, Definition)
    assert (found.name, found.version, found.kind) == ("mine", "2.0", "math")
    assert Delimiter("\n") == found.steps
    assert (
        found.sampling.temperature,
        found.sampling.max_tokens,
        found.sampling.stop,
    ) == (0.5, 99, ("\n\n",))
    assert (found.id, found.reference, found.sha256) == ("id", (), None)


def test_greedy_by_default_if_the_task_says_so(tmp_path: Path) -> None:
    text = TASK.replace("  temperature: 0.5", "  do_sample: false")
    found = strict.parse(yamlfile.read(write(tmp_path, text)))
    assert isinstance(found, Definition)
    assert found.sampling.temperature == 0


MISTAKES = [
    ("doc_to_text: problem", "doc_to_txt: problem", r":4: unknown key 'doc_to_txt'; .*doc_to_text"),
    ("  kind: math", "  knd: math", r":12: unknown key 'metadata.knd'; .*'metadata.kind'"),
    ("  kind: math", "  kind: maths", r":12: unknown kind 'maths'; did you mean 'math'\?"),
    ("  grader: math", "  grader: mth", r":14: unknown grader 'mth'; did you mean 'math'\?"),
    ("  domain: math\n", "", r":10: missing metadata.domain"),
    ("test_split: test\n", "", r"mine.yaml: missing test_split"),
    ("max_gen_toks: 99", "max_gen_toks: many", r":8: .*max_gen_toks must be int, not str"),
    ("max_gen_toks: 99", "max_gen_toks: yes", r":8: .*max_gen_toks must be int, not bool"),
    ("max_gen_toks: 99", "max_tokens: 99", r":8: unknown key 'generation_kwargs.max_tokens'"),
    ("max_gen_toks: 99", "max_gen_toks: 0", r":6: sampling needs .*max_tokens >= 1"),
    ('until: ["\\n\\n"]', "until: [1]", r":7: generation_kwargs.until must be a list of texts"),
    ("delimiter:\\n", "paragraphs", r":15: unknown rule for steps 'paragraphs'; valid: "),
    ("dataset_path: json", "num_fewshot: 4", r":2: 'num_fewshot' does nothing here; write the ex"),
    ("dataset_path: json", "dataset_path: json\ncustom_dataset: a.b", r":3: rows come from either"),
    ("dataset_path: json", "custom_dataset: a.b", r":2: write custom_dataset: !function a.b"),
    ("dataset_path: json", "dataset_path: json\ntask: other", r":3: the key 'task' is there twice"),
    ("dataset_path: json", "dataset_path: json\n1: other", r":3: a key must be a text"),
    ("dataset_path: json", "dataset_path: [json", r":3: "),
    ("  kind: math", "  kind: math\n  sha256: 12", r":13: metadata.sha256 must be str, not int"),
    ("  kind: math", "  kind: math\n  sha256: ab", r":13: a digest needs metadata.identity"),
    ("  kind: math", "  kind: math\n  source: {files: []}", r":13: missing .*source.revision"),
    ("  kind: math", "  kind: math\n  local: x.jsonl", r":13: .*does nothing with dataset_path"),
    (
        "dataset_path: json",
        "dataset_path: json\noutput_type: multiple_choice",
        r":3: .*generate_un",
    ),
    (
        "  kind: math",
        "  kind: math\n  source: {revision: a, files: [], hub: a/b, github: c/d}",
        r":13: a source is either hub or github",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_names_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TASK
    path = write(tmp_path, TASK.replace(old, new, 1))
    with pytest.raises(ConfigError, match=message) as error:
        catalog([tmp_path])
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "- a\n", "just text\n"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"mine.yaml:1: a task is a mapping"):
        yamlfile.read(write(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"task: \xff\n")
    with pytest.raises(ConfigError, match=r"mine.yaml: cannot be read"):
        catalog([tmp_path])


def test_an_include_is_merged_and_its_lines_are_its_own(tmp_path: Path) -> None:
    head, metadata = TASK.split("metadata:")
    base = write(tmp_path, head.replace("task: mine\n", "").replace("problem", "text"), "_base")
    child = f"include: _base\ntask: mine\ndoc_to_text: problem\nmetadata:{metadata}"
    found = strict.parse(yamlfile.read(write(tmp_path, child)))
    assert isinstance(found, Definition)
    assert found.config["doc_to_text"] == "problem"
    base.write_text(base.read_text() + "doc_to_txt: x\n")
    with pytest.raises(ConfigError, match=r"_base:\d+: unknown key 'doc_to_txt'"):
        catalog([tmp_path])


def test_an_include_of_itself(tmp_path: Path) -> None:
    path = write(tmp_path, "include: mine.yaml\ntask: mine\n")
    with pytest.raises(ConfigError, match="includes itself"):
        yamlfile.read(path)


def test_an_include_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"_nothing: cannot be read"):
        yamlfile.read(write(tmp_path, "include: _nothing\ntask: mine\n"))


GROUP = "group: both\ntask: [mine, math500]\nmetadata: {version: 1.0}\n"


def test_a_group_keeps_its_order(tmp_path: Path) -> None:
    write(tmp_path, TASK)
    write(tmp_path, GROUP, "both.yaml")
    known = catalog([tmp_path])
    assert tuple(task.name for task in known.expand("both")) == ("mine", "math500")
    assert isinstance(known.get("both"), Group)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("group: g\ntask: []\nmetadata: {version: 1}\n", "at least one task"),
        (
            "group: g\ntask: [mth500]\nmetadata: {version: 1}\n",
            "unknown member 'mth500'; .*math500",
        ),
        ("group: g\ntask: [math500]\n", "missing metadata"),
        ("group: g\ntask: [math500]\nweight: 2\nmetadata: {version: 1}\n", ":3: unknown key"),
        ("group: math500\ntask: [gsm8k]\nmetadata: {version: 1}\n", "'math500' is taken by"),
    ],
)
def test_a_broken_group(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=message):
        catalog([tmp_path])


def test_a_group_that_contains_itself(tmp_path: Path) -> None:
    write(tmp_path, "group: a\ntask: [b]\nmetadata: {version: 1}\n", "a.yaml")
    write(tmp_path, "group: b\ntask: [a]\nmetadata: {version: 1}\n", "b.yaml")
    with pytest.raises(ConfigError, match="'a' contains itself"):
        catalog([tmp_path]).expand("a")


def test_an_unknown_task_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^unknown task 'mth500'; did you mean 'math500'\?$"):
        describe("mth500")


def test_a_folder_of_tasks_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder of tasks .*nowhere"):
        names([tmp_path / "nowhere"])


def test_the_known_keys_are_those_of_lm_eval() -> None:
    from lm_eval.config.group import GroupConfig
    from lm_eval.config.task import TaskConfig

    ours = {*keys.TASK_KEYS, *keys.NOT_HERE} - {"class"}
    assert {field.name for field in fields(TaskConfig)} == ours
    assert set(keys.GROUP_KEYS) == {field.name for field in fields(GroupConfig)}
