"""Requests of OpenAI's API, as far as Ollama takes them, and what they ask in Ollama's words."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.model_server.errors import BadRequestError
from services.model_server.requests import (
    ChatRequest,
    EmbedRequest,
    Format,
    GenerateRequest,
    Message,
    ToolCall,
    ToolFunction,
)

# OpenAI's own defaults, which differ from Ollama's.
_DEFAULTS = {"temperature": 1.0, "top_p": 1.0}
_OPTIONS = ("temperature", "top_p", "seed", "stop", "frequency_penalty", "presence_penalty")


class _OpenAI(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str = Field("", max_length=600)


class Part(BaseModel):
    """A piece of a message's content."""

    type: str
    text: str = ""


class CalledFunction(BaseModel):
    """A function that the assistant called; the arguments are JSON text."""

    name: str
    arguments: str = "{}"


class Called(BaseModel):
    """A tool call of an earlier turn."""

    id: str = ""
    function: CalledFunction


class Turn(BaseModel):
    """One message of a chat."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[Called] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    def text(self) -> str:
        """The content's text; BadRequestError where it has anything else."""
        if not isinstance(self.content, list):
            return self.content or ""
        if any(part.type != "text" for part in self.content):
            raise BadRequestError("this model does not support images")
        return "".join(part.text for part in self.content)


class StreamOptions(BaseModel):
    """What a stream shall tell besides."""

    include_usage: bool | None = None


class Schema(BaseModel):
    """A JSON Schema with a name."""

    schema_: dict[str, Any] = Field(default_factory=dict, validation_alias="schema")


class ResponseFormat(BaseModel):
    """The form that the answer must have."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None

    def format(self) -> Format:
        """In Ollama's words."""
        if self.type == "json_schema" and self.json_schema:
            return self.json_schema.schema_
        return "json" if self.type == "json_object" else None


class _Sampled(_OpenAI):
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    max_tokens: int | None = None

    def options(self, most: int | None) -> dict[str, Any]:
        """Model options; `most` bounds the answer's tokens."""
        given = {name: getattr(self, name) for name in _OPTIONS}
        options = _DEFAULTS | {name: value for name, value in given.items() if value is not None}
        return options if most is None else {**options, "num_predict": most}

    @property
    def tells_usage(self) -> bool:
        """True where a stream ends with the tokens that it took."""
        return bool(self.stream_options and self.stream_options.include_usage)


class ChatCompletionRequest(_Sampled):
    """POST /v1/chat/completions."""

    messages: list[Turn] = Field(min_length=1)
    tools: list[dict[str, Any]] | None = None
    response_format: ResponseFormat | None = None
    max_completion_tokens: int | None = None

    def chat(self) -> ChatRequest:
        """The same as POST /api/chat."""
        most = self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
        names = {call.id: call.function.name for t in self.messages for call in t.tool_calls or ()}
        return ChatRequest(
            model=self.model,
            messages=[_message(turn, names) for turn in self.messages],
            tools=self.tools,
            format=self.response_format.format() if self.response_format else None,
            options=self.options(most),
        )


class CompletionRequest(_Sampled):
    """POST /v1/completions."""

    prompt: str = ""
    suffix: str | None = None

    def generate(self) -> GenerateRequest:
        """The same as POST /api/generate."""
        return GenerateRequest(
            model=self.model,
            prompt=self.prompt,
            suffix=self.suffix,
            options=self.options(self.max_tokens),
        )


class EmbeddingRequest(_OpenAI):
    """POST /v1/embeddings."""

    input: str | list[str]
    dimensions: int | None = Field(None, ge=0)
    encoding_format: Literal["float", "base64"] = "float"

    def embed(self) -> EmbedRequest:
        """The same as POST /api/embed."""
        if not self.input:
            raise BadRequestError("invalid input")
        return EmbedRequest(model=self.model, input=self.input, dimensions=self.dimensions)


def _message(turn: Turn, names: dict[str, str]) -> Message:
    return Message(
        role=turn.role,
        content=turn.text(),
        tool_calls=[_tool_call(call) for call in turn.tool_calls] if turn.tool_calls else None,
        tool_name=turn.name or names.get(turn.tool_call_id or ""),
    )


def _tool_call(call: Called) -> ToolCall:
    try:
        arguments = json.loads(call.function.arguments or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise BadRequestError("invalid tool call arguments")
    return ToolCall(function=ToolFunction(name=call.function.name, arguments=arguments))
