"""One way to put layers around a call of any of the four kinds."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeAlias

import grpc

from shared.interceptors.decoding import decoder

# Generic for type checkers only.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


# Asked every second by whoever watches over us; not worth a line each.
_QUIET = ("/grpc.health.v1.", "/grpc.reflection.")


def is_quiet(method: str) -> bool:
    """Whether calls of a method are so many and say so little that nobody wants to hear of them."""
    return method.startswith(_QUIET)


def status_code(context: Context) -> grpc.StatusCode:
    """The code with which a call ended."""
    if context.cancelled():
        return grpc.StatusCode.CANCELLED
    code = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    return next((c for c in grpc.StatusCode if c.value[0] == code), grpc.StatusCode.OK)


class Layer(ABC):
    """Something that is entered before a handler and left after its last response."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """The context for one call; `method` is "/package.Service/Method"."""


class LayeredInterceptor(grpc.aio.ServerInterceptor):
    """Puts layers, outermost first, around every handler.

    One interceptor and not one per layer: each would wrap every message of a stream once more.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._layers = tuple(layers)
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Wraps whatever handler the method has, once; unknown methods stay unknown."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, self._wrap(method, handler))
        return known[1]

    def _wrap(self, method: str, handler: Any) -> Handler:
        return (
            self._streaming(method, handler)
            if handler.response_streaming
            else self._unary(method, handler)
        )

    async def _enter(self, stack: AsyncExitStack, method: str, context: Context) -> None:
        for layer in self._layers:
            await stack.enter_async_context(layer.around(method, context))

    def _unary(self, method: str, handler: Any) -> Handler:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
        decode = decoder(handler)

        async def behaviour(request: Any, context: Context) -> Any:
            async with AsyncExitStack() as stack:
                await self._enter(stack, method, context)
                return await inner(decode(request), context)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return _make(make, behaviour, handler)

    def _streaming(self, method: str, handler: Any) -> Handler:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
        decode = decoder(handler)

        async def behaviour(request: Any, context: Context) -> AsyncIterator[Any]:
            async with AsyncExitStack() as stack:
                await self._enter(stack, method, context)
                async for response in _responses(inner, decode(request), context):
                    yield response

        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return _make(make, behaviour, handler)


async def _responses(inner: Any, request: Any, context: Context) -> AsyncIterator[Any]:
    """The responses of a generator, closed when the call ends early.

    Health and reflection are not generators: they write to the context themselves.
    """
    answer = inner(request, context)
    if not hasattr(answer, "__aiter__"):
        await answer
        return
    try:
        async for response in answer:
            yield response
    finally:
        await answer.aclose()


def _make(make: Any, behaviour: Any, handler: Any) -> Handler:
    # No deserializer: gRPC's own answer to bytes that it cannot read carries no reason.
    made: Handler = make(behaviour, response_serializer=handler.response_serializer)
    return made
