"""The RPCs about images: messages in, domain, messages out."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from batos.supervisor.v1 import supervisor_pb2 as pb
from batos.supervisor.v1 import supervisor_pb2_grpc

from services.supervisor.images import archive
from services.supervisor.images.loading import Loaded, Wish
from services.supervisor.images.manifest import Manifest
from services.supervisor.images.methods import Images, followed, order_of
from services.supervisor.images.proto_images import (
    image_message,
    model_message,
    progress_message,
)
from services.supervisor.images.saving import Progress
from services.supervisor.images.store import COLLECTION
from shared import ledger, naming, pages
from shared.ledger import Ledger
from shared.server import NOTICE_SECONDS

# The server refuses calls by then: who has seen the end of a load never meets the old state again.
TURNED_AWAY_SECONDS = 2 * NOTICE_SECONDS

Context = grpc.aio.ServicerContext[Any, Any]


class ImagesServicer(supervisor_pb2_grpc.SupervisorServiceServicer):
    """Those methods of SupervisorService that are about images."""

    def __init__(self, images: Images, receipts: Ledger) -> None:
        self._images = images
        self._receipts = receipts

    async def SaveImage(
        self, request: pb.SaveImageRequest, context: Context
    ) -> AsyncIterator[pb.SaveImageResponse]:
        """Makes an image."""
        async with self._receipts.alone(request):
            first = await self._receipts.replay(request, pb.SaveImageResponse)
            if first is not None:
                yield first
                return
            order = order_of(naming.parse_request_id(request.request_id), request.note)

            def receipt(connection: sqlite3.Connection, manifest: Manifest) -> None:
                ledger.record(connection, request, self._saved(manifest))

            work = followed(lambda tell: self._images.save(order, tell, receipt))
            async with aclosing(work) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        yield pb.SaveImageResponse(progress=progress_message(event))
                    else:
                        yield self._saved(event)

    async def LoadImage(
        self, request: pb.LoadImageRequest, context: Context
    ) -> AsyncIterator[pb.LoadImageResponse]:
        """Puts everything back."""
        wish = Wish(naming.parse(request.name, COLLECTION), request.discard_current)
        async with self._receipts.alone(request):
            first = await self._receipts.replay(request, pb.LoadImageResponse)
            if first is not None:
                yield first
                return

            def receipt(connection: sqlite3.Connection, loaded: Loaded) -> None:
                ledger.record(connection, request, self._loaded(loaded))

            work = followed(lambda tell: self._images.load(wish, tell, receipt))
            async with aclosing(work) as events:
                async for event in events:
                    if isinstance(event, Progress):
                        yield pb.LoadImageResponse(progress=progress_message(event))
                    else:
                        yield self._loaded(event)
                        await asyncio.sleep(TURNED_AWAY_SECONDS)

    async def ListImages(
        self, request: pb.ListImagesRequest, context: Context
    ) -> pb.ListImagesResponse:
        """Images, newest first; the token is the id of the last one."""
        size, after = pages.size_of(request.page_size), pages.id_of(request.page_token)
        images = list(await asyncio.to_thread(self._images.store.all))
        names = [image_id for image_id, _ in images]
        start = names.index(after) + 1 if after in names else 0
        found = [self._image(manifest) for _, manifest in images[start : start + size + 1]]
        shown, more = pages.fitting(found, size)
        token = naming.parse(shown[-1].name, COLLECTION) if more else ""
        return pb.ListImagesResponse(images=shown, next_page_token=token)

    async def VerifyImage(
        self, request: pb.VerifyImageRequest, context: Context
    ) -> pb.VerifyImageResponse:
        """Reads a whole image."""
        manifest = await self._images.verify(naming.parse(request.name, COLLECTION))
        return pb.VerifyImageResponse(image=self._image(manifest))

    async def DeleteImage(
        self, request: pb.DeleteImageRequest, context: Context
    ) -> pb.DeleteImageResponse:
        """Removes an image."""
        image_id = naming.parse(request.name, COLLECTION)

        async def do() -> pb.DeleteImageResponse:
            answer = pb.DeleteImageResponse()
            await self._images.delete(image_id, lambda c: ledger.record(c, request, answer))
            return answer

        return await self._receipts.once(request, pb.DeleteImageResponse, do)

    def _image(self, manifest: Manifest) -> pb.Image:
        return image_message(self._images.store.folder, manifest)

    def _saved(self, manifest: Manifest) -> pb.SaveImageResponse:
        return pb.SaveImageResponse(image=self._image(manifest))

    def _loaded(self, loaded: Loaded) -> pb.LoadImageResponse:
        previous = None
        if loaded.previous:
            store = self._images.store
            previous = self._image(archive.manifest_of(store.path(loaded.previous)))
        message = pb.LoadedImage(
            image=self._image(loaded.manifest),
            previous=previous,
            missing_models=[model_message(model) for model in loaded.missing],
        )
        return pb.LoadImageResponse(loaded=message)
