"""Golden examples: what a persona should have answered, with the evidence that it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from services.trainer.training_job import Message


@dataclass(frozen=True)
class Expectation:
    """Arguments and result of one call, both JSON."""

    arguments_json: str
    result_json: str


@dataclass(frozen=True)
class ToolSpec:
    """The function that the code must define, and what it must return."""

    function: str
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True)
class GoldenExample:
    """One chat with its golden answer.

    `source` is tool, forge, correction, rating or import; `family` is equal for examples that must
    stay on one side of the split; `spec` is there where the answer is code, which is then judged by
    running it; `origin` names the resource that it comes from. `tools` could be called, and `calls`
    are the calls that the golden answer consists of, or ends with: see Message.
    """

    source: str
    family: str
    prompt: tuple[Message, ...]
    answer: str
    spec: ToolSpec | None = None
    origin: str = ""
    tools: tuple[dict[str, Any], ...] = ()
    calls: tuple[dict[str, Any], ...] = ()

    @property
    def completion(self) -> Message:
        """The golden answer as a message."""
        said: Message = {"role": "assistant", "content": self.answer}
        return said | {"tool_calls": list(self.calls)} if self.calls else said


class GoldenSource(Protocol):
    """Where golden examples come from: the public methods of other services, nothing else."""

    async def examples(self, persona: str) -> list[GoldenExample]:
        """All golden examples of a persona, oldest first; NotFound for an unknown persona."""
