"""Rate, errors and duration of calls, for Prometheus.

Names and labels are those of go-grpc-prometheus, which dashboards of others know.
"""

from prometheus_client import Counter, Gauge, Histogram

_LABELS = ("grpc_service", "grpc_method")
# From a health check to the longest call, in seconds.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

_handled = Counter("grpc_server_handled", "Calls that ended.", (*_LABELS, "grpc_code"))
_in_flight = Gauge("batos_grpc_server_in_flight", "Calls under way.", _LABELS)
_seconds = Histogram(
    "grpc_server_handling_seconds", "How long calls took.", _LABELS, buckets=_BUCKETS
)


def begun(method: str) -> None:
    """Takes note of a call; `method` is "/package.Service/Method"."""
    _in_flight.labels(*_split(method)).inc()


def ended(method: str, code: str, seconds: float) -> None:
    """Takes note of its end; `code` is the name of a gRPC status code."""
    names = _split(method)
    _in_flight.labels(*names).dec()
    _handled.labels(*names, code).inc()
    _seconds.labels(*names).observe(seconds)


def _split(method: str) -> tuple[str, str]:
    service, _, name = method.lstrip("/").partition("/")
    return service, name
