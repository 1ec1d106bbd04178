"""Builds, serves and drains a grpc.aio server. Every service starts here."""

import asyncio
import ipaddress
import signal
from collections.abc import Awaitable, Callable, Sequence

import grpc
import structlog
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_SERVICE
from grpc_reflection.v1alpha import reflection

from shared.channel import MESSAGE_LIMIT_BYTES
from shared.errors import FailedPrecondition
from shared.health import Health
from shared.identity import IdentityDirectory
from shared.interceptors.layers import server_interceptor
from shared.settings import GrpcSettings

_log = structlog.get_logger()

# Time in which balancers see NOT_SERVING before calls are refused.
NOTICE_SECONDS = 0.3


class Server:
    """One service on one port, with health and reflection.

    `register` adds the servicers, of `descriptor` and those of `also`; `health` starts as not
    serving. With an identity it speaks mTLS and lets in whom `shared.allowed_callers` allows.
    FailedPrecondition where the identity cannot be read.
    """

    def __init__(
        self,
        settings: GrpcSettings,
        descriptor: FileDescriptor,
        register: Callable[[grpc.aio.Server], None],
        also: Sequence[FileDescriptor] = (),
    ) -> None:
        self._settings = settings
        (service,) = descriptor.services_by_name.values()
        others = [s.full_name for each in also for s in each.services_by_name.values()]
        self.health = Health(service.full_name)
        self._identity = IdentityDirectory(settings.tls_dir) if settings.tls_dir else None
        self._server = grpc.aio.server(
            interceptors=[
                server_interceptor(
                    identified=self._identity is not None, max_calls=settings.max_calls
                )
            ],
            options=_options(settings),
        )
        register(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, self._server)
        reflection.enable_server_reflection(
            (service.full_name, *others, HEALTH_SERVICE, reflection.SERVICE_NAME), self._server
        )
        self.address = ""

    async def start(self) -> None:
        """Binds and serves. FailedPrecondition where the address must not or cannot be used."""
        listen = self._settings.listen
        try:
            port = self._add_port(listen)
        except RuntimeError as error:
            raise FailedPrecondition(
                f"cannot listen on {listen}; is another process there?", reason="PORT_TAKEN"
            ) from error
        # gRPC's own health servicer would begin with SERVING.
        await self.health.set(False, "starting")
        await self._server.start()
        self.address = f"{listen.rpartition(':')[0]}:{port}"
        _log.info("serving", address=self.address, tls=self._identity is not None)

    def _add_port(self, listen: str) -> int:
        if self._identity:
            return self._server.add_secure_port(listen, self._identity.server_credentials())
        if not self._settings.allow_plaintext_beyond_loopback and not _is_loopback(listen):
            raise FailedPrecondition(
                f"{listen} can be reached by other machines and there is no TLS; listen on "
                "127.0.0.1, set BATOS_TLS_DIR, or set ALLOW_PLAINTEXT_BEYOND_LOOPBACK for this "
                "service",
                reason="PLAINTEXT_REFUSED",
            )
        return self._server.add_insecure_port(listen)

    async def wait(self, told_to_stop: asyncio.Event) -> None:
        """Serves until the event is set, then drains."""
        await told_to_stop.wait()
        _log.info("draining")
        await self.stop()

    async def stop(self) -> None:
        """Says NOT_SERVING, lets calls in flight finish, cancels those that take too long."""
        await self.health.drain()
        await asyncio.sleep(NOTICE_SECONDS)
        await self._server.stop(self._settings.drain_seconds)
        _log.info("stopped")


async def serve(
    settings: GrpcSettings,
    descriptor: FileDescriptor,
    register: Callable[[grpc.aio.Server], None],
    *,
    ready: Callable[[Health], Awaitable[None]] | None = None,
    on_drain: Callable[[], Awaitable[None]] | None = None,
    also: Sequence[FileDescriptor] = (),
) -> None:
    """Runs a service until it is told to stop.

    `ready` is called once the port is bound and says on the given Health when the service can
    work, then and later; without it the service is ready at once. `on_drain` runs after the last
    call has ended.
    """
    # Before anybody can know that the service is up, and tell it to stop.
    told_to_stop = _on_signal()
    server = Server(settings, descriptor, register, also)
    await server.start()
    try:
        await (ready(server.health) if ready else server.health.set(True))
        await server.wait(told_to_stop)
    finally:
        if on_drain:
            await on_drain()


def _options(settings: GrpcSettings) -> list[tuple[str, int]]:
    options = [
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.so_reuseport", 0),  # two processes on one port would share calls unseen
    ]
    if settings.connection_age_seconds:
        # Calls in flight finish on the old connection: there is no age grace that would cut them.
        age = round(settings.connection_age_seconds * 1000)
        options.append(("grpc.max_connection_age_ms", age))
    return options


def _on_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    return event


def _is_loopback(listen: str) -> bool:
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
