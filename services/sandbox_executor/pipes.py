"""Non-blocking pipes in the event loop."""

import asyncio
import os
from collections.abc import Callable

_CHUNK_BYTES = 1 << 16
# More than one pipe can hold; a guest that goes on writing does not hold us.
_DRAIN_CHUNKS = 20


async def write_all(descriptor: int, data: bytes) -> None:
    """Writes everything; a reader that has gone away is no error here."""
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            writable = loop.create_future()
            loop.add_writer(descriptor, _wake, writable)
            try:
                await writable
            finally:
                loop.remove_writer(descriptor)
        except BrokenPipeError:
            return


def _wake(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


class PipeReader:
    """Passes what arrives on a descriptor to `sink`, and its end, once, to `on_end`."""

    def __init__(
        self,
        descriptor: int,
        sink: Callable[[bytes], None],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._descriptor = descriptor
        self._sink = sink
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._read)

    def stop(self) -> None:
        """Reads no more."""
        self._loop.remove_reader(self._descriptor)

    def drain(self) -> None:
        """Passes on what has arrived already."""
        for _ in range(_DRAIN_CHUNKS):
            if not self._read():
                return

    def _read(self) -> bool:
        try:
            data = os.read(self._descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._sink(data)
            return True
        self.stop()
        self._on_end()
        return False
