"""The port to where tools are kept for good."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from services.toolforge.tool import Tool

# Written by the store inside its own transaction; the argument is the store's connection.
Companion = Callable[[Any], None]

TOOLS_BELL = "tools"  # rung after every registering


class Registry(Protocol):
    """Keeps every version of every tool; versions never change."""

    async def register(self, tool: Tool, also: Companion) -> None:
        """Keeps a tool and makes it current, in one transaction together with `also`."""
        ...

    async def get(self, name: str) -> Tool:
        """The current version; raises NotFound."""
        ...

    async def page(self, after: str, limit: int) -> Sequence[Tool]:
        """Tools whose names sort after `after`, by name."""
        ...

    async def matching(self, words: Sequence[str], limit: int) -> Sequence[tuple[Tool, float]]:
        """Tools whose name or description holds any of the words, with the share that it holds."""
        ...

    async def unindexed(self) -> Sequence[Tool]:
        """Tools whose current version is not yet known to the index of descriptions."""
        ...

    async def mark_indexed(self, tool: Tool) -> None:
        """Says that the index knows this version."""
        ...
