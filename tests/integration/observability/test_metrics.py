"""Every metric that a dashboard or an alert names is exported; asked of a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import yaml

from deploy.local.topology import free_ports
from tests.integration.observability.conftest import Observed
from tests.integration.observability.test_traces import asked, register_addition

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

HERE = Path(__file__).parents[3] / "deploy" / "observability"
DASHBOARDS = sorted((HERE / "grafana" / "dashboards").glob("*.json"))
NAME = re.compile(r"\b(?:batos|grpc_server|process)_[a-z_]+\b")
SUFFIX = re.compile(r"_(?:bucket|sum|count|total)$")


def prometheus_program() -> str:
    found = shutil.which("prometheus")
    if found is None and os.environ.get("CI"):
        pytest.fail("CI must run a real Prometheus: apt-get install prometheus")
    if found is None:
        pytest.skip("no Prometheus here; on Debian: apt-get install prometheus")
    return found


def dashboard_queries() -> list[str]:
    boards = [json.loads(path.read_text()) for path in DASHBOARDS]
    panels = [panel for board in boards for panel in board["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def alert_queries() -> list[str]:
    groups = yaml.safe_load((HERE / "alerts.yml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prometheus(
    observed: Observed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """A Prometheus with the project's rules, which has looked at every service twice."""
    folder = tmp_path_factory.mktemp("prometheus")
    shutil.copy(HERE / "alerts.yml", folder)
    config = yaml.safe_load((HERE / "prometheus.yml").read_text())
    config["global"]["scrape_interval"] = "1s"
    config["scrape_configs"] = [
        {
            "job_name": "batos",
            "static_configs": [
                {"targets": [address], "labels": {"service": name}}
                for name, address in observed.metrics.items()
            ],
        }
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [
            prometheus_program(),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1") as client:
            await register_addition(observed)
            await asked(observed, "Add 4 and 9.", "0af7651916cd43dd8448eb211c80319c")
            await scraped(client, len(observed.metrics))
            yield client
    finally:
        process.terminate()
        process.wait(timeout=20)


async def scraped(client: httpx.AsyncClient, services: int) -> None:
    for _ in range(100):
        try:
            up = (await client.get("/query", params={"query": "up == 1"})).json()["data"]["result"]
        except httpx.HTTPError:
            up = []
        if len(up) == services:
            await asyncio.sleep(2.5)
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"only {len(up)} of {services} services were scraped: {up}")


async def test_every_metric_that_is_named_is_exported(prometheus: httpx.AsyncClient) -> None:
    known = set((await prometheus.get("/metadata")).json()["data"])
    for query in [*dashboard_queries(), *alert_queries()]:
        for name in NAME.findall(query):
            assert {name, SUFFIX.sub("", name)} & known, f"{name} of {query!r} is exported nowhere"


async def test_every_query_of_dashboards_and_alerts_can_be_answered(
    prometheus: httpx.AsyncClient,
) -> None:
    for query in [*dashboard_queries(), *alert_queries()]:
        answer = await prometheus.get("/query", params={"query": query})
        assert answer.json()["status"] == "success", f"{query}: {answer.text}"


async def test_every_exported_metric_of_ours_is_shown_somewhere(
    prometheus: httpx.AsyncClient,
) -> None:
    known = {
        name for name in (await prometheus.get("/metadata")).json()["data"] if "batos_" in name
    }
    shown = " ".join([*dashboard_queries(), *alert_queries()])
    created = {name for name in known if name.endswith("_created")}
    assert not [name for name in known - created if SUFFIX.sub("", name) not in shown]


@pytest.mark.parametrize(
    ("query", "least"),
    [
        ('sum(grpc_server_handled_total{grpc_method="Converse",grpc_code="OK"})', 1),
        ('sum(grpc_server_handling_seconds_count{grpc_method="Search"})', 1),
        ("sum(batos_supervisor_tokens_total)", 2),
        ("batos_supervisor_first_token_seconds_count", 1),
        ("batos_sandbox_runs_total{outcome='ok'}", 1),
        ("sum(batos_sandbox_claims_total)", 1),
        ("batos_sandbox_boot_seconds_count", 1),
        ("batos_memory_committed_rows_total", 1),
        ("batos_model_server_tokens_total{kind='answer'}", 1),
        ("batos_gpu_lease_state{state='serving'}", 1),
    ],
)
async def test_what_was_done_is_counted(
    prometheus: httpx.AsyncClient, query: str, least: int
) -> None:
    for _ in range(50):
        result = (await prometheus.get("/query", params={"query": query})).json()["data"]["result"]
        if result and float(result[0]["value"][1]) >= least:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{query} is {result}, not at least {least}")


async def test_no_alert_fires_while_all_is_well(prometheus: httpx.AsyncClient) -> None:
    for query in alert_queries():
        answer = (await prometheus.get("/query", params={"query": query})).json()
        assert not answer["data"]["result"], query
