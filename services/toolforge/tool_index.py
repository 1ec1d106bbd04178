"""The port to an index of tools by the meaning of their descriptions."""

from collections.abc import Sequence
from typing import Protocol

from services.toolforge.registry import Revision
from services.toolforge.tool import Tool


class ToolIndex(Protocol):
    """Finds tools by meaning."""

    async def put(self, revisions: Sequence[Revision]) -> None:
        """Adds descriptions; doing it again does no harm. Raises BatosError."""
        ...

    async def drop(self, tool: Tool) -> None:
        """Forgets what is known of a tool; doing it again does no harm. Raises BatosError."""
        ...

    async def search(self, query: str, limit: int) -> Sequence[tuple[str, float]]:
        """Names of tools with their scores, best first. Raises BatosError."""
        ...
