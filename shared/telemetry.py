"""What a service lets its owner see: log lines, metrics and spans. Every service starts it here."""

from prometheus_client import start_http_server

from shared import logs, tracing
from shared.settings import ServiceSettings


def start(service: str, settings: ServiceSettings) -> None:
    """Sets up logging, and what the settings ask for besides. Call once, before the first log line.

    Metrics are served as http://<metrics_listen>/metrics. They say how much happens and never what;
    SystemExit where that address cannot be had.
    """
    logs.configure(service, settings.log_level, settings.log_format)
    if settings.otlp_endpoint:
        tracing.record(service, settings.otlp_endpoint)
    if settings.metrics_listen:
        host, _, port = settings.metrics_listen.rpartition(":")
        try:
            start_http_server(int(port), host.strip("[]"))
        except (OSError, ValueError) as error:
            raise SystemExit(
                f"{service}: metrics cannot be served on {settings.metrics_listen}: {error}"
            ) from None
