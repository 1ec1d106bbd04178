"""The file of an image: a tar archive (POSIX ustar) in which every single byte is accounted for.

The services' files come first, each under its service's name; then `manifest.json`, and
`manifest.sha256` with the hash and size of that. As the manifest names all files in their order,
every header and all padding are known beforehand and compared byte for byte, and contents are
compared by SHA-256: whatever is changed, cut off or added shows, and where.
"""

import hashlib
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from services.supervisor.images.manifest import ImageFile, Manifest, read_manifest
from shared.errors import DataLoss, FailedPrecondition

SUFFIX = ".batimage"
_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)
_MANIFEST, _SEAL = "manifest.json", "manifest.sha256"
_SEAL_LENGTH = 64 + 1 + 20 + 1  # hash, space, decimal size, newline
_CHUNK = 1 << 20
_LARGEST_MANIFEST = 256 << 20


class ArchiveWriter:
    """Writes an image into a new file; `files` are those that are whole."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("xb")
        path.chmod(0o600)
        self.files: list[ImageFile] = []
        self._open: tuple[str, str, int] | None = None
        self._left = 0
        self._hash = hashlib.sha256()

    def begin(self, service: str, name: str, size: int) -> None:
        """The next file, after the one before has ended."""
        self.end()
        self._file.write(_header(f"{service}/{name}", size))
        self._open, self._left, self._hash = (service, name, size), size, hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        """Its next bytes; DataLoss where there are more than were announced."""
        self._left -= len(chunk)
        if self._left < 0 or self._open is None:
            raise DataLoss("a service sent more bytes than it had announced")
        self._hash.update(chunk)
        self._file.write(chunk)

    def end(self) -> None:
        """Ends a file; DataLoss where bytes are missing."""
        if self._open is None:
            return
        service, name, size = self._open
        if self._left:
            raise DataLoss(f"{service} did not send all of {name}")
        self._file.write(_padding(size))
        digest = self._hash.hexdigest()
        self.files.append(ImageFile(service=service, name=name, size=size, sha256=digest))
        self._open = None

    def seal(self, manifest: Manifest) -> None:
        """Writes the manifest and the end, and syncs the file."""
        text = manifest.to_json()
        for name, content in ((_MANIFEST, text), (_SEAL, _seal(text))):
            self._file.write(_header(name, len(content)) + content + _padding(len(content)))
        self._file.write(_END)
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def manifest_of(path: Path) -> Manifest:
    """The manifest of an image, without reading the rest.

    DataLoss where the end of the file is not that of an image, or the manifest is damaged.
    """
    with _opened(path) as file:
        return _manifest(file, path.stat().st_size)


def contents(
    path: Path, told: Callable[[int], None], service: str = ""
) -> Iterator[ImageFile | bytes]:
    """Each file, then its bytes, in chunks of at most 1 MiB; `told` gets the bytes read so far.

    With a `service` only its files are read. The bytes of a file are handed on before its hash can
    be compared: verify first. DataLoss names the part that is damaged.
    """
    size = path.stat().st_size
    with _opened(path) as file:
        manifest = _manifest(file, size)
        file.seek(0)
        for each in manifest.files:
            if service and each.service != service:
                file.seek(_BLOCK + each.size + len(_padding(each.size)), os.SEEK_CUR)
                continue
            _expect(file, _header(each.path, each.size), f"the header of {each.path}")
            yield each
            left, digest = each.size, hashlib.sha256()
            while left:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    raise DataLoss(f"{path.name} is cut off in {each.path}")
                digest.update(chunk)
                left -= len(chunk)
                yield chunk
            if digest.hexdigest() != each.sha256:
                raise DataLoss(f"{each.path} is damaged: its SHA-256 is another")
            _expect(file, _padding(each.size), f"what follows {each.path}")
            told(file.tell())
        if service:
            return
        text = manifest.to_json()
        _expect(file, _header(_MANIFEST, len(text)), "the header of the manifest")
        if file.tell() + len(text) + len(_tail(text)) != size:
            raise DataLoss(f"{path.name} holds bytes that its manifest does not name")
        told(size)


def verify(path: Path, told: Callable[[int], None]) -> Manifest:
    """Reads a whole image; DataLoss names the part that is damaged."""
    for _ in contents(path, told):
        pass
    return manifest_of(path)


def _manifest(file: BinaryIO, size: int) -> Manifest:
    closing = 2 * _BLOCK + len(_END)  # the seal with its header, and the end
    if size < closing:
        raise DataLoss("it is cut off, or no image")
    file.seek(size - closing)
    tail = file.read(closing)
    seal = tail[_BLOCK : _BLOCK + _SEAL_LENGTH]
    try:
        digest, length = seal[:64].decode("ascii"), int(seal[65:85])
    except ValueError:
        raise DataLoss("the seal of the manifest is damaged, or the file is cut off") from None
    start = size - closing - length - len(_padding(length))
    if not 0 < length <= _LARGEST_MANIFEST or start < _BLOCK:
        raise DataLoss("the seal of the manifest is damaged, or the file is cut off")
    file.seek(start)
    text = file.read(length)
    if hashlib.sha256(text).hexdigest() != digest:
        raise DataLoss("the manifest is damaged: its SHA-256 is another")
    if file.read() != _tail(text):
        raise DataLoss("the end of the image, behind the manifest, is damaged")
    manifest = read_manifest(text)
    if manifest.to_json() != text:
        raise DataLoss("the manifest is not canonical")
    return manifest


def _tail(manifest: bytes) -> bytes:
    seal = _seal(manifest)
    return _padding(len(manifest)) + _header(_SEAL, len(seal)) + seal + _padding(len(seal)) + _END


def _seal(manifest: bytes) -> bytes:
    return f"{hashlib.sha256(manifest).hexdigest()} {len(manifest):020d}\n".encode("ascii")


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    except (ValueError, UnicodeError) as error:
        raise FailedPrecondition(
            f"{name[:200]} ({size} bytes) cannot be put into an image: {error}",
            reason="FILE_TOO_LARGE",
        ) from None


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _expect(file: BinaryIO, wanted: bytes, what: str) -> None:
    if file.read(len(wanted)) != wanted:
        raise DataLoss(f"{what} is damaged")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataLoss(f"{path.name} cannot be read: {error.strerror}") from error
