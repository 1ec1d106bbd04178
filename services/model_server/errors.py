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
