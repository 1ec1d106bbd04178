"""The port to the model that writes drafts."""

from collections.abc import Sequence
from typing import Protocol

from services.toolforge.prompt import Message


class Drafter(Protocol):
    """Asks a model."""

    async def answer(
        self, model: str, messages: Sequence[Message], temperature: float, seed: int
    ) -> str:
        """The model's whole answer, as it came.

        Raises Unavailable (MODEL_UNAVAILABLE, MODEL_ANSWER_CUT_OFF), FailedPrecondition
        (MODEL_ABSENT), or Internal (MODEL_FAILED) where there is none.
        """
        ...
