"""Errors of the domain as HTTP answers, in the words of the two APIs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from shared import errors

Json = dict[str, Any]

CLIENT_GONE = 499
_STATUSES: Mapping[type[errors.BatosError], int] = {
    errors.InvalidArgument: 400,
    errors.FailedPrecondition: 400,
    errors.PermissionDenied: 403,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Aborted: 409,
    errors.ResourceExhausted: 429,
    errors.Cancelled: CLIENT_GONE,
    errors.Unavailable: 503,
    errors.DeadlineExceeded: 504,
}
_STATUSES_OF_REASONS = {"TOKEN_WRONG": 401, "METHOD_NOT_ALLOWED": 405, "EMBEDDINGS_MISSING": 501}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_SHORTEST_WAIT_SECONDS = 1
_WAITS = (429, 503)


def status_of(error: errors.BatosError) -> int:
    """The HTTP status of an error."""
    if error.reason in _STATUSES_OF_REASONS:
        return _STATUSES_OF_REASONS[error.reason]
    return next((_STATUSES[cls] for cls in type(error).__mro__ if cls in _STATUSES), 500)


def headers_of(error: errors.BatosError) -> dict[str, str]:
    """Retry-After, in whole seconds, where trying again later helps."""
    if status_of(error) not in _WAITS:
        return {}
    seconds = max(_SHORTEST_WAIT_SECONDS, math.ceil(error.retry_after or 0))
    return {"retry-after": str(seconds)}


def openai_error(error: errors.BatosError) -> Json:
    """An error as OpenAI's clients read it; `code` is the reason in small letters."""
    status = status_of(error)
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    faults = error.violations if isinstance(error, errors.InvalidArgument) else ()
    return {
        "error": {
            "message": error.message,
            "type": kind,
            "param": faults[0].field if faults else None,
            "code": error.reason.lower(),
        }
    }


def ollama_error(error: errors.BatosError) -> Json:
    """An error as Ollama words it."""
    return {"error": error.message}


def unsupported(parameter: str, why: str) -> errors.InvalidArgument:
    """A parameter whose meaning cannot be kept."""
    return errors.InvalidArgument(
        f"{parameter}: {why}",
        [errors.Violation(parameter, why)],
        reason="UNSUPPORTED_PARAMETER",
    )
