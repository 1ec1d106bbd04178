"""The machines that a lock is good for."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from packaging.tags import Tag, compatible_tags, cpython_tags

PYTHONS = ((3, 11), (3, 12), (3, 13))
MACHINES = ("x86_64", "aarch64")

# Debian 13 has 2.41. A wheel that asks for a newer one is left out of the lock.
_NEWEST_GLIBC = 41
_OLDEST_GLIBC = 5


@dataclass(frozen=True, order=True)
class Environment:
    """A Python of CPython's on a Linux machine."""

    python: tuple[int, int]
    machine: str

    def __str__(self) -> str:
        return f"{self.version} {self.machine}"

    @property
    def version(self) -> str:
        """As in "3.11"."""
        return f"{self.python[0]}.{self.python[1]}"

    def markers(self) -> dict[str, str]:
        """What environment markers see (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.version}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": f"{self.version}.0",
            "python_version": self.version,
            "sys_platform": "linux",
        }

    def tags(self) -> frozenset[Tag]:
        """The wheels that run here."""
        return _tags(self.python, self.machine)


@cache
def _tags(python: tuple[int, int], machine: str) -> frozenset[Tag]:
    platforms = list(_platforms(machine))
    interpreter = f"cp{python[0]}{python[1]}"
    own = cpython_tags(python, platforms=platforms)
    return frozenset((*own, *compatible_tags(python, interpreter, platforms)))


def _platforms(machine: str) -> Iterator[str]:
    for minor in range(_NEWEST_GLIBC, _OLDEST_GLIBC - 1, -1):
        yield f"manylinux_2_{minor}_{machine}"
    for name in ("manylinux2014", "manylinux2010", "manylinux1", "linux"):
        yield f"{name}_{machine}"


ENVIRONMENTS = tuple(Environment(python, machine) for python in PYTHONS for machine in MACHINES)
