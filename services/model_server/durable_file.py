"""Files that appear whole or not at all, and survive a power cut once they have appeared."""

from __future__ import annotations

from pathlib import Path

from shared.durable import sync


def publish(partial: Path, final: Path) -> None:
    """Sync a finished temporary file, give it its name, and sync the directory."""
    sync(partial)
    partial.replace(final)
    sync(final.parent)


def make_directory(path: Path) -> None:
    """Make a directory and its parents, each synced into its own parent."""
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(exist_ok=True)
        sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file if it is there, durably."""
    path.unlink(missing_ok=True)
    sync(path.parent)
