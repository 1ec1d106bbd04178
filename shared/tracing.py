"""One trace through everything that a call reaches (W3C Trace Context), and its spans.

Every call has a trace, for the log. Where a collector is named (OTEL_EXPORTER_OTLP_ENDPOINT) what
happens in it is recorded as OpenTelemetry spans as well, and sent there in the background.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanKind, Tracer

HEADER = "traceparent"
_WELL_FORMED = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
_EXPORT_SECONDS = 2

# What the calls that are made for this one send along: the same trace, this call as their parent.
current: ContextVar[str] = ContextVar("traceparent", default="")


class _Recorder:
    """The tracer of this process; None where nothing is recorded."""

    tracer: Tracer | None = None


def record(service: str, endpoint: str) -> None:
    """Records spans from now on. `endpoint` is a URL of OTLP over gRPC, such as http://host:4317.

    What a collector that is away does not take is dropped; nobody waits for it.
    """
    # 13 MB that nobody else needs.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"batos-{service}"}))
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _Recorder.tracer = provider.get_tracer("batos")


def current_id() -> str:
    """The id of the trace that this code runs in; empty outside of a call."""
    return current.get()[3:35]


def go_on(received: object) -> None:
    """Goes on with the trace of `received`, or begins one, without recording anything."""
    found = _well_formed(received)
    trace_id, flags = found.groups() if found else (secrets.token_hex(16), "01")
    current.set(f"00-{trace_id}-{secrets.token_hex(8)}-{flags}")


@contextlib.contextmanager
def server_span(name: str, received: object) -> Iterator[Span | None]:
    """A call that came in, in the trace of the traceparent `received`, else in a fresh one.

    The trace stays current in the context of the caller, which is to be the call's own.
    """
    if _Recorder.tracer is None:
        go_on(received)
        yield None
        return
    from opentelemetry.trace import SpanKind

    found = _well_formed(received)
    with _opened(_Recorder.tracer, name, found[0] if found else "", SpanKind.SERVER) as opened:
        current.set(_traceparent(opened))
        yield opened


@contextlib.contextmanager
def span(name: str, **attributes: str | int | float | bool) -> Iterator[Span | None]:
    """A piece of work inside the current call; outside of one it begins a trace."""
    if _Recorder.tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind

    before = current.get()
    with _opened(_Recorder.tracer, name, before, SpanKind.INTERNAL, attributes) as opened:
        current.set(_traceparent(opened))
        try:
            yield opened
        finally:
            current.set(before)  # no reset: a generator may be closed from another context


async def send_along(request: Any) -> None:
    """Puts the current trace onto a request of httpx of a client that has HTTPX_HOOKS."""
    if value := current.get():
        request.headers[HEADER] = value


# For clients of httpx: their requests carry the current trace.
HTTPX_HOOKS = {"request": [send_along]}


@contextlib.contextmanager
def _opened(
    tracer: Tracer,
    name: str,
    parent: str,
    kind: SpanKind,
    attributes: dict[str, str | int | float | bool] | None = None,
) -> Iterator[Span]:
    from opentelemetry.trace import StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({HEADER: parent} if parent else {})
    opened = tracer.start_span(name, context, kind, attributes)
    try:
        yield opened
    except Exception as error:
        # Its words may hold what people said; the log has them, on the owner's own machine.
        opened.set_status(StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        opened.end()


def _well_formed(received: object) -> re.Match[str] | None:
    return _WELL_FORMED.fullmatch(received) if isinstance(received, str) else None


def _traceparent(opened: Span) -> str:
    known = opened.get_span_context()
    return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"
