"""The port to where forges are kept."""

from collections.abc import Sequence
from typing import Protocol

from services.toolforge.evidence import Evidence
from services.toolforge.forge import Attempt, Event, Forge, ProposedTest
from services.toolforge.registry import Companion
from services.toolforge.tool import Tool


class ForgeStore(Protocol):
    """Keeps forges, their attempts and their events; every change and its event are one."""

    async def create(self, forge: Forge, also: Companion) -> None:
        """Keeps a new forge, in one transaction together with `also`."""
        ...

    async def get(self, forge_id: str) -> Forge:
        """A forge with its attempts; raises NotFound."""
        ...

    async def page(self, before: str, limit: int) -> Sequence[Forge]:
        """Forges older than the id `before` ("" for all), newest first."""
        ...

    async def unfinished(self) -> Sequence[str]:
        """Ids of forges that have not ended, oldest first."""
        ...

    async def events(self, forge_id: str, after: int) -> Sequence[Event]:
        """Events with a sequence above `after`, in order."""
        ...

    async def begin(self, forge_id: str) -> int:
        """QUEUED or left RUNNING → RUNNING; how often this forge was begun, this time included.

        0 where it has ended.
        """
        ...

    async def note_model(self, forge_id: str, model: str) -> None:
        """Says which model drafts."""
        ...

    async def note_proposed(self, forge_id: str, tests: Sequence[ProposedTest]) -> None:
        """Keeps what the model proposed, so that it is asked once."""
        ...

    async def add_attempt(self, forge_id: str, attempt: Attempt) -> None:
        """Keeps an attempt that did not pass; nothing where the forge has ended."""
        ...

    async def succeed(
        self,
        forge_id: str,
        attempt: Attempt,
        tool: Tool,
        evidence: Sequence[Evidence],
        proposed: Sequence[ProposedTest],
    ) -> bool:
        """Keeps the passing attempt and its tool, in one transaction. False where it has ended.

        `proposed` are the model's tests as this tool fared.
        """
        ...

    async def fail(self, forge_id: str, failure: str, reason: str) -> bool:
        """Ends a forge as FAILED. False where it has ended."""
        ...

    async def cancel(self, forge_id: str, also: Companion) -> bool:
        """Ends a forge as CANCELLED and runs `also`. False where it has ended before."""
        ...
