"""Carries calls over asyncio's channels; `transport_sync` says what each method does."""

import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import grpc
from batos.client.calls import (
    TURNS,
    Answer,
    Batches,
    Call,
    End,
    Event,
    Item,
    Pages,
    Watch,
    Work,
    copied,
)
from batos.client.channels import Channels, Options
from batos.client.deadline import Deadline
from batos.client.errors import BatosError, Unavailable
from batos.client.methods import Method
from batos.client.refusals import is_lost, only, refusal
from batos.client.settings import Settings
from batos.client.streams import AsyncStream


class AsyncTransport:
    """Calls with a deadline of `seconds`, None for each method's own."""

    def __init__(
        self, settings: Settings, channels: Channels[grpc.aio.Channel], seconds: float | None
    ) -> None:
        self._settings = settings
        self.channels = channels
        self._seconds = seconds

    def within(self, seconds: float) -> "AsyncTransport":
        """The same channels with another deadline."""
        return AsyncTransport(self._settings, self.channels, seconds)

    async def call(self, call: Call[Answer]) -> Answer:
        """One request, one response."""
        deadline = Deadline(call.method, self._seconds)
        try:
            opened = self.channels.to(call.method.service).unary_unary(
                call.method.path, call.method.serialize, call.method.parse
            )
            return call.read(await opened(call.request, timeout=deadline.left()))
        except grpc.aio.AioRpcError as error:
            raise self._refusal(error, call.method) from error

    async def pages(self, pages: Pages[Item]) -> AsyncIterator[Item]:
        """All items; each page has the whole deadline."""
        request = copied(pages.request)
        while True:
            response = await self.call(Call(pages.method, request, lambda answer: answer))
            for item in pages.read(response):
                yield item
            if not response.next_page_token:
                return
            request.page_token = response.next_page_token

    async def batches(self, batches: Batches[Item]) -> list[Item]:
        """The items of all responses; what a lost stream left unanswered is sent once more."""
        deadline = Deadline(batches.method, self._seconds)
        answered: list[Any] = []
        try:
            await self._send(batches, answered, deadline)
        except Unavailable as error:
            if not is_lost(error) or not answered:
                raise
            await self._send(batches, answered, deadline)
        return list(itertools.chain.from_iterable(map(batches.read, answered)))

    def work(self, work: Work[Event, End]) -> AsyncStream[Event, End]:
        """Events until the one that holds the end."""
        ends: list[End] = []
        deadline = Deadline(work.method, self._seconds)

        async def ended() -> End:
            return only(ends, work.method)

        return AsyncStream(self._worked(work, deadline, ends), ended)

    async def finish(self, work: Work[Event, End]) -> End:
        """The end alone; asked for anew where the connection breaks. The request_id is the same."""
        deadline = Deadline(work.method, self._seconds)
        ends: list[End] = []
        for left in reversed(range(TURNS)):
            try:
                async for _ in self._worked(work, deadline, ends):
                    pass
                break
            except Unavailable as error:
                if not left or not is_lost(error):
                    raise
        return only(ends, work.method)

    def watch(self, watch: Watch[Event, End]) -> AsyncStream[Event, End]:
        """Events, none left out or twice, over breaks of the connection."""

        async def ended() -> End:
            if watch.end is None:  # it has no end, so its End is None
                return cast(End, None)
            return await self.call(watch.end)

        return AsyncStream(self._watched(watch), ended)

    async def close(self) -> None:
        """Ends all channels, and the calls on them."""
        for channel in self.channels.taken():
            await channel.close()

    async def _worked(
        self, work: Work[Event, End], deadline: Deadline, ends: list[End]
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(self._responses(work.method, work.request, deadline)) as responses:
            async for event in responses:
                if (end := work.end(event)) is not None:
                    ends.append(end)
                yield event

    async def _watched(self, watch: Watch[Any, Any]) -> AsyncGenerator[Any, None]:
        deadline = Deadline(watch.method, self._seconds)
        request = copied(watch.request)
        while True:
            before = request.after_sequence
            try:
                async with aclosing(self._responses(watch.method, request, deadline)) as responses:
                    async for response in responses:
                        event = watch.read(response)
                        request.after_sequence = event.sequence
                        yield event
                return
            except Unavailable as error:
                if not is_lost(error) or request.after_sequence == before:
                    raise

    async def _send(self, batches: Batches[Item], answered: list[Any], deadline: Deadline) -> None:
        open_ = self.channels.to(batches.method.service).stream_stream(
            batches.method.path, batches.method.serialize, batches.method.parse
        )
        try:
            requests = iter(batches.requests[len(answered) :])
            async for response in open_(requests, timeout=deadline.left()):
                answered.append(response)  # what came before a break counts
        except grpc.aio.AioRpcError as error:
            raise self._refusal(error, batches.method) from error

    async def _responses(
        self, method: Method, request: Any, deadline: Deadline
    ) -> AsyncGenerator[Any, None]:
        opened = self.channels.to(method.service).unary_stream(
            method.path, method.serialize, method.parse
        )
        call = opened(request, timeout=deadline.left())
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            raise self._refusal(error, method) from error
        finally:
            call.cancel()

    def _refusal(self, error: grpc.RpcError, method: Method) -> BatosError:
        return refusal(error, method, self._settings.address_of(method.service))


def opened(
    address: str, credentials: grpc.ChannelCredentials | None, options: Options
) -> grpc.aio.Channel:
    """A channel of the running loop; plaintext without credentials."""
    if credentials is None:
        return grpc.aio.insecure_channel(address, options)
    return grpc.aio.secure_channel(address, credentials, options)
