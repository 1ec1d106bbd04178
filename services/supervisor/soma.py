"""Somas: the conversations of the personas, turn by turn."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from services.supervisor.persona import ModelPointer
from services.supervisor.tools import Offer, ToolCall

COLLECTION = "somas"
TEXT_LIMIT_BYTES = 32 * 1024


class Rating(IntEnum):
    """How good a turn was; the numbers are those of the contract."""

    NONE = 0
    GOOD = 1
    BAD = 2


@dataclass(frozen=True, slots=True)
class Recollection:
    """A memory that was put before the model; `score` is Memory's."""

    record_id: str
    speaker: str
    text: str
    soma: str
    created_at: datetime
    score: float


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer, as kept. Times are in seconds from the question.

    `tools` were offered; tokens are counted by the model backend, over all rounds of the turn.
    """

    number: int
    user_text: str
    assistant_text: str
    system_text: str
    recollections: tuple[Recollection, ...]
    model: ModelPointer
    created_at: datetime
    first_token_seconds: float
    wall_seconds: float
    recall_unavailable: bool
    rating: Rating = Rating.NONE
    correction: str = ""
    tools: tuple[Offer, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tools_unavailable: bool = False
    prompt_tokens: int = 0
    answer_tokens: int = 0

    @property
    def taught_text(self) -> str:
        """What the persona should have said, as far as anybody told it."""
        return self.correction or self.assistant_text


@dataclass(frozen=True, slots=True)
class Soma:
    """One conversation of a persona; `turns` is empty in lists.

    `closed_at` is None while it goes on.
    """

    id: str
    persona: str
    created_at: datetime
    turns: tuple[Turn, ...] = ()
    closed_at: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name, `somas/{id}`."""
        return f"{COLLECTION}/{self.id}"
