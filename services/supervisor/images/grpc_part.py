"""Another service's part, over gRPC."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager

import grpc
from batos.image.v1 import image_pb2 as pb
from batos.image.v1 import image_pb2_grpc
from google.protobuf.duration_pb2 import Duration

from services.supervisor.images.parts import ExportPiece, ImportPiece
from shared.errors import BatosError, DeadlineExceeded, Unavailable
from shared.image.part import Model
from shared.rpc_status import from_rpc_error

_ANSWER_SECONDS = 5.0


class GrpcPart:
    """An `ImagePart`."""

    def __init__(self, service: str, channel: grpc.aio.Channel) -> None:
        self.service = service
        self._stub: image_pb2_grpc.ImagePartServiceAsyncStub = image_pb2_grpc.ImagePartServiceStub(
            channel
        )

    async def freeze(self, image: str, ttl: float, model_tags: Sequence[str]) -> int:
        """See ImagePart."""
        span = Duration(seconds=int(ttl), nanos=int(ttl % 1 * 1e9))
        request = pb.FreezeRequest(image=image, ttl=span, model_tags=model_tags)
        with self._errors():
            return (await self._stub.Freeze(request)).size_bytes

    async def thaw(self, image: str) -> None:
        """See ImagePart."""
        with self._errors():
            await self._stub.Thaw(pb.ThawRequest(image=image))

    async def export(self, image: str) -> AsyncGenerator[ExportPiece, None]:
        """See ImagePart."""
        with self._errors():
            async for response in self._stub.Export(pb.ExportRequest(image=image)):
                if response.WhichOneof("kind") == "file":
                    yield response.file.name, response.file.size_bytes
                else:
                    yield response.chunk

    async def take(self, key: str, pieces: AsyncIterator[ImportPiece]) -> Sequence[Model]:
        """See ImagePart."""
        with self._errors():
            response = await self._stub.Import(_requests(key, pieces))
        return [Model(model.tag, model.digest) for model in response.models]

    async def switch(self, key: str) -> None:
        """See ImagePart."""
        with self._errors():
            await self._stub.Switch(pb.SwitchRequest(image=key))

    async def state(self) -> tuple[str, int]:
        """See ImagePart."""
        try:
            # A service that has just started is waited for: the channel may pause between tries.
            with self._errors():
                response = await self._stub.GetPart(
                    pb.GetPartRequest(), timeout=_ANSWER_SECONDS, wait_for_ready=True
                )
        except DeadlineExceeded as error:
            raise Unavailable(f"{self.service}: it does not answer", retry_after=5.0) from error
        return response.loaded_image, response.schema

    async def retain(self, images: Sequence[str]) -> None:
        """See RemotePart."""
        with self._errors():
            await self._stub.Retain(
                pb.RetainRequest(images=images), timeout=_ANSWER_SECONDS, wait_for_ready=True
            )

    async def discard(self, key: str) -> None:
        """See ImagePart."""
        with self._errors():
            await self._stub.Discard(pb.DiscardRequest(image=key))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError as error:
            raise _named(self.service, from_rpc_error(error)) from error


def _named(service: str, error: BatosError) -> BatosError:
    error.message = f"{service}: {error.message}"
    return error


async def _requests(
    key: str, pieces: AsyncIterator[ImportPiece]
) -> AsyncIterator[pb.ImportRequest]:
    yield pb.ImportRequest(image=key)
    async for piece in pieces:
        if isinstance(piece, bytes):
            yield pb.ImportRequest(chunk=piece)
        else:
            digest = bytes.fromhex(piece.sha256)
            file = pb.ImportFile(name=piece.name, size_bytes=piece.size, sha256=digest)
            yield pb.ImportRequest(file=file)
