"""ImagePartService over a part: the same for every stateful service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
from batos.image.v1 import image_pb2 as pb
from batos.image.v1 import image_pb2_grpc

from shared import process
from shared.durations import seconds_of
from shared.errors import BatosError, InvalidArgument
from shared.image import switching
from shared.image.cutting import CHUNK_BYTES, Cuts
from shared.image.layout import Layout, checked_image
from shared.image.part import Part
from shared.image.staging import Arriving, Piece, Staging

_RUN_OUT_SECONDS = 2.0
_MOST_IMAGES = 10_000

Context = grpc.aio.ServicerContext[Any, Any]


class ImagePartServicer(image_pb2_grpc.ImagePartServiceServicer):
    """See the contract."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._cuts = Cuts(part)
        self._staging = Staging(part)
        self._importing = asyncio.Lock()

    async def close(self) -> None:
        """Lets go of every cut, so that writes held by one can end."""
        await self._cuts.close()

    async def Freeze(self, request: pb.FreezeRequest, context: Context) -> pb.FreezeResponse:
        """Holds writes."""
        size = await self._cuts.freeze(
            request.image, seconds_of(request.ttl, "ttl"), list(request.model_tags)
        )
        return pb.FreezeResponse(size_bytes=size)

    async def Thaw(self, request: pb.ThawRequest, context: Context) -> pb.ThawResponse:
        """Lets writes go on."""
        await self._cuts.thaw(request.image)
        return pb.ThawResponse()

    async def Export(
        self, request: pb.ExportRequest, context: Context
    ) -> AsyncIterator[pb.ExportResponse]:
        """Files."""
        async with aclosing(self._cuts.export(request.image)) as pieces:
            async for piece in pieces:
                if isinstance(piece, bytes):
                    yield pb.ExportResponse(chunk=piece)
                else:
                    name, size = piece
                    yield pb.ExportResponse(file=pb.FileStart(name=name, size_bytes=size))

    async def Import(
        self, request_iterator: AsyncIterator[pb.ImportRequest], context: Context
    ) -> pb.ImportResponse:
        """Takes files."""
        try:
            return await self._taken(request_iterator)
        except BatosError:
            await _run_out(request_iterator)
            raise

    async def _taken(self, requests: AsyncIterator[pb.ImportRequest]) -> pb.ImportResponse:
        first = await anext(aiter(requests), None)
        if first is None or first.WhichOneof("kind") != "image":
            raise InvalidArgument.of_field("image", "must come first")
        async with self._importing:
            models = await self._staging.take(first.image, _pieces(requests))
        return pb.ImportResponse(models=[pb.Model(tag=m.tag, digest=m.digest) for m in models])

    async def Switch(self, request: pb.SwitchRequest, context: Context) -> pb.SwitchResponse:
        """Decides, answers, and starts anew."""
        if Layout(self._part.data_dir).loaded_image() != request.image:
            await asyncio.to_thread(switching.decide, self._part.data_dir, request.image)
            process.start_anew()
        return pb.SwitchResponse()

    async def GetPart(self, request: pb.GetPartRequest, context: Context) -> pb.GetPartResponse:
        """What is served."""
        loaded = await asyncio.to_thread(Layout(self._part.data_dir).loaded_image)
        return pb.GetPartResponse(loaded_image=loaded, schema=self._part.schema)

    async def Retain(self, request: pb.RetainRequest, context: Context) -> pb.RetainResponse:
        """Keeps account of these."""
        if len(request.images) > _MOST_IMAGES:
            raise InvalidArgument.of_field("images", f"must be at most {_MOST_IMAGES}")
        await self._part.retain([checked_image(image) for image in request.images])
        return pb.RetainResponse()

    async def Discard(self, request: pb.DiscardRequest, context: Context) -> pb.DiscardResponse:
        """Drops."""
        await self._cuts.discard(request.image)
        return pb.DiscardResponse()


async def _run_out(requests: AsyncIterator[pb.ImportRequest]) -> None:
    """Reads what was sent already: gRPC's client shows who still sends an error of its own."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_RUN_OUT_SECONDS):
            async for _ in requests:
                pass


async def _pieces(requests: AsyncIterator[pb.ImportRequest]) -> AsyncIterator[Piece]:
    async for request in requests:
        match request.WhichOneof("kind"):
            case "file":
                file = request.file
                yield Arriving(file.name, file.size_bytes, file.sha256)
            case "chunk" if len(request.chunk) <= CHUNK_BYTES:
                yield request.chunk
            case "chunk":
                raise InvalidArgument.of_field("chunk", f"must be at most {CHUNK_BYTES} bytes")
            case _:
                raise InvalidArgument.of_field("image", "comes once, first")
