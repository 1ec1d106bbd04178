"""Personas and the models that they speak with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TOOL_LIMIT = 4


@dataclass(frozen=True, slots=True)
class ModelPointer:
    """Which model a persona speaks with.

    `digest` is empty until the model backend was first seen; `generation` grows by one with
    every move of the pointer.
    """

    tag: str
    digest: str = ""
    generation: int = 1


@dataclass(frozen=True, slots=True)
class Persona:
    """A name, a system prompt and a model pointer; `previous` is what it spoke with before.

    `options` are the model backend's, by the names that Ollama gives them; `tool_limit` is how many
    tools it is offered in a turn.
    """

    name: str
    system_prompt: str
    base_model: str
    toolsmith: bool
    model: ModelPointer
    previous: ModelPointer | None = None
    options: Mapping[str, float] = field(default_factory=dict)
    tool_limit: int = TOOL_LIMIT
