"""One log line per call: method, code, milliseconds; and the same in figures."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import structlog

from shared import call_metrics
from shared.interceptors.around import Context, Layer, is_quiet, status_code

_log = structlog.get_logger()


class AccessLog(Layer):
    """Logs and counts each call once it has ended."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Times the call."""
        return nullcontext() if is_quiet(method) else _logged(method, context)


@asynccontextmanager
async def _logged(method: str, context: Context) -> AsyncIterator[None]:
    start = time.perf_counter()
    call_metrics.begun(method)
    try:
        yield
    finally:
        seconds, code = time.perf_counter() - start, status_code(context).name
        call_metrics.ended(method, code, seconds)
        _log.info("call", method=method, code=code, ms=round(seconds * 1000, 1))
