"""The only place where a channel is made: deadlines, request ids, retries, load balancing."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from shared.deadlines import seconds_for
from shared.interceptors import request_id

MESSAGE_LIMIT_BYTES = 8 * 1024 * 1024


def _retry(*codes: str) -> dict[str, Any]:
    return {
        "maxAttempts": 4,
        "initialBackoff": "0.05s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": list(codes),
    }


# Mutations carry a request_id, so sending again is safe, but Execute is remembered by nobody:
# it is sent again only where it was refused before it began.
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": "batos.sandbox.v1.SandboxService", "method": "Execute"}],
            "retryPolicy": _retry("RESOURCE_EXHAUSTED"),
        },
        {"name": [{}], "retryPolicy": _retry("UNAVAILABLE")},
    ],
}

_OPTIONS = (
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    # A killed peer comes back within seconds; the default would wait up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to `host:port` or any gRPC target.

    Calls get the deadline of `shared.deadlines` unless they say `timeout=`, and carry the request
    id of the call that they are made for. Close it with `await channel.close()`.
    """
    return grpc.aio.insecure_channel(
        address,
        options=_OPTIONS,
        interceptors=[_UnaryUnary(), _UnaryStream(), _StreamUnary(), _StreamStream()],
    )


Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


def _prepare(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    method = details.method.decode() if isinstance(details.method, bytes) else details.method
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    if (current := request_id.current.get()) and metadata.get(request_id.HEADER) is None:
        metadata.add(request_id.HEADER, current)
    timeout = details.timeout if details.timeout is not None else seconds_for(method)
    return grpc.aio.ClientCallDetails(
        details.method, timeout, metadata, details.credentials, details.wait_for_ready
    )


# gRPC sorts interceptors by their one base class, so there is one class per kind of call.
class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_prepare(details), request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        return await continuation(_prepare(details), request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Continuation, details: grpc.aio.ClientCallDetails, requests: Any
    ) -> Any:
        return await continuation(_prepare(details), requests)


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Continuation, details: grpc.aio.ClientCallDetails, requests: Any
    ) -> Any:
        return await continuation(_prepare(details), requests)
