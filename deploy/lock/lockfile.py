"""A lock as pip reads it with --require-hashes, and as it is read back."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.lock.environment import ENVIRONMENTS, MACHINES, PYTHONS, Environment
from deploy.lock.index import File

LOCKS = Path(__file__).resolve().parents[1] / "locks"
_HEAD = "# Written by `make lock`; says which files may be installed and no other.\n"
_PIN = re.compile(r"^([a-z0-9-]+)==([^\s;]+)(?: ; (.+?))? \\$", re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """One release in one lock: the files that may be installed, and where it is needed."""

    name: str
    version: str
    files: tuple[File, ...]
    environments: frozenset[Environment] = frozenset(ENVIRONMENTS)

    def text(self) -> str:
        """Its lines."""
        marker = _marker(self.environments)
        head = f"{self.name}=={self.version}" + (f" ; {marker}" if marker else "")
        hashes = sorted({file.sha256 for file in self.files})
        lines = [head, *(f"    --hash=sha256:{digest}" for digest in hashes)]
        return self._unserved() + " \\\n".join(lines) + "\n"

    def unserved(self) -> list[Environment]:
        """Where it is needed and the index has no wheel."""
        return sorted(
            environment
            for environment in self.environments
            if not any(file.runs_on(environment) for file in self.files)
        )

    def _unserved(self) -> str:
        missing = ", ".join(map(str, self.unserved()))
        return f"# Built from source on Python {missing}: there is no wheel.\n" if missing else ""


def write_all(
    locks: Mapping[str, Iterable[Pin]], choices: Mapping[str, str], folder: Path = LOCKS
) -> None:
    """One file each, in the order of names; those that nobody asks for any more go.

    `choices` are locks that follow others, one of them, such as the builds of torch.
    """
    folder.mkdir(exist_ok=True)
    for stale in {path.stem for path in folder.glob("*.txt")} - set(locks):
        (folder / f"{stale}.txt").unlink()
    for lock, pins in locks.items():
        body = "".join(pin.text() for pin in sorted(pins, key=lambda pin: pin.name))
        choice = f"# Followed by one of: {choices[lock]}\n" if lock in choices else ""
        (folder / f"{lock}.txt").write_text(_HEAD + choice + body, "utf-8")


def versions(name: str, folder: Path = LOCKS) -> dict[str, str]:
    """What a lock pins, by canonical name."""
    text = (folder / f"{name}.txt").read_text("utf-8")
    return {found[1]: found[2] for found in _PIN.finditer(text)}


def _marker(environments: Collection[Environment]) -> str:
    """A marker that holds in these environments alone; "" for all."""
    if len(environments) == len(ENVIRONMENTS):
        return ""
    machines = sorted({environment.machine for environment in environments})
    pythons = sorted({environment.python for environment in environments})
    if len(environments) != len(machines) * len(pythons):
        every = (_marker({environment}) for environment in sorted(environments))
        return " or ".join(f"({each})" for each in every)
    parts = []
    if len(machines) < len(MACHINES):
        parts.append(f'platform_machine == "{machines[0]}"')
    if len(pythons) < len(PYTHONS):
        named = " or ".join(f'python_version == "{major}.{minor}"' for major, minor in pythons)
        parts.append(f"({named})" if len(pythons) > 1 else named)
    return " and ".join(parts)
