"""Takes an owner's own code through the same checks and trial as a forge's."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from services.toolforge.examination import examine
from services.toolforge.registry import Registry
from services.toolforge.sandbox import Sandbox
from services.toolforge.spec import Spec
from services.toolforge.tool import Origin, Tool, make_tool
from shared.errors import FailedPrecondition


@dataclass(frozen=True)
class Registration:
    """Registers what passes; of what does not, nothing is kept."""

    registry: Registry
    sandbox: Sandbox
    trial_seconds: float

    async def register(self, spec: Spec, source: str, also: Callable[[Any, Tool], None]) -> Tool:
        """The registered tool; `also` is run with it in the same transaction.

        Raises FailedPrecondition (TOOL_REJECTED) with the finding, and whatever the sandbox
        raises where it could not run anything.
        """
        finding, trial = await examine(self.sandbox, spec, source, self.trial_seconds)
        if finding or trial is None:
            raise FailedPrecondition(
                f"the code was rejected: {finding}",
                reason="TOOL_REJECTED",
                metadata={"finding": finding},
            )
        tool = make_tool(spec, source, Origin.REGISTERED, trial.sandbox_id)
        await self.registry.register(tool, lambda connection: also(connection, tool))
        return tool
