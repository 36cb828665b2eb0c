"""How many tokens solutions and prompts have, where nothing was measured yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

from harness.forecast.throughput import Rate


@dataclass(frozen=True, slots=True)
class Lengths:
    """The table."""

    solutions: Mapping[str, Mapping[str, Any]]
    usual: Mapping[str, str]
    characters_per_token: Mapping[str, Any]

    def solution(self, task: str, domain: str) -> Rate:
        """Return the mean tokens of a solution, with a note on where that is from."""
        names = [name for name in self.solutions if task.startswith(name)]
        name = max(names, key=len) if names else self.usual.get(domain, self.usual["math"])
        found = self.solutions[name]
        whose = "" if names else f", taken from {name}, as nobody measured {task}"
        note = f"{task}: {found['tokens']:,} tokens per solution{whose}"
        return Rate(float(found["tokens"]), note, found["source"])

    def of_texts(self, texts: Iterable[str], domain: str) -> float:
        """Return the tokens of texts, by their characters."""
        each = self.characters_per_token.get(domain, self.characters_per_token["math"])
        return sum(map(len, texts)) / float(each)


@cache
def lengths() -> Lengths:
    """Return the table that ships with the package."""
    text = (resources.files("harness.forecast") / "lengths.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    return Lengths(data["solutions"], data["usual"], data["characters_per_token"])
