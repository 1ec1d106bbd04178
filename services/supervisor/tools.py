"""Tools in a conversation: what a persona is offered, what it calls, and what comes of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

COLLECTION = "tools"


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as the model sees it; `schema` is the JSON Schema of its arguments object."""

    name: str
    description: str
    schema: Mapping[str, Any]

    @property
    def resource(self) -> str:
        """The resource name, `tools/{name}`."""
        return f"{COLLECTION}/{self.name}"


@dataclass(frozen=True, slots=True)
class Wish:
    """A call that a model asks for; its arguments are a JSON object, unchecked."""

    name: str
    arguments: Mapping[str, Any]


class Outcome(IntEnum):
    """What became of a call; the numbers are those of the contract."""

    PENDING = 0
    OK = 1
    FAILED = 2
    REFUSED = 3
    UNAVAILABLE = 4


@dataclass(frozen=True, slots=True)
class Ran:
    """How a call ended; `result` is a JSON value where it is OK, else words."""

    outcome: Outcome
    result: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call as it is kept. `position` counts the characters of the answer before it."""

    name: str
    arguments_json: str
    position: int
    outcome: Outcome = Outcome.PENDING
    result: str = ""
    wall_seconds: float = 0.0


class Tools(Protocol):
    """Finds tools and runs them."""

    async def find(self, text: str, limit: int, seconds: float) -> Sequence[Offer]:
        """The tools that suit a text best, best first; a `BatosError` where nobody can be asked."""

    async def call(self, request_id: str, wish: Wish, seconds: float) -> Ran:
        """Runs a tool, within so many seconds. Never raises: a call that failed is an answer.

        The same `request_id` with the same wish runs once.
        """
