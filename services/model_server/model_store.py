"""All tags on disk: manifests by name, blobs by digest."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import structlog

from services.model_server import durable_file
from services.model_server.blob_store import BlobStore
from services.model_server.errors import ModelNotFoundError
from services.model_server.manifest import Manifest
from services.model_server.model_name import ModelName

log = structlog.get_logger()


@dataclass(frozen=True)
class StoredModel:
    """A tag, what it stands for, and when it was last written."""

    name: ModelName
    manifest: Manifest
    modified_at: datetime


class ModelStore:
    """Every method blocks on the disk: call it in a thread. Safe from several threads.

    A manifest appears after its blob and goes before it, so that a crash at any moment leaves
    at worst a blob without a name, which the next start removes.
    """

    def __init__(self, directory: Path) -> None:
        self._manifests = directory / "manifests"
        self._lock = threading.Lock()
        durable_file.make_directory(self._manifests)
        self.blobs = BlobStore(directory / "blobs")

    def models(self) -> list[StoredModel]:
        """All tags, the last written first."""
        found = [self._read(name) for name in self._names()]
        return sorted(filter(None, found), key=lambda model: model.modified_at, reverse=True)

    def find(self, name: ModelName) -> StoredModel | None:
        """The tag, in whatever case it was written, or None."""
        exact = self._read(name)
        if exact is not None:
            return exact
        folded = str(name).lower()
        similar = next((n for n in self._names() if str(n).lower() == folded), None)
        return self._read(similar) if similar else None

    def get(self, text: str) -> StoredModel:
        """The tag; BadRequestError for a bad name, ModelNotFoundError for an absent one."""
        model = self.find(ModelName.parse(text))
        if model is None:
            raise ModelNotFoundError(text)
        return model

    def put(self, name: ModelName, manifest: Manifest) -> None:
        """Point a tag at a model; BadRequestError where a blob of the model is not there."""
        with self._lock:
            previous = self.find(name)
            target = previous.name if previous else name
            for digest in manifest.blobs:
                self.blobs.existing(digest)
            self._write(target, manifest)
            if previous:
                self._drop_unused(previous.manifest)

    def delete(self, text: str) -> StoredModel:
        """Remove a tag, and its blob unless another tag needs it."""
        with self._lock:
            model = self.get(text)
            durable_file.remove(self._path(model.name))
            self._drop_unused(model.manifest)
            return model

    def clean_up(self) -> int:
        """Remove what crashes and unfinished creations left; returns how many blobs went.

        Only for the start of the server: uploads that wait for their creation would go too.
        """
        with self._lock:
            for partial in self._manifests.rglob(".*"):
                partial.unlink()
            for workspace in self._manifests.parent.glob("work-*"):
                shutil.rmtree(workspace)
            return self.blobs.keep_only(d for model in self.models() for d in model.manifest.blobs)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A scratch directory on the store's file system."""
        with tempfile.TemporaryDirectory(dir=self._manifests.parent, prefix="work-") as path:
            yield Path(path)

    def _drop_unused(self, gone: Manifest) -> None:
        used = {digest for model in self.models() for digest in model.manifest.blobs}
        for digest in set(gone.blobs) - used:
            self.blobs.remove(digest)

    def _write(self, name: ModelName, manifest: Manifest) -> None:
        path = self._path(name)
        durable_file.make_directory(path.parent)
        partial = path.with_name(f".{path.name}")
        partial.write_bytes(manifest.to_bytes())
        durable_file.publish(partial, path)

    def _read(self, name: ModelName) -> StoredModel | None:
        path = self._path(name)
        try:
            manifest = Manifest.from_bytes(path.read_bytes())
            modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError, KeyError) as error:
            log.warning("manifest_unreadable", path=str(path), error=str(error))
            return None
        if missing := [digest for digest in manifest.blobs if not self.blobs.has(digest)]:
            log.warning("model_file_missing", model=str(name), digest=missing[0])
            return None
        return StoredModel(name, manifest, modified)

    def _names(self) -> list[ModelName]:
        paths = [path.relative_to(self._manifests) for path in self._manifests.glob("*/*/*/*.json")]
        return [
            ModelName.of_path(PurePosixPath(path))
            for path in sorted(paths)
            if not path.name.startswith(".")
        ]

    def _path(self, name: ModelName) -> Path:
        return self._manifests / name.path()
