"""The port to whoever says which model a persona speaks with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Persona:
    """A name, a system prompt, the tag of its model, and whether that may be used now.

    `generation` counts the swaps of its model, `options` are Ollama's.
    """

    name: str
    system_prompt: str
    model: str
    serving: bool
    generation: int = 0
    options: Mapping[str, float] = field(default_factory=dict)


class Personas(Protocol):
    """Knows the personas."""

    async def get(self, name: str) -> Persona:
        """A persona as it stands; the toolsmith for "".

        Raises NotFound, or Unavailable where nobody can be asked.
        """
        ...
