"""One log line per call: method, code, milliseconds."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import grpc
import structlog

from shared.interceptors.around import Context, Layer

# Asked every second by whoever watches over us; not worth a line each.
_QUIET = ("/grpc.health.v1.", "/grpc.reflection.")

_log = structlog.get_logger()


class AccessLog(Layer):
    """Logs each call once it has ended."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Times the call."""
        return _logged(method, context)


@asynccontextmanager
async def _logged(method: str, context: Context) -> AsyncIterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        if not method.startswith(_QUIET):
            _log.info(
                "call",
                method=method,
                code=_code(context),
                ms=round((time.perf_counter() - start) * 1000, 1),
            )


def _code(context: Context) -> str:
    if context.cancelled():
        return grpc.StatusCode.CANCELLED.name
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((c.name for c in grpc.StatusCode if c.value[0] == code), "OK")
