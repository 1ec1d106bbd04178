"""Carries one trace through all services that a call reaches (W3C Trace Context, traceparent)."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar

from shared.interceptors.around import Context, Layer

HEADER = "traceparent"
_WELL_FORMED = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")

# What the calls that are made for this one send along: the same trace, this call as their parent.
current: ContextVar[str] = ContextVar("traceparent", default="")


class Trace(Layer):
    """Goes on with the caller's trace, or begins one."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Sets the trace for the time of the call."""
        return _bound(*_received(context))


def current_id() -> str:
    """The id of the trace that this code runs in; empty outside of a call."""
    return current.get()[3:35]


@asynccontextmanager
async def _bound(trace_id: str, flags: str) -> AsyncIterator[None]:
    current.set(f"00-{trace_id}-{secrets.token_hex(8)}-{flags}")
    yield


def _received(context: Context) -> tuple[str, str]:
    """The caller's trace id and flags; where there are none, a fresh trace that is sampled."""
    for key, value in context.invocation_metadata() or ():
        if key == HEADER and isinstance(value, str) and (found := _WELL_FORMED.fullmatch(value)):
            return found[1], found[2]
    return secrets.token_hex(16), "01"
