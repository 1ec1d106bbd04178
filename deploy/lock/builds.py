"""Builds of a package that the index does not hold, as builds.toml lists them."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.version import Version

from deploy.lock.environment import ENVIRONMENTS
from deploy.lock.index import File
from deploy.lock.lockfile import Pin
from deploy.lock.resolution import LockError, Package

_LISTED = Path(__file__).with_name("builds.toml")


def builds(packages: Mapping[str, Package], listed: Path = _LISTED) -> dict[str, list[Pin]]:
    """By lock. Raises LockError where the index's version is another one by now."""
    content = tomllib.loads(listed.read_text("utf-8"))
    for lock, build in content.items():
        locked = packages[build["name"]].version
        if Version(build["version"]).public != locked:
            raise LockError(f"{listed.name}: {lock} has {build['version']}, the locks {locked}")
    return {lock: [_pin(build)] for lock, build in content.items()}


def _pin(build: dict[str, Any]) -> Pin:
    files = tuple(File(name, sha256) for name, sha256 in build["files"].items())
    served = (e for e in ENVIRONMENTS if any(file.runs_on(e) for file in files))
    return Pin(build["name"], build["version"], files, frozenset(served))
