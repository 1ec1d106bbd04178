"""Lets what happens to tools be watched."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.toolforge.bell import Bell
from services.toolforge.lifecycle import Lifecycle, ToolEvent
from services.toolforge.registry import TOOLS_BELL

_POLL_SECONDS = 2.0  # in case a ring was lost; rings are the rule
_PAGE = 200


class ToolWatch:
    """Reads events as they come."""

    def __init__(self, lifecycle: Lifecycle, bell: Bell) -> None:
        self._lifecycle = lifecycle
        self._bell = bell

    async def watch(self, after: int) -> AsyncIterator[ToolEvent]:
        """The events with a sequence above `after`, none left out; never ends by itself."""
        while True:
            rung = self._bell.listen(TOOLS_BELL)
            while page := await self._lifecycle.events(after, _PAGE):
                for event in page:
                    yield event
                after = page[-1].sequence
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), _POLL_SECONDS)
