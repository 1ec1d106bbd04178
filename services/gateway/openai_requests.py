"""Requests of OpenAI's API, as far as personas can answer them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.dialogue import Dialogue, Said
from services.gateway.refusals import unsupported
from shared.errors import InvalidArgument

# A program that sets one of these relies on what comes of it, and it would not come.
_REFUSED: dict[str, str] = {
    "tools": "personas call their own tools; those of a client cannot be offered to them",
    "functions": "personas call their own tools; those of a client cannot be offered to them",
    "logprobs": "token probabilities are not told",
    "top_logprobs": "token probabilities are not told",
    "stop": "an answer is kept as the persona gave it, and cannot be cut",
    "audio": "personas write",
    "web_search_options": "personas search their own memories",
}
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "n": (None, 1),
    "response_format": (None, {"type": "text"}),
    "modalities": (None, ["text"]),
}
# Taken, and of no effect: the Codex says how a persona's model answers.
_HEEDED = frozenset({"model", "messages", "stream", "stream_options", *_REFUSED, *_HARMLESS})


class Part(BaseModel):
    """A piece of a message's content."""

    type: str
    text: str = ""


class Turn(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[Part] | None = None

    def said(self, place: int) -> Said:
        """In our words; InvalidArgument where it has anything but text."""
        if self.role in ("tool", "function") or (self.model_extra or {}).get("tool_calls"):
            raise unsupported(f"messages[{place}]", "holds a call of a client's tool")
        if not isinstance(self.content, list):
            return Said(self.role, self.content or "")
        if any(part.type != "text" for part in self.content):
            raise unsupported(f"messages[{place}].content", "personas read text and nothing else")
        return Said(self.role, "".join(part.text for part in self.content))


class StreamOptions(BaseModel):
    """What a stream shall tell besides."""

    include_usage: bool | None = None


class ChatCompletionRequest(BaseModel):
    """POST /v1/chat/completions; other parameters are kept aside, to be refused or ignored."""

    model_config = ConfigDict(extra="allow")

    model: str = Field(min_length=1, max_length=200)
    messages: list[Turn] = Field(min_length=1, max_length=20_000)
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    def dialogue(self) -> Dialogue:
        """The conversation; InvalidArgument (UNSUPPORTED_PARAMETER) where more is asked for."""
        self._check()
        return Dialogue.of([turn.said(place) for place, turn in enumerate(self.messages)])

    def ignored(self, dialogue: Dialogue) -> list[str]:
        """What had no effect, by name."""
        extra = self.model_extra or {}
        names = [name for name, value in extra.items() if value is not None]
        system = ["messages.system"] if dialogue.has_system else []
        return sorted(name for name in names if name not in _HEEDED) + system

    @property
    def tells_usage(self) -> bool:
        """True where a stream ends with the tokens that it took."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def _check(self) -> None:
        extra = self.model_extra or {}
        for name, why in _REFUSED.items():
            if extra.get(name):
                raise unsupported(name, why)
        for name, values in _HARMLESS.items():
            if extra.get(name) not in values:
                raise unsupported(name, f"only {values[1]} is supported")


class EmbeddingRequest(BaseModel):
    """POST /v1/embeddings."""

    model: str = Field(min_length=1, max_length=600)
    input: str | list[str]
    dimensions: int | None = Field(None, ge=1)
    encoding_format: Literal["float", "base64"] = "float"

    def texts(self) -> list[str]:
        """What is to be embedded; InvalidArgument where there is nothing."""
        texts = [self.input] if isinstance(self.input, str) else self.input
        if not texts or not all(texts):
            raise InvalidArgument.of_field("input", "must not be empty")
        return texts
