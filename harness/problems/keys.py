"""The keys that a task's YAML may have, with their types: the strict reader's grammar as data."""

from __future__ import annotations

GRADERS = ("math", "code", "steps", "preference")

Types = type | tuple[type, ...]

TASK_KEYS: dict[str, Types] = {
    "task": str,
    "task_alias": str,
    "tag": (str, list),
    "custom_dataset": str,
    "dataset_path": str,
    "dataset_name": str,
    "dataset_kwargs": dict,
    "test_split": str,
    "process_docs": str,
    "doc_to_text": str,
    "doc_to_target": str,
    "output_type": str,
    "generation_kwargs": dict,
    "process_results": str,
    "metric_list": list,
    "filter_list": list,
    "unsafe_code": bool,
    "target_delimiter": str,
    "metadata": dict,
}
"""Keys of lm-eval's TaskConfig that a task may have, with their types."""

NOT_HERE = {
    "description": "write it into doc_to_text",
    "use_prompt": "write the prompt into doc_to_text",
    "gen_prefix": "write it at the end of doc_to_text",
    "fewshot_split": "write the examples into doc_to_text",
    "fewshot_config": "write the examples into doc_to_text",
    "fewshot_delimiter": "write the examples into doc_to_text",
    "num_fewshot": "write the examples into doc_to_text",
    "doc_to_choice": "choices are not scored; ask for an answer in words",
    "doc_to_image": "problems are text",
    "doc_to_audio": "problems are text",
    "repeats": "the candidates per problem are set per run (--budget)",
    "training_split": "name the rows to evaluate as test_split",
    "validation_split": "name the rows to evaluate as test_split",
    "should_decontaminate": "take it out",
    "doc_to_decontamination_query": "take it out",
    "class": "a task is data; put functions in a package and name them with !function",
}
"""Keys of lm-eval that would do nothing here, and what to do instead."""

GROUP_KEYS: dict[str, Types] = {
    "group": str,
    "group_alias": str,
    "task": list,
    "aggregate_metric_list": list,
    "metadata": dict,
}

METADATA_KEYS: dict[str, Types] = {
    "version": (str, int, float),
    "kind": str,
    "kind_column": str,
    "domain": str,
    "grader": str,
    "steps": str,
    "id": str,
    "meta": list,
    "reference": list,
    "solution": str,
    "source": dict,
    "local": (str, list),
    "rows": int,
    "identity": list,
    "sha256": str,
    "released_until": str,
    "without": list,
    "texts": str,
}
CUSTOM_ONLY = ("source", "local", "released_until", "without", "texts")
"""Keys of metadata that only a ``custom_dataset`` function reads."""

SOURCE_KEYS: dict[str, Types] = {"hub": str, "github": str, "revision": str, "files": list}
GENERATION_KEYS: dict[str, Types] = {
    "until": list,
    "max_gen_toks": int,
    "temperature": (int, float),
    "top_p": (int, float),
    "do_sample": bool,
}
REQUIRED = ("task", "test_split", "doc_to_text", "doc_to_target", "generation_kwargs", "metadata")
REQUIRED_METADATA = ("version", "kind", "domain", "grader", "steps")
