"""Reads requests where their faults can still be told in words."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from google.protobuf.message import DecodeError

from shared.errors import InvalidArgument


def decoder(handler: Any) -> Callable[[Any], Any]:
    """A function from what gRPC hands over, bytes or an iterator of them, to the handler's request.

    What it returns raises InvalidArgument (MALFORMED_MESSAGE) where bytes are no such message.
    """
    deserialize = handler.request_deserializer

    def one(data: bytes) -> Any:
        try:
            return deserialize(data)
        except DecodeError as error:
            raise InvalidArgument(
                "the bytes are no message of the type that this method takes",
                reason="MALFORMED_MESSAGE",
            ) from error

    async def each(iterator: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for data in iterator:
            yield one(data)

    return each if handler.request_streaming else one
