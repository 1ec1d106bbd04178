"""The versions that go together, as pip finds them: it reads metadata and installs nothing."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.lock.index import index_url

_SECONDS = 600
_FLAGS = (
    "--dry-run",
    "--ignore-installed",
    "--quiet",
    "--disable-pip-version-check",
    "--only-binary=:all:",
    # Wheels of gigabytes are not downloaded for a page of metadata.
    "--use-feature=fast-deps",
)


class LockError(Exception):
    """No lock could be made; the text says why."""


@dataclass(frozen=True)
class Package:
    """One release, with what it needs."""

    name: str
    version: str
    requires: tuple[Requirement, ...]


def resolve(requirements: Iterable[Requirement], constraints: Path) -> dict[str, Package]:
    """By canonical name. Raises LockError where nothing fits."""
    with tempfile.TemporaryDirectory() as folder:
        asked, report = Path(folder) / "asked.txt", Path(folder) / "report.json"
        asked.write_text("".join(f"{line}\n" for line in requirements), "utf-8")
        _pip("--constraint", constraints, "--requirement", asked, "--report", report)
        content = json.loads(report.read_text("utf-8"))
    packages = (_package(item["metadata"]) for item in content["install"])
    return {package.name: package for package in packages}


def _package(metadata: dict[str, object]) -> Package:
    lines = metadata.get("requires_dist", [])
    assert isinstance(lines, Sequence)
    return Package(
        canonicalize_name(str(metadata["name"])),
        str(metadata["version"]),
        tuple(Requirement(line) for line in lines),
    )


def _pip(*arguments: str | Path) -> None:
    """With the index alone: what lies on this machine's disk is nowhere else."""
    environment = os.environ | {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    environment |= {"PIP_EXTRA_INDEX_URL": "", "PIP_INDEX_URL": index_url()}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *_FLAGS, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise LockError(f"pip finds no versions that go together:\n{done.stderr}")
