"""The tools that a persona is offered in a turn."""

from dataclasses import dataclass

from services.supervisor.persona import Persona
from services.supervisor.tools import Offer, Tools
from shared.errors import BatosError, InvalidArgument


@dataclass(frozen=True, slots=True)
class Found:
    """The tools for a turn, best first; `unavailable` where ToolForge could not be asked."""

    offers: tuple[Offer, ...] = ()
    unavailable: bool = False


class Toolbox:
    """Finds tools for a turn. Never raises and never hangs: without ToolForge there are none."""

    def __init__(self, tools: Tools, seconds: float) -> None:
        self._tools = tools
        self._seconds = seconds

    async def suiting(self, persona: Persona, text: str) -> Found:
        """As many tools as the persona is to be offered, those that suit the text best."""
        if not persona.tool_limit:
            return Found()
        try:
            offers = await self._tools.find(text, persona.tool_limit, self._seconds)
        except InvalidArgument:
            return Found()  # ToolForge is there and finds nothing to search for in this text
        except BatosError:
            return Found(unavailable=True)
        return Found(tuple(offers))
