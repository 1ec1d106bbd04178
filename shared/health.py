"""Truthful health: SERVING only while the service can really do its job."""

import structlog
from grpc_health.v1 import health, health_pb2

_log = structlog.get_logger()


class Health:
    """The health of one service, as grpc.health.v1 answers it.

    It starts as not serving; a service says so itself once it can work, and says so again,
    with the reason, when it no longer can.
    """

    def __init__(self, service_name: str) -> None:
        self.servicer = health.aio.HealthServicer()
        self._service_name = service_name
        self._serving: bool | None = None

    async def set(self, serving: bool, reason: str = "") -> None:
        """Changes the answer for the service and for the whole server; logs every change."""
        status = (
            health_pb2.HealthCheckResponse.SERVING
            if serving
            else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", self._service_name):
            await self.servicer.set(name, status)
        if serving != self._serving:
            _log.info("health", serving=serving, reason=reason)
        self._serving = serving

    async def drain(self) -> None:
        """Says NOT_SERVING from now on, whatever else is set."""
        await self.servicer.enter_graceful_shutdown()
