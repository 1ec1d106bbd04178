"""What can go wrong in the model server, each with the HTTP status that Ollama answers."""

from __future__ import annotations


class ModelServerError(Exception):
    """A failure that the caller is told about as `{"error": message}`."""

    status = 500


class BadRequestError(ModelServerError):
    """The request itself is wrong; sending it again would fail again."""

    status = 400


class BadModelError(BadRequestError):
    """The model's files are damaged, incomplete or of a kind that is not served."""


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
