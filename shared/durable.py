"""Files and names that survive a power cut."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Returns once a file's bytes, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: str | bytes) -> None:
    """Writes a file wholly or not at all; text must be ASCII."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.write_bytes(content.encode("ascii") if isinstance(content, str) else content)
    sync(beside)
    beside.rename(path)
    sync(path.parent)
