"""structlog for every service: one line per event, to stderr, console or JSON."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict

from shared import tracing
from shared.interceptors import caller_identity, request_id

Format = Literal["console", "json"]


def configure(service: str, level: str = "INFO", fmt: Format = "console") -> None:
    """Sets up logging for this process. Call once, before the first log line."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _with_call,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    structlog.contextvars.bind_contextvars(service=service)


def _with_call(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Adds what the line's call is known by, where it belongs to one."""
    known = {
        "request_id": request_id.current.get(),
        "trace_id": tracing.current_id(),
        "caller": caller_identity.current.get(),
    }
    event.update({name: value for name, value in known.items() if value})
    return event
