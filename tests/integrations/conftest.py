"""Tasks as lm-eval's users write them, with nothing in them that is ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder with the task `counts` of 6 documents, two filters, two shots and a function."""
    folder = tmp_path / "theirs" / "counts"
    folder.mkdir(parents=True)
    for split, start, size in (("test", 0, 6), ("train", 50, 8)):
        rows = [{"q": f"{i}+{i}=?", "a": str(2 * i)} for i in range(start, start + size)]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "utils.py").write_text(
        "def agree(doc, results):\n"
        "    return {'agree': results[0].strip() == doc['a'], 'length': len(results[0])}\n"
    )
    (folder / "_base").write_text(
        f"""
dataset_path: json
dataset_kwargs:
  data_files: {{test: {folder}/test.jsonl, train: {folder}/train.jsonl}}
test_split: test
fewshot_split: train
doc_to_text: "Sum: {{{{q}}}}\\nAnswer:"
doc_to_target: "{{{{a}}}}"
"""
    )
    (folder / "counts.yaml").write_text(
        r"""
include: _base
task: counts
num_fewshot: 2
generation_kwargs: {until: ["\n\n", "Sum:"], max_gen_toks: 60}
filter_list:
  - name: strict
    filter:
      - {function: regex, regex_pattern: '#### (\d+)'}
      - {function: take_first}
  - name: last
    filter:
      - {function: regex, regex_pattern: '(\d+)', group_select: -1}
      - {function: take_first}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
  - {metric: bleu, aggregation: bleu, higher_is_better: true}
metadata: {version: 2.5}
"""
    )
    (folder / "own.yaml").write_text(
        """
include: _base
task: own
generation_kwargs: {until: [], max_gen_toks: 60}
process_results: !function utils.agree
metric_list:
  - {metric: agree, aggregation: mean, higher_is_better: true}
  - {metric: length, aggregation: mean, higher_is_better: true}
metadata: {version: 1}
"""
    )
    return folder.parent
