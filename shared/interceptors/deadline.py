"""Bounds every call, and lets the calls that are made for it know how long they may take."""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from contextvars import ContextVar, copy_context

from shared.deadlines import has_no_deadline, seconds_for
from shared.errors import DeadlineExceeded
from shared.interceptors.around import Context, Layer

LONGEST_SECONDS = 600.0


class Scope:
    """Until when a call's answer is wanted, on the monotonic clock.

    It counts no longer once the call is `over`, for tasks that outlive it and have its context.
    """

    __slots__ = ("end", "over")

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.over = False


_current: ContextVar[Scope | None] = ContextVar("deadline", default=None)


def seconds_left() -> float | None:
    """Seconds that are left of the call that this code runs for; None outside of one."""
    scope = _current.get()
    return None if scope is None or scope.over else max(0.0, scope.end - time.monotonic())


def detached() -> contextvars.Context:
    """The context for a task that goes on after the call: the same, but for its deadline."""
    context = copy_context()
    context.run(_current.set, None)
    return context


class Deadline(Layer):
    """Ends a call at its caller's deadline, or at the method's own where the caller set none.

    A caller's deadline is enforced by gRPC itself, which cancels the handler; one beyond ten
    minutes counts as ten minutes.
    """

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Limits the call, unless its method is one of those that run without end."""
        if has_no_deadline(method):
            return nullcontext()
        left: float | None = context.time_remaining()
        if left is not None and left <= LONGEST_SECONDS:
            return _scoped(left)
        allowed = LONGEST_SECONDS if left is not None else seconds_for(method) or LONGEST_SECONDS
        return _limited(allowed)


@asynccontextmanager
async def _scoped(seconds: float) -> AsyncIterator[None]:
    scope = Scope(seconds)
    _current.set(scope)
    try:
        yield
    finally:
        scope.over = True


@asynccontextmanager
async def _limited(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds), _scoped(seconds):
            yield
    except TimeoutError:
        raise DeadlineExceeded(
            f"no answer within {seconds:.0f} s, the longest that this call may take"
        ) from None
