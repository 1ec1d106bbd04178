"""Carries one trace through all services that a call reaches, with a span for each call."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from shared import tracing
from shared.interceptors.around import Context, Layer, is_quiet, status_code


class Trace(Layer):
    """Goes on with the caller's trace, or begins one."""

    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """Sets the trace for the time of the call."""
        return _spanned(method, context)


@asynccontextmanager
async def _spanned(method: str, context: Context) -> AsyncIterator[None]:
    metadata = context.invocation_metadata() or ()
    received = next((value for key, value in metadata if key == tracing.HEADER), None)
    if is_quiet(method):
        tracing.go_on(received)
        yield
        return
    with tracing.server_span(method.lstrip("/"), received) as opened:
        try:
            yield
        finally:
            if opened is not None:
                opened.set_attribute("rpc.system", "grpc")
                opened.set_attribute("rpc.grpc.status_code", status_code(context).value[0])
