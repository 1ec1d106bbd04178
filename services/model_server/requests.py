"""The requests of Ollama's API, as far as this server reads them."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from services.model_server.errors import BadRequestError

R = TypeVar("R", bound=BaseModel)
_MAX_BODY_BYTES = 64 * 1024 * 1024

KeepAlive = float | str | None
Format = dict[str, Any] | Literal["", "json"] | None


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str = Field("", max_length=600, validation_alias=AliasChoices("model", "name"))


class ToolFunction(BaseModel):
    """A tool call's function with its arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ToolCall(BaseModel):
    """A call that the assistant made in an earlier turn."""

    function: ToolFunction


class Message(BaseModel):
    """One turn of a chat."""

    model_config = ConfigDict(extra="ignore")

    role: str
    content: str | None = ""
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None


class _Answered(_Request):
    stream: bool | None = None
    format: Format = None
    options: dict[str, Any] | None = None
    keep_alive: KeepAlive = None
    think: bool | str | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class ChatRequest(_Answered):
    """POST /api/chat."""

    messages: list[Message] = Field(default_factory=list)
    tools: list[dict[str, Any]] | None = None


class GenerateRequest(_Answered):
    """POST /api/generate."""

    prompt: str | None = ""
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    raw: bool | None = None
    images: list[str] | None = None
    context: list[int] | None = None


class EmbedRequest(_Request):
    """POST /api/embed."""

    input: str | list[str] = Field(default_factory=list)
    truncate: bool | None = None
    dimensions: int | None = Field(None, ge=0)
    options: dict[str, Any] | None = None
    keep_alive: KeepAlive = None


class EmbeddingsRequest(_Request):
    """POST /api/embeddings, the older form of embed."""

    prompt: str | None = ""
    options: dict[str, Any] | None = None
    keep_alive: KeepAlive = None


class CreateRequest(_Request):
    """POST /api/create. `files` and `adapters` map file names to digests of blobs."""

    stream: bool | None = None
    from_: str | None = Field(None, validation_alias="from")
    files: dict[str, str] | None = None
    adapters: dict[str, str] | None = None
    quantize: str | None = None
    template: str | None = None
    system: str | None = None
    license: str | list[str] | None = None
    parameters: dict[str, Any] | None = None
    messages: list[Message] | None = None


class ShowRequest(_Request):
    """POST /api/show."""

    verbose: bool | None = None


class PullRequest(_Request):
    """POST /api/pull and POST /api/push."""

    stream: bool | None = None


class DeleteRequest(_Request):
    """DELETE /api/delete."""


class CopyRequest(BaseModel):
    """POST /api/copy."""

    source: str
    destination: str


async def read_body(request: Request, kind: type[R]) -> R:
    """The checked body of a request; BadRequestError where it is wrong or far too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAX_BODY_BYTES:
            raise BadRequestError("the request body is too long")
    return parse(kind, bytes(body))


def parse(kind: type[R], body: bytes) -> R:
    """The request in a body; BadRequestError says what is wrong with it, in one line."""
    if not body.strip():
        raise BadRequestError("missing request body")
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise BadRequestError(f"{where}: {fault['msg']}" if where else fault["msg"]) from error
