"""The port to the model that writes drafts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.toolforge.prompt import Message


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn; `options` are the persona's own, as Ollama names them."""

    temperature: float
    seed: int
    options: Mapping[str, float] = field(default_factory=dict)


class Drafter(Protocol):
    """Asks a model."""

    async def answer(
        self,
        model: str,
        messages: Sequence[Message],
        sampling: Sampling,
        schema: Mapping[str, Any] | None = None,
    ) -> str:
        """The model's whole answer, as it came; JSON by `schema` where one is given.

        Raises Unavailable (MODEL_UNAVAILABLE, MODEL_ANSWER_CUT_OFF), FailedPrecondition
        (MODEL_ABSENT), or Internal (MODEL_FAILED) where there is none.
        """
        ...
