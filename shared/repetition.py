"""Sends a lost run again, where its caller has said that running twice does no harm."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

# Between one attempt and the next: another replica answers at once, a lone one starts meanwhile.
_PAUSES_SECONDS = (0.05, 0.5, 1.0, 2.0)

# Where a rich status travels; a broken connection has none.
_DETAILS = "grpc-status-details-bin"

Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


def may_repeat(request: Any) -> bool:
    """True for a request that says that it is idempotent; those with a request_id need not."""
    return bool(getattr(request, "idempotent", False))


async def repeated(
    continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
) -> Any:
    """The call that was answered, or refused in words; the last one where all were lost.

    All attempts share the deadline of the first.
    """
    end = None if details.timeout is None else time.monotonic() + details.timeout
    for pause in _PAUSES_SECONDS:
        call = await continuation(details, request)
        if not await _is_lost(call) or (end is not None and time.monotonic() + pause >= end):
            return call
        await asyncio.sleep(pause)
        if end is not None:
            details = _with_timeout(details, end - time.monotonic())
    return await continuation(details, request)


def _with_timeout(
    details: grpc.aio.ClientCallDetails, seconds: float
) -> grpc.aio.ClientCallDetails:
    return grpc.aio.ClientCallDetails(
        details.method, seconds, details.metadata, details.credentials, details.wait_for_ready
    )


async def _is_lost(call: Any) -> bool:
    """True where the connection broke; who says UNAVAILABLE himself says why, and is believed."""
    try:
        code = await call.code()
    except asyncio.CancelledError:
        call.cancel()
        raise
    return code is grpc.StatusCode.UNAVAILABLE and not await _has_reason(call)


async def _has_reason(call: Any) -> bool:
    trailing = await call.trailing_metadata()
    return any(key == _DETAILS for key, _ in trailing or ())
