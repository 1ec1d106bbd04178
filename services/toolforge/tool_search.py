"""Finds tools by meaning, and keeps the index of descriptions up with the registry."""

import asyncio
import contextlib
import re
from collections.abc import Sequence

import structlog

from services.toolforge.bell import Bell
from services.toolforge.registry import TOOLS_BELL, Registry
from services.toolforge.tool import Tool, ToolState
from services.toolforge.tool_index import ToolIndex
from shared.errors import BatosError, DeadlineExceeded, Unavailable

_RETRY_SECONDS = 15.0
_CATCH_UP_SECONDS = 2.0
_MAX_WORDS = 16

_log = structlog.get_logger()


class ToolSearch:
    """The registry is the truth; the index follows it, at once where it can, later where not."""

    def __init__(self, registry: Registry, index: ToolIndex, bell: Bell) -> None:
        self._registry = registry
        self._index = index
        self._bell = bell
        self._one_at_a_time = asyncio.Lock()

    async def search(self, query: str, limit: int) -> Sequence[tuple[Tool, float]]:
        """Tools with their scores, best first; by words alone while the index is away."""
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                await self.catch_up()
        except (BatosError, TimeoutError):
            return await self._by_words(query, limit)
        try:
            hits = await self._index.search(query, limit)
        except (Unavailable, DeadlineExceeded):
            return await self._by_words(query, limit)
        # The index may be of a registry that is no more, or not yet know what is out of use.
        active = await self._registry.active_among([name for name, _ in hits])
        return [(active[name], score) for name, score in hits if name in active]

    async def follow(self) -> None:
        """Brings the index up to date after every registering, until cancelled."""
        while True:
            rung = self._bell.listen(TOOLS_BELL)
            try:
                await self.catch_up()
            except BatosError as error:
                _log.warning("tools are not indexed yet", error=error.message)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), _RETRY_SECONDS)

    async def catch_up(self) -> None:
        """Indexes what is not indexed. Raises BatosError where the index is away."""
        async with self._one_at_a_time:
            while waiting := await self._registry.unindexed():
                for revision in waiting:
                    if revision.known:
                        await self._index.drop(revision.tool)
                active = [each for each in waiting if each.tool.state is ToolState.ACTIVE]
                if active:
                    await self._index.put(active)
                await self._registry.mark_indexed(waiting)

    async def _by_words(self, query: str, limit: int) -> Sequence[tuple[Tool, float]]:
        words = list(dict.fromkeys(re.findall(r"\w+", query.lower())))[:_MAX_WORDS]
        return await self._registry.matching(words, limit)
