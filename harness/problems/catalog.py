"""Which tasks and groups there are, from their YAML files alone: quick, and no data is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from harness import paths
from harness.errors import ConfigError, unknown
from harness.problems import strict, yamlfile
from harness.problems.definition import Definition, Group

Include: TypeAlias = Sequence[str | Path]
"""Folders with the user's own tasks, besides the shipped ones."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All tasks and groups by name, in alphabetical order."""

    tasks: Mapping[str, Definition]
    groups: Mapping[str, Group]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tasks and groups, sorted."""
        return tuple(sorted((*self.tasks, *self.groups)))

    def get(self, name: str) -> Definition | Group:
        """Return the task or group `name`.

        Raises:
            ConfigError: there is none; the message offers the nearest name.
        """
        found = self.tasks.get(name) or self.groups.get(name)
        if found is None:
            raise unknown("task", name, self.names)
        return found

    def expand(self, name: str, _above: tuple[str, ...] = ()) -> tuple[Definition, ...]:
        """Return the task `name`, or the tasks of the group `name` in its order, each once.

        Raises:
            ConfigError: no such name, or a group that contains itself.
        """
        if name in _above:
            raise ConfigError(f"{self.groups[name].path}: the group {name!r} contains itself")
        found = self.get(name)
        if isinstance(found, Definition):
            return (found,)
        members = (
            task for member in found.members for task in self.expand(member, (*_above, name))
        )
        return tuple(dict.fromkeys(members))


def catalog(include: Include = ()) -> Catalog:
    """Return the shipped tasks and those in the folders `include`.

    Raises:
        ConfigError: a folder that is not there, a YAML with a mistake in it, a name used twice, a
            group with a member that does not exist.
    """
    tasks: dict[str, Definition] = {}
    groups: dict[str, Group] = {}
    for path in yaml_files(include):
        found = strict.parse(yamlfile.read(path))
        taken = tasks.get(found.name) or groups.get(found.name)
        if taken:
            raise ConfigError(f"{path}: the name {found.name!r} is taken by {taken.path}")
        if isinstance(found, Group):
            groups[found.name] = found
        else:
            tasks[found.name] = found
    result = Catalog(dict(sorted(tasks.items())), dict(sorted(groups.items())))
    for group in groups.values():
        for member in group.members:
            if member not in tasks and member not in groups:
                raise unknown("member", member, result.names, str(group.path))
    return result


def yaml_files(include: Include = ()) -> Iterable[Path]:
    """Yield the YAML files of the shipped tasks, then those of `include`, each folder sorted.

    Raises:
        ConfigError: a folder that is not there.
    """
    for folder in (paths.shipped("tasks"), *map(Path, include)):
        if not folder.is_dir():
            raise ConfigError(f"there is no folder of tasks {folder}")
        yield from sorted(folder.rglob("*.yaml"))


def names(include: Include = ()) -> tuple[str, ...]:
    """Return the names of all tasks and groups, sorted."""
    return catalog(include).names


def describe(name: str, include: Include = ()) -> Definition | Group:
    """Return what the YAML of the task or group `name` says.

    Raises:
        ConfigError: there is none, or a YAML has a mistake in it.
    """
    return catalog(include).get(name)
