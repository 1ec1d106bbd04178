"""The port to the model backend: what the Supervisor asks of it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.supervisor.prompt import Message


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in the backend's memory, and how much of the GPU it holds (0 on a CPU)."""

    tag: str
    vram_bytes: int


class ModelBackend(Protocol):
    """Speaks with models by their tags.

    Where the backend is away or fails, methods raise Unavailable with a time to try again; where
    it lacks the model, FailedPrecondition (MODEL_NOT_FOUND).
    """

    def chat(
        self, tag: str, chat: Sequence[Message], options: Mapping[str, float]
    ) -> AsyncGenerator[str, None]:
        """The answer, piece by piece; closing the generator stops the model.

        `options` are a persona's; they come before the service's own.
        """

    async def digest(self, tag: str) -> str:
        """The digest that the backend lists for a tag; "" where it lacks the tag."""

    async def warm(self, tag: str) -> None:
        """Loads a model and has it speak one token."""

    async def loaded(self) -> Sequence[Loaded]:
        """The models in memory now."""

    async def unload(self, tag: str) -> None:
        """Asks the backend to drop a model from memory; it may take a while to do so."""
