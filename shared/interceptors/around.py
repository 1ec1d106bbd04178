"""One way to put code around a call of any of the four kinds."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import grpc

# Generic for type checkers only.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class AroundInterceptor(grpc.aio.ServerInterceptor, ABC):
    """Enters an async context before the handler and leaves it after the last response."""

    @abstractmethod
    def around(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        """The context for one call; `method` is "/package.Service/Method"."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Wraps whatever handler the method has; unknown methods stay unknown."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method
        if handler.response_streaming:
            return self._streaming(method, handler)
        return self._unary(method, handler)

    def _unary(self, method: str, handler: Any) -> Handler:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def behaviour(request: Any, context: Context) -> Any:
            async with self.around(method, context):
                return await inner(request, context)

        make = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return _make(make, behaviour, handler)

    def _streaming(self, method: str, handler: Any) -> Handler:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def behaviour(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self.around(method, context):
                async for response in responses(inner, request, context):
                    yield response

        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_stream_rpc_method_handler
        )
        return _make(make, behaviour, handler)


async def responses(inner: Any, request: Any, context: Context) -> AsyncIterator[Any]:
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
    made: Handler = make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made
