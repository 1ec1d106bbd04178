"""The first thing that a booted guest says."""

import asyncio

from services.sandbox_executor.frames import BrokenFrame, FrameReader
from services.sandbox_executor.pipes import PipeReader


async def ready(reports: int) -> None:
    """Waits for the guest's first frame. Raises BrokenFrame, or EOFError where it ended first."""
    first = asyncio.get_running_loop().create_future()
    frames = FrameReader()

    def receive(data: bytes) -> None:
        try:
            for frame in frames.feed(data):
                _settle(first, None if frame == {"kind": "ready"} else BrokenFrame("not ready"))
        except BrokenFrame as error:
            _settle(first, error)

    reader = PipeReader(reports, receive, lambda: _settle(first, EOFError("the guest ended")))
    try:
        await first
    finally:
        reader.stop()


def _settle(future: "asyncio.Future[None]", error: Exception | None) -> None:
    if future.done():
        return
    if error:
        future.set_exception(error)
    else:
        future.set_result(None)
