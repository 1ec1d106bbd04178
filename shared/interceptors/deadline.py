"""Bounds calls whose caller set no deadline."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from shared.deadlines import has_no_deadline
from shared.errors import DeadlineExceeded
from shared.interceptors.around import AroundInterceptor, Context

LONGEST_SECONDS = 600.0


class DeadlineInterceptor(AroundInterceptor):
    """Ends a call after ten minutes where the caller did not say how long it would wait.

    A deadline that the caller did set is enforced by gRPC itself, which cancels the handler.
    """

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Limits the call, unless its method is one of those that run without end."""
        if has_no_deadline(method) or context.time_remaining() is not None:
            return nullcontext()
        return _limited(LONGEST_SECONDS)


@asynccontextmanager
async def _limited(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineExceeded(
            f"no answer within {seconds:.0f} s, the longest a call may take"
        ) from None
