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


def write_durably(path: Path, text: str) -> None:
    """Writes a small file wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, encoding="ascii")
    sync(beside)
    beside.rename(path)
    sync(path.parent)
