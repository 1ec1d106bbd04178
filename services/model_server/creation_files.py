"""The files that a creation names, and what it tells while it works on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from services.model_server.errors import BadRequestError
from services.model_server.model_store import ModelStore

Report = Callable[[str], None]
"""Takes one status, in Ollama's words."""


def named_blobs(store: ModelStore, files: dict[str, str]) -> dict[str, Path]:
    """The blobs by file name; BadRequestError for one that is absent or a name with a path."""
    blobs = {name: store.blobs.existing(digest) for name, digest in files.items()}
    for name in blobs:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or len(path.parts) != 1 or "\\" in name:
            raise BadRequestError("file path must be relative")
    return blobs


def laid_out(blobs: dict[str, Path], directory: Path) -> Path:
    """A new directory in which the blobs lie under their names."""
    directory.mkdir()
    for name, blob in blobs.items():
        (directory / name).symlink_to(blob.resolve())
    return directory
