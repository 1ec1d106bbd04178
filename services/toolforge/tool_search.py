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
from shared.errors import BatosError, DeadlineExceeded, FailedPrecondition, NotFound, Unavailable

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
        return [hit for name, score in hits if (hit := await self._hit(name, score))]

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
                for tool in waiting:
                    active = tool.state is ToolState.ACTIVE
                    await (self._index.put(tool) if active else self._index.drop(tool))
                    await self._registry.mark_indexed(tool)

    async def _hit(self, name: str, score: float) -> tuple[Tool, float] | None:
        try:
            return await self._registry.active(name), score
        except (NotFound, FailedPrecondition):  # of a registry that is no more, or out of use now
            return None

    async def _by_words(self, query: str, limit: int) -> Sequence[tuple[Tool, float]]:
        words = list(dict.fromkeys(re.findall(r"\w+", query.lower())))[:_MAX_WORDS]
        return await self._registry.matching(words, limit)
