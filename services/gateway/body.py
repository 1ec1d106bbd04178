"""Bodies of requests: bounded, and checked before anything is done."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from shared.errors import InvalidArgument, Violation

R = TypeVar("R", bound=BaseModel)


async def read_body(request: Request, kind: type[R]) -> R:
    """The checked body of a request; InvalidArgument where it is wrong or too long."""
    most = request.app.state.max_body_bytes
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise InvalidArgument(
                f"the body is longer than {most} bytes", reason="REQUEST_TOO_LARGE"
            )
    return parse(kind, bytes(body))


def parse(kind: type[R], body: bytes) -> R:
    """The request in a body; InvalidArgument names the first fault and its field."""
    if not body.strip():
        raise InvalidArgument("missing request body", reason="INVALID_JSON")
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        if fault["type"] == "json_invalid":
            raise InvalidArgument(fault["msg"], reason="INVALID_JSON") from error
        where = ".".join(str(part) for part in fault["loc"])
        violation = Violation(where, fault["msg"])
        raise InvalidArgument(f"{where}: {fault['msg']}", [violation]) from error
