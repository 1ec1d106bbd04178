"""The port to the model backend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from services.trainer.training_job import Message


@dataclass(frozen=True)
class Answer:
    """What a model said, and how many tokens the server counted in the prompt.

    `calls` are the names and arguments (JSON) of the tools that it called.
    """

    text: str
    prompt_tokens: int
    calls: tuple[tuple[str, str], ...] = ()


class ModelBackend(Protocol):
    """Raises Unavailable where the server is away, FailedPrecondition where it refuses."""

    async def create(
        self, tag: str, directory: Path, template: str | None, base_tag: str | None
    ) -> str:
        """Makes a model of an exported directory and returns its digest; a tag is made once.

        A directory that holds an adapter is put onto the model of `base_tag`.
        """

    async def digest(self, tag: str) -> str | None:
        """The digest that the server lists for a tag, None where there is no such tag."""

    async def delete(self, tag: str) -> None:
        """Removes a tag; one that is not there is no error."""

    async def chat(
        self,
        tag: str,
        messages: Sequence[Message],
        answer_tokens: int,
        tools: Sequence[dict[str, Any]] = (),
    ) -> Answer:
        """The greedy answer (temperature 0), cut at `answer_tokens`; it may call `tools`."""
