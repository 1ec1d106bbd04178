"""The services whose state an image holds, as the Supervisor asks them."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from services.supervisor.images.manifest import ImageFile
from shared.image.part import Model

ExportPiece = tuple[str, int] | bytes
ImportPiece = ImageFile | bytes


class ImagePart(Protocol):
    """One service's part. Methods raise `BatosError`s; doing one again does no harm."""

    @property
    def service(self) -> str:
        """Its name in images."""

    async def freeze(self, image: str, ttl: float, model_tags: Sequence[str]) -> int:
        """Holds writes and pins what is there; the bytes that it has, about."""

    async def thaw(self, image: str) -> None:
        """Lets writes go on; FailedPrecondition (THAWED_EARLY) where they did already."""

    def export(self, image: str) -> AsyncGenerator[ExportPiece, None]:
        """Each file's name and size, then its bytes."""

    async def take(self, key: str, pieces: AsyncIterator[ImportPiece]) -> Sequence[Model]:
        """Takes files beside what is in use; models that were made anew."""

    async def state(self) -> tuple[str, int]:
        """The key that was switched to last, and the version of the layout."""

    async def discard(self, key: str) -> None:
        """Drops a cut, or what was taken and is not in use."""


class RemotePart(ImagePart, Protocol):
    """The part of another service."""

    async def retain(self, images: Sequence[str]) -> None:
        """Tells which images there are."""

    async def switch(self, key: str) -> None:
        """Decides that what was taken is served from now on; the service starts anew on it."""
