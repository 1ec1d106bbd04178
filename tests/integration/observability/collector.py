"""A collector of OTLP over gRPC: takes the spans of real services down as they come."""

from __future__ import annotations

import asyncio
from types import TracebackType

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Used as an async context manager; `spans` are (service, span)."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        self.address = ""
        self._server = grpc.aio.server()

    async def Export(self, request: pb.ExportTraceServiceRequest, context: object):
        for resource_spans in request.resource_spans:
            attributes = {a.key: a.value.string_value for a in resource_spans.resource.attributes}
            for scope in resource_spans.scope_spans:
                self.spans += [(attributes["service.name"], span) for span in scope.spans]
        return pb.ExportTraceServiceResponse()

    async def __aenter__(self) -> Collector:
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self._server)
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        self.address = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._server.stop(None)

    async def trace(self, trace_id: str, wanted: set[tuple[str, str]]) -> dict[bytes, Span]:
        """The spans of a trace by id, once the wanted (service, name) are all there."""
        for _ in range(150):
            known = [
                (service, span) for service, span in self.spans if span.trace_id.hex() == trace_id
            ]
            if wanted <= {(service, span.name) for service, span in known}:
                return {span.span_id: span for _, span in known}
            await asyncio.sleep(0.1)
        raise AssertionError(
            f"missing {wanted - {(s, x.name) for s, x in known}}; there is "
            f"{sorted((s, x.name) for s, x in known)}"
        )
