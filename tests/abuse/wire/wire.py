"""Bytes to a service and back, and what it says when it refuses."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import error_details_pb2

from shared.channel import MESSAGE_LIMIT_BYTES
from shared.rpc_status import received_status
from tests.contract.rpc_methods import path_of

DOMAIN = "batos"
# What bad input may come to. Never UNKNOWN or INTERNAL: those say that we were taken by surprise.
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
}
_GIVEAWAYS = ("Traceback", 'File "', "sqlite3.", "object at 0x", "Exception")
_RESPONSES = 3


@dataclass(frozen=True)
class Outcome:
    """How a call ended: `responses` where it was answered, else the status and its details."""

    code: grpc.StatusCode
    responses: tuple[bytes, ...] = ()
    message: str = ""
    reason: str = ""
    domain: str = ""
    fields: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """True where it was answered."""
        return self.code is grpc.StatusCode.OK

    def check_typed(self) -> None:
        """A refusal must be one of those that bad input may come to, with its reason in words."""
        if self.ok:
            return
        assert self.code in REFUSALS, self
        assert self.domain == DOMAIN, self
        assert self.reason, self
        assert not any(word in self.message for word in _GIVEAWAYS), self
        if self.reason == "INVALID_ARGUMENT":
            assert self.fields, self


class Wire:
    """Calls the methods of one service with whatever bytes it is given; retries nothing."""

    def __init__(self, address: str) -> None:
        options = [
            ("grpc.enable_retries", 0),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ]
        self.channel = grpc.aio.insecure_channel(address, options=options)

    async def send(
        self,
        method: MethodDescriptor,
        payloads: Sequence[bytes],
        timeout: float = 20,
        watch_seconds: float = 0.3,
    ) -> Outcome:
        """Sends one message, or several on a stream.

        A watch that says nothing for `watch_seconds` goes on, and counts as answered.
        """
        try:
            responses = await self._responses(method, payloads, timeout, watch_seconds)
        except grpc.aio.AioRpcError as error:
            return refusal(error)
        return Outcome(grpc.StatusCode.OK, tuple(responses))

    async def _responses(
        self,
        method: MethodDescriptor,
        payloads: Sequence[bytes],
        timeout: float,
        watch_seconds: float,
    ) -> list[bytes]:
        if method.client_streaming:
            return await self._stream(method, payloads, timeout)
        if method.server_streaming:
            pause = watch_seconds if method.name.startswith("Watch") else timeout
            return await self._read(method, payloads[0], timeout, pause)
        return [await self.channel.unary_unary(path_of(method))(payloads[0], timeout=timeout)]

    async def _read(
        self, method: MethodDescriptor, payload: bytes, timeout: float, pause: float
    ) -> list[bytes]:
        """The responses until the end; of a watch the first ones."""
        call = self.channel.unary_stream(path_of(method))(payload, timeout=timeout)
        found: list[bytes] = []
        while len(found) < _RESPONSES or pause == timeout:
            try:
                response = await asyncio.wait_for(call.read(), pause)
            except TimeoutError:
                break
            if response is grpc.aio.EOF:
                return found
            found.append(response)
        call.cancel()
        return found

    async def _stream(
        self, method: MethodDescriptor, payloads: Sequence[bytes], timeout: float
    ) -> list[bytes]:
        call = self.channel.stream_stream(path_of(method))(timeout=timeout)
        found = []
        for payload in payloads:
            # A refusal may come before the write is done; reading tells it in its own words.
            with contextlib.suppress(asyncio.InvalidStateError):
                await call.write(payload)
            response = await call.read()
            if response is grpc.aio.EOF:
                return found
            found.append(response)
        # The deadline may pass between the two; reading tells it in its own words.
        with contextlib.suppress(asyncio.InvalidStateError, grpc.aio.InternalError):
            await call.done_writing()
        await call.read()
        return found


def refusal(error: grpc.aio.AioRpcError) -> Outcome:
    """The status and its details."""
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status = received_status(error)
    for detail in status.details if status else ():
        detail.Unpack(info)
        detail.Unpack(request)
    return Outcome(
        error.code(),
        message=error.details() or "",
        reason=info.reason,
        domain=info.domain,
        fields=tuple(violation.field for violation in request.field_violations),
    )
