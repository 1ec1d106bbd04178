"""A file system of some MiB that a test fills up."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1 << 20


@contextmanager
def mounted(path: Path, size: str) -> Iterator[Path]:
    """The folder as a file system of this size ("24m")."""
    path.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", path],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here: it takes root")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(disk: Path, spare: int) -> Path:
    """A file that leaves so many bytes."""
    room = os.statvfs(disk)
    path = disk / "ballast"
    path.write_bytes(b"\0" * max(0, room.f_bavail * room.f_frsize - spare))
    return path
