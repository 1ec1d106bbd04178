"""What pyproject.toml asks for, by lock."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

# Only read, never run: what it needs is left out.
_ALONE = frozenset({"signatures"})


@dataclass(frozen=True)
class Wanted:
    """One lock's requirements; `alone` where what they need in turn is left out."""

    requirements: tuple[Requirement, ...]
    alone: bool = False


def wanted(pyproject: Path = PYPROJECT) -> dict[str, Wanted]:
    """One for each extra except `all`, and one for each group; `dev` has everything of `all`."""
    content = tomllib.loads(pyproject.read_text("utf-8"))
    project, groups = content["project"], content["dependency-groups"]
    own, extras = project["dependencies"], project["optional-dependencies"]
    every = {extra: [*own, *extras[extra]] for extra in extras if extra != "all"}
    for group, lines in groups.items():
        every[group] = list(lines)
    every["dev"] += [*own, *_of_all(project), *content["build-system"]["requires"]]
    return {
        name: Wanted(tuple(Requirement(line) for line in lines), name in _ALONE)
        for name, lines in every.items()
    }


def _of_all(project: dict[str, dict[str, list[str]]]) -> Iterator[str]:
    (line,) = project["optional-dependencies"]["all"]
    for extra in sorted(Requirement(line).extras):
        yield from project["optional-dependencies"][extra]
