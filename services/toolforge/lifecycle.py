"""The port to what happens to a tool after it was registered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from services.toolforge.evidence import Evidence
from services.toolforge.registry import Companion
from services.toolforge.tool import Tool

# As a Companion, with the tool as it is after the change.
Witness = Callable[[Any, Tool], None]


class ToolEventKind(StrEnum):
    """What can happen to a tool."""

    REGISTERED = "registered"
    ROLLED_BACK = "rolled back"
    QUARANTINED = "quarantined"
    REINSTATED = "reinstated"
    RETIRED = "retired"


@dataclass(frozen=True)
class ToolEvent:
    """Something happened to a tool; `sequence` grows by one over all tools, `time` is Unix."""

    sequence: int
    kind: ToolEventKind
    tool: str
    version: str
    reason: str
    time: float


class Lifecycle(Protocol):
    """Changes a tool's state; every change and its event are one transaction with `also`.

    All raise NotFound where there is no such tool.
    """

    async def roll_back(self, name: str, version: str, also: Witness) -> Tool:
        """Makes an earlier version current; "" means the one registered before the current one.

        Raises FailedPrecondition (NO_EARLIER_VERSION), or NotFound for an unknown version.
        """
        ...

    async def retire(self, name: str, reason: str, also: Witness) -> Tool:
        """Takes a tool out of use; one that is retired stays as it is."""
        ...

    async def reinstate(self, tool: Tool, evidence: Evidence, also: Witness) -> Tool:
        """Makes a tool active again, on evidence.

        Raises Aborted (TOOL_CHANGED) where another version became current in between.
        """
        ...

    async def note_use(self, tool: Tool, failure: str, patience: int, also: Companion) -> None:
        """Counts an invocation, failed where `failure` says how.

        So many failures as `patience` (0: any number) in a row quarantine the version.
        """
        ...

    async def events(self, after: int, limit: int) -> Sequence[ToolEvent]:
        """Events with a sequence above `after`, in order."""
        ...
