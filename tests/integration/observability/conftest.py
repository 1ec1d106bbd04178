"""All services with metrics and traces, once for these tests, after some work was done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
import pytest_asyncio

from deploy.local import ALL_SERVICES, LocalStack
from deploy.local.topology import free_ports
from tests.integration.observability.collector import Collector


@dataclass
class Observed:
    """The services, where each serves its metrics, and who takes their spans."""

    stack: LocalStack
    metrics: Mapping[str, str]
    collector: Collector


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def observed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Observed]:
    ports = free_ports(len(ALL_SERVICES))
    metrics = {name: f"127.0.0.1:{port}" for name, port in zip(ALL_SERVICES, ports, strict=True)}
    async with Collector() as collector:
        settings = {
            f"{kind.prefix}METRICS_LISTEN": metrics[name] for name, kind in ALL_SERVICES.items()
        }
        settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.address
        settings["OTEL_BSP_SCHEDULE_DELAY"] = "200"
        async with LocalStack(tmp_path_factory.mktemp("o"), settings=settings) as stack:
            yield Observed(stack, metrics, collector)
