"""Files kept under the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from services.model_server import durable_file
from services.model_server.errors import BadRequestError

_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
_READ_BYTES = 1024 * 1024


class BlobStore:
    """Blobs named `sha256-<hex>`; names beginning with a dot are uploads that never ended."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        durable_file.make_directory(directory)

    def path(self, digest: str) -> Path:
        """Where the blob lies, there or not; BadRequestError where the digest is none."""
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise BadRequestError("invalid digest format")
        return self._directory / f"sha256-{match[1]}"

    def has(self, digest: str) -> bool:
        """Whether the whole blob is there."""
        return self.path(digest).is_file()

    def existing(self, digest: str) -> Path:
        """The blob's file; BadRequestError where it was never uploaded."""
        path = self.path(digest)
        if not path.is_file():
            raise BadRequestError(f"blob {digest} not found: upload it first")
        return path

    def upload(self) -> BlobUpload:
        """A blob in the making."""
        return BlobUpload(self)

    def adopt(self, path: Path) -> str:
        """Move a finished file of the same file system in; returns its digest."""
        digest = file_digest(path)
        durable_file.publish(path, self.path(digest))
        return digest

    def keep_only(self, digests: Iterable[str]) -> int:
        """Remove all other blobs and every unfinished upload; returns how many went."""
        wanted = {self.path(digest).name for digest in digests}
        unwanted = [path for path in self._directory.iterdir() if path.name not in wanted]
        for path in unwanted:
            path.unlink()
        return len(unwanted)

    def remove(self, digest: str) -> None:
        """Remove a blob if it is there."""
        durable_file.remove(self.path(digest))

    def temporary(self) -> Path:
        """An empty file inside the store that no digest names yet."""
        with tempfile.NamedTemporaryFile(dir=self._directory, prefix=".", delete=False) as file:
            return Path(file.name)


class BlobUpload:
    """Bytes that arrive in pieces; leaving without `commit` leaves nothing behind."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._path = store.temporary()
        self._file = self._path.open("wb")
        self._hash = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Append a piece."""
        self._file.write(piece)
        self._hash.update(piece)

    def commit(self, digest: str) -> None:
        """Publish the blob; BadRequestError where the content has another digest."""
        final = self._store.path(digest)
        got = self._hash.hexdigest()
        if final.name != f"sha256-{got}":
            expected = digest.replace("-", ":")
            message = f'digest mismatch, expected "{expected}", got "sha256:{got}"'
            raise BadRequestError(message)
        self._file.close()
        durable_file.publish(self._path, final)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """`sha256:<hex>` of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
