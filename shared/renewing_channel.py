"""A channel whose certificate is renewed without a failed call.

gRPC in Python cannot exchange the credentials of a channel. So a new channel takes over when the
files have changed, and the old one is closed once the last call on it has ended.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc

from shared.identity import Identity, IdentityDirectory

_GLANCE_SECONDS = 1.0

Opener = Callable[[Identity], grpc.aio.Channel]


class _Generation:
    """One channel, its callables by kind and method, and how many calls are under way on it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.callables: dict[tuple[str, str], Any] = {}
        self.calls = 0


class RenewingChannel(grpc.aio.Channel):
    """Behaves like the channel that `opener` makes of the newest identity."""

    def __init__(self, directory: IdentityDirectory, opener: Opener) -> None:
        self._directory = directory
        self._opener = opener
        self._newest = _Generation(opener(directory.identity))
        self._closing: set[asyncio.Task[None]] = set()
        self._next_glance = 0.0

    def call(
        self, kind: str, method: str, options: dict[str, Any], *args: Any, **named: Any
    ) -> Any:
        """Begins a call of a `kind` such as "unary_unary" on the newest channel."""
        generation = self._current()
        made = generation.callables.get((kind, method))
        if made is None:
            made = getattr(generation.channel, kind)(method, **options)
            generation.callables[kind, method] = made
        call = made(*args, **named)
        generation.calls += 1
        call.add_done_callback(lambda _: self._ended(generation))
        return call

    def unary_unary(self, method: str, *args: Any, **options: Any) -> Any:
        """See grpc.aio.Channel; so are the other three kinds."""
        return _callable(self, "unary_unary", method, args, options)

    def unary_stream(self, method: str, *args: Any, **options: Any) -> Any:
        """See unary_unary."""
        return _callable(self, "unary_stream", method, args, options)

    def stream_unary(self, method: str, *args: Any, **options: Any) -> Any:
        """See unary_unary."""
        return _callable(self, "stream_unary", method, args, options)

    def stream_stream(self, method: str, *args: Any, **options: Any) -> Any:
        """See unary_unary."""
        return _callable(self, "stream_stream", method, args, options)

    async def close(self, grace: float | None = None) -> None:
        """Closes the newest channel and those that still finish calls."""
        await self._newest.channel.close(grace)
        if self._closing:
            await asyncio.wait(self._closing)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """The state of the newest channel."""
        return self._newest.channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits on the newest channel."""
        await self._newest.channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until the newest channel is connected."""
        await self._newest.channel.channel_ready()

    async def __aenter__(self) -> "RenewingChannel":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def _current(self) -> _Generation:
        now = time.monotonic()
        if now >= self._next_glance:
            self._next_glance = now + _GLANCE_SECONDS
            if self._directory.refresh():
                old, self._newest = (
                    self._newest,
                    _Generation(self._opener(self._directory.identity)),
                )
                self._retire(old)
        return self._newest

    def _ended(self, generation: _Generation) -> None:
        generation.calls -= 1
        if generation is not self._newest:
            self._retire(generation)

    def _retire(self, generation: _Generation) -> None:
        if not generation.calls:
            task = asyncio.get_running_loop().create_task(generation.channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class _Callable:
    """What a stub keeps of a method: each call of it goes to the channel that is newest then."""

    def __init__(self, channel: RenewingChannel, kind: str, method: str, options: Any) -> None:
        self._channel, self._kind, self._method, self._options = channel, kind, method, options

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self._channel.call(self._kind, self._method, self._options, *args, **named)


def _callable(
    channel: RenewingChannel, kind: str, method: str, args: tuple[Any, ...], options: dict[str, Any]
) -> _Callable:
    names = ("request_serializer", "response_deserializer")
    return _Callable(channel, kind, method, dict(zip(names, args, strict=False)) | options)
