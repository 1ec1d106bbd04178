"""The port to the model backend: what the Supervisor asks of it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.supervisor.persona import ModelPointer
from services.supervisor.prompt import Message
from services.supervisor.tools import Offer, Wish


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in the backend's memory, and how much of the GPU it holds (0 on a CPU)."""

    tag: str
    vram_bytes: int


@dataclass(frozen=True, slots=True)
class Spent:
    """The tokens of an answer and of what was before it, as the backend counts them."""

    prompt_tokens: int
    answer_tokens: int


class ModelBackend(Protocol):
    """Speaks with models by their tags.

    Where the backend is away or fails, methods raise Unavailable with a time to try again; where
    it lacks the model, FailedPrecondition (MODEL_NOT_FOUND).
    """

    def chat(
        self,
        tag: str,
        chat: Sequence[Message],
        options: Mapping[str, float],
        offers: Sequence[Offer] = (),
    ) -> AsyncGenerator[str | Wish | Spent, None]:
        """The answer, piece by piece, the calls that it asks for, and last what it took.

        Closing the generator stops the model. `options` are a persona's; they come before the
        service's own. Tools are offered only to a model that `speaks_tools`.
        """

    async def speaks_tools(self, pointer: ModelPointer) -> bool:
        """Whether the model's own chat template knows tools."""

    async def digest(self, tag: str) -> str:
        """The digest that the backend lists for a tag; "" where it lacks the tag."""

    async def warm(self, tag: str) -> None:
        """Loads a model and has it speak one token."""

    async def loaded(self) -> Sequence[Loaded]:
        """The models in memory now."""

    async def unload(self, tag: str) -> None:
        """Asks the backend to drop a model from memory; it may take a while to do so."""
