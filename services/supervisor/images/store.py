"""The folder of images."""

import re
from collections.abc import Sequence
from pathlib import Path

import structlog

from services.supervisor.images import archive
from services.supervisor.images.archive import SUFFIX
from services.supervisor.images.manifest import Manifest
from shared.durable import sync
from shared.errors import BatosError, NotFound

COLLECTION = "images"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")

_log = structlog.get_logger()


def size_of(path: Path) -> int:
    """Bytes of an image."""
    return path.stat().st_size


class ImageStore:
    """Images as files of one folder; what is unfinished has another name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob("*.partial"):
            left.unlink()

    def path(self, image_id: str) -> Path:
        """Where an image is; NotFound."""
        path = self.folder / f"{image_id}{SUFFIX}"
        if not _ID.fullmatch(image_id) or not path.is_file():
            raise NotFound(f"there is no image {COLLECTION}/{image_id} in {self.folder}")
        return path

    def partial(self, image_id: str) -> Path:
        """Where an image is while it is made."""
        return self.folder / f"{image_id}.partial"

    def keep(self, image_id: str) -> Path:
        """Makes a finished image one of ours, durably."""
        path = self.folder / f"{image_id}{SUFFIX}"
        self.partial(image_id).rename(path)
        sync(self.folder)
        return path

    def discard(self, image_id: str) -> None:
        """Removes an image, if it is there."""
        (self.folder / f"{image_id}{SUFFIX}").unlink(missing_ok=True)
        sync(self.folder)

    def made_for(self, request_id: str) -> Manifest | None:
        """The image that this request made, if any."""
        made = (m for _, m in self.all() if request_id and m.request_id == request_id)
        return next(made, None)

    def all(self) -> Sequence[tuple[str, Manifest]]:
        """Ids and manifests, newest first; files that are no images are passed over."""
        found = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            try:
                found.append((path.name.removesuffix(SUFFIX), archive.manifest_of(path)))
            except BatosError as error:
                _log.warning("not an image", path=path.name, error=error.message)
        return sorted(found, key=lambda pair: (pair[1].created_at, pair[0]), reverse=True)
