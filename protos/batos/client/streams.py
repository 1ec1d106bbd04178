"""What happens while something long goes on, as an iterator, and what it came to."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from types import TracebackType
from typing import Generic, TypeVar

from batos.client.errors import Cancelled

Event = TypeVar("Event")
End = TypeVar("End")


class Stream(Generic[Event, End]):
    """Yields events as they come; `result` waits for the end of all and gives it.

    Leaving it as a context manager, or `close`, stops listening. That gives a turn up that is not
    finished; forges and training runs go on by themselves.
    """

    def __init__(self, events: Generator[Event, None, None], end: Callable[[], End]) -> None:
        self._events = events
        self._end = end
        self._closed = False

    def __iter__(self) -> "Stream[Event, End]":
        return self

    def __next__(self) -> Event:
        return next(self._events)

    def result(self) -> End:
        """What it came to, once it has ended; Cancelled where it was closed before."""
        if self._closed:
            raise Cancelled("the stream was closed before its end")
        for _ in self._events:
            pass
        return self._end()

    def close(self) -> None:
        """Stops listening; twice is no error."""
        self._closed = True
        self._events.close()

    def __enter__(self) -> "Stream[Event, End]":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class AsyncStream(Generic[Event, End]):
    """Stream for asyncio: `async for`, `await stream.result()`, `await stream.close()`."""

    def __init__(self, events: AsyncGenerator[Event, None], end: Callable[[], Awaitable[End]]):
        self._events = events
        self._end = end
        self._closed = False

    def __aiter__(self) -> "AsyncStream[Event, End]":
        return self

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def result(self) -> End:
        """See Stream.result."""
        if self._closed:
            raise Cancelled("the stream was closed before its end")
        async for _ in self._events:
            pass
        return await self._end()

    async def close(self) -> None:
        """See Stream.close."""
        self._closed = True
        await self._events.aclose()

    async def __aenter__(self) -> "AsyncStream[Event, End]":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
