"""Gives every call an id that its log lines and the calls it makes carry along."""

import re
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar

from shared.interceptors.around import Context, Layer

HEADER = "x-request-id"
_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{8,64}")

current: ContextVar[str] = ContextVar("request_id", default="")


class RequestId(Layer):
    """Takes the caller's x-request-id, or makes one; the log shows it."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Sets the id for the time of the call."""
        return _bound(_received(context) or uuid.uuid4().hex)


@asynccontextmanager
async def _bound(request_id: str) -> AsyncIterator[None]:
    # No token to reset: a call has a task, and so a context, of its own.
    current.set(request_id)
    yield


def well_formed(value: object) -> str:
    """A caller's id, or "": it goes into our log, so it counts only where it is harmless there."""
    return value if isinstance(value, str) and _WELL_FORMED.fullmatch(value) else ""


def _received(context: Context) -> str:
    metadata = context.invocation_metadata() or ()
    known = (well_formed(value) for key, value in metadata if key == HEADER)
    return next(filter(None, known), "")
