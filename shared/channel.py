"""The only place where a channel is made: deadlines, ids, retries, load balancing, TLS."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import grpc

from shared import tracing
from shared.deadlines import seconds_for
from shared.identity import Identity, IdentityDirectory
from shared.interceptors import request_id
from shared.interceptors.deadline import seconds_left
from shared.renewing_channel import RenewingChannel
from shared.repetition import Continuation, may_repeat, repeated

MESSAGE_LIMIT_BYTES = 8 * 1024 * 1024


def _retry(*codes: str) -> dict[str, Any]:
    return {
        "maxAttempts": 4,
        "initialBackoff": "0.05s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": list(codes),
    }


# Mutations carry a request_id, so sending again is safe, but Execute is remembered by nobody: here
# it is sent again only where it was refused before it began (shared.repetition has the other case).
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [
                {"service": "batos.sandbox.v1.SandboxService", "method": method}
                for method in ("Execute", "ExecuteStream", "Session")
            ],
            "retryPolicy": _retry("RESOURCE_EXHAUSTED"),
        },
        {"name": [{}], "retryPolicy": _retry("UNAVAILABLE")},
    ],
}

# Replicas that drain or cannot work are passed over. A service that stands alone is asked all the
# same: its own words on why it cannot work are better than a balancer's.
_REPLICAS = _SERVICE_CONFIG | {"healthCheckConfig": {"serviceName": ""}}

_MANY = ("dns:", "ipv4:", "ipv6:")

_OPTIONS = (
    ("grpc.enable_retries", 1),
    ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
    ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    # A killed peer comes back within seconds; the default would wait up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # New replicas are looked for at most this often; the default is half a minute.
    ("grpc.dns_min_time_between_resolutions_ms", 2000),
    # A channel of its own connections: they are to end with it, and with its certificate.
    ("grpc.use_local_subchannel_pool", 1),
)


def open_channel(address: str, tls_dir: Path | None = None) -> grpc.aio.Channel:
    """A channel to `host:port`, or to all replicas behind `dns:///host:port` (or `ipv4:a:1,b:2`).

    With a directory of `shared.identity` it speaks mTLS and follows renewed certificates; without,
    plaintext. Calls get the deadline of `shared.deadlines` unless they say `timeout=`, never more
    than is left of the call that they are made for, and carry that call's request id and trace.
    Close it with `await channel.close()`. FailedPrecondition where the identity cannot be read.
    """
    settings: dict[str, Any] = {
        "options": (*_OPTIONS, ("grpc.service_config", _service_config(address))),
        "interceptors": [_UnaryUnary(), _UnaryStream(), _StreamUnary(), _StreamStream()],
    }
    if tls_dir is None:
        return grpc.aio.insecure_channel(address, **settings)

    def opener(identity: Identity) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(address, identity.channel_credentials(), **settings)

    return RenewingChannel(IdentityDirectory(tls_dir), opener)


@cache
def _service_config(address: str) -> str:
    return json.dumps(_REPLICAS if address.startswith(_MANY) else _SERVICE_CONFIG)


def _prepare(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    method = details.method.decode() if isinstance(details.method, bytes) else details.method
    metadata = grpc.aio.Metadata(*(details.metadata or ()))
    for header, current in (
        (request_id.HEADER, request_id.current.get()),
        (tracing.HEADER, tracing.current.get()),
    ):
        if current and metadata.get(header) is None:
            metadata.add(header, current)
    timeout = details.timeout if details.timeout is not None else seconds_for(method)
    if (left := seconds_left()) is not None:
        timeout = left if timeout is None else min(timeout, left)
    return grpc.aio.ClientCallDetails(
        details.method, timeout, metadata, details.credentials, details.wait_for_ready
    )


# gRPC sorts interceptors by their one base class, so there is one class per kind of call.
class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, details: grpc.aio.ClientCallDetails, request: Any
    ) -> Any:
        prepared = _prepare(details)
        if may_repeat(request):
            return await repeated(continuation, prepared, request)
        return await continuation(prepared, request)


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
