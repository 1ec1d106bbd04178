"""Requests of Ollama's API, as far as personas can answer them."""

from __future__ import annotations

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from services.gateway.dialogue import Dialogue, Said
from services.gateway.refusals import unsupported
from shared.errors import InvalidArgument

# Taken, and of no effect: the Codex says how a persona's model answers.
_IGNORED = ("options", "keep_alive")


class Message(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="ignore")

    role: str
    content: str | None = ""
    images: list[Any] | None = None
    tool_calls: list[Any] | None = None

    def said(self, place: int) -> Said:
        """In our words; InvalidArgument where it has anything but text."""
        if self.images:
            raise unsupported(f"messages[{place}].images", "this model does not support images")
        if self.role == "tool" or self.tool_calls:
            raise unsupported(f"messages[{place}]", "holds a call of a client's tool")
        return Said(self.role, self.content or "")


class ShowRequest(BaseModel):
    """POST /api/show."""

    model: str = Field("", max_length=200, validation_alias=AliasChoices("model", "name"))


class ChatRequest(BaseModel):
    """POST /api/chat."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=200)
    messages: list[Message] | None = Field(None, max_length=20_000)
    stream: bool | None = None
    tools: list[Any] | None = None
    format: Any = None
    think: bool | str | None = None
    logprobs: bool | None = None
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None

    def dialogue(self) -> Dialogue:
        """The conversation; InvalidArgument (UNSUPPORTED_PARAMETER) where more is asked for."""
        self._check()
        return Dialogue.of([message.said(n) for n, message in enumerate(self.messages or [])])

    def ignored(self, dialogue: Dialogue) -> list[str]:
        """What had no effect, by name."""
        names = [name for name in _IGNORED if getattr(self, name) is not None]
        return names + (["messages.system"] if dialogue.has_system else [])

    def _check(self) -> None:
        # The first two in Ollama's own words, by which clients know them.
        for given, message in (
            (self.tools, f"{self.model} does not support tools"),
            (self.think, f"{self.model} does not support thinking"),
            (self.format, f"{self.model} does not support structured outputs"),
            (self.logprobs, f"{self.model} does not support logprobs"),
        ):
            if given:
                raise InvalidArgument(message, reason="UNSUPPORTED_PARAMETER")
