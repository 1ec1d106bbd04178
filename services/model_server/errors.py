"""What can go wrong in the model server, each with the HTTP status that Ollama answers."""

from __future__ import annotations

from shared.llama_gguf.errors import BadModelError


class ModelServerError(Exception):
    """A failure that the caller is told about as `{"error": message}`."""

    status = 500


class BadRequestError(ModelServerError):
    """The request itself is wrong; sending it again would fail again."""

    status = 400


class ContextExceededError(BadRequestError):
    """The prompt has more tokens than the model's context."""


class ModelNotFoundError(ModelServerError):
    """No tag of that name is in the store."""

    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"model '{name}' not found")


class BusyError(ModelServerError):
    """More requests wait than the queue may hold; nothing was begun, so trying again is safe."""

    status = 503

    def __init__(self) -> None:
        super().__init__("server busy, please try again.  maximum pending requests exceeded")


class LoadError(ModelServerError):
    """llama.cpp refused the model file."""


def refusal(error: Exception) -> ModelServerError:
    """What the caller is told: files that are no usable model are a bad request."""
    if isinstance(error, ModelServerError):
        return error
    kind = BadRequestError if isinstance(error, BadModelError) else ModelServerError
    return kind(str(error))
