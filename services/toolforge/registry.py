"""The port to where tools are kept for good."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.toolforge.evidence import Evidence, Usage
from services.toolforge.spec import Spec
from services.toolforge.tool import Tool

# Written by the store inside its own transaction; the argument is the store's connection.
Companion = Callable[[Any], None]

TOOLS_BELL = "tools"  # rung after everything that happens to a tool


@dataclass(frozen=True)
class Revision:
    """A tool as of a change, which are counted; `known` says that the index holds a former one."""

    tool: Tool
    number: int
    known: bool


class Registry(Protocol):
    """Keeps every version of every tool; versions never change."""

    async def register(self, tool: Tool, evidence: Sequence[Evidence], also: Companion) -> None:
        """Keeps a tool, makes it current and active, in one transaction together with `also`."""
        ...

    async def get(self, name: str, version: str = "") -> Tool:
        """A version of a tool, the current one for ""; raises NotFound."""
        ...

    async def active(self, name: str) -> Tool:
        """The current version.

        Raises NotFound, or FailedPrecondition (TOOL_QUARANTINED, TOOL_RETIRED).
        """
        ...

    async def of_spec(self, spec: Spec) -> Tool | None:
        """The active tool whose spec is this very one, if there is one."""
        ...

    async def page(self, after: str, limit: int, include_retired: bool = False) -> Sequence[Tool]:
        """Tools whose names sort after `after`, by name."""
        ...

    async def versions(self, name: str, before: int, limit: int) -> Sequence[tuple[int, Tool]]:
        """Registrations with numbers below `before` (0 for all), newest first; raises NotFound."""
        ...

    async def evidence(self, tool: Tool) -> Sequence[Evidence]:
        """What was run to judge this version, newest first."""
        ...

    async def usage(self, tool: Tool) -> Usage:
        """How this version has done in use."""
        ...

    async def matching(self, words: Sequence[str], limit: int) -> Sequence[tuple[Tool, float]]:
        """Active tools that hold any of the words, with the share that each holds."""
        ...

    async def active_among(self, names: Sequence[str]) -> Mapping[str, Tool]:
        """Current versions of those that are active, by name."""
        ...

    async def unindexed(self) -> Sequence[Revision]:
        """Tools whose present state the index of descriptions does not know."""
        ...

    async def mark_indexed(self, revisions: Sequence[Revision]) -> None:
        """Says that the index knows these."""
        ...
