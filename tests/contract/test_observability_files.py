"""The observability profile as files: what compose mounts is there and fits the services."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy" / "observability"
DASHBOARDS = sorted((HERE / "grafana" / "dashboards").glob("*.json"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_every_file_that_is_mounted_is_there() -> None:
    for name in ("otel-collector", "prometheus", "grafana"):
        for volume in COMPOSE["services"][name]["volumes"]:
            source = volume.split(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), source


def test_prometheus_asks_every_service_where_it_listens() -> None:
    config = yaml.safe_load((HERE / "prometheus.yml").read_text())
    asked = set()
    for job in config["scrape_configs"]:
        asked |= {target for group in job.get("static_configs", ()) for target in group["targets"]}
        for group in job.get("dns_sd_configs", ()):
            asked |= {f"{name}:{group['port']}" for name in group["names"]}
    listening = {
        f"{name}:{value.rpartition(':')[2]}"
        for name, service in COMPOSE["services"].items()
        for key, value in dict(service.get("environment") or {}).items()
        if key.endswith("_METRICS_LISTEN")
    }
    assert listening == asked - {"ollama:9464"}


def test_metrics_are_on_a_network_without_a_way_out() -> None:
    assert COMPOSE["networks"]["metrics"] == {"internal": True}
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert not [port for port in ports if "9464" in port]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_nothing_of_the_profile_starts_by_itself() -> None:
    for name in ("otel-collector", "jaeger", "prometheus", "grafana"):
        assert COMPOSE["services"][name]["profiles"] == ["observability"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_whole_panels(path: Path) -> None:
    board = json.loads(path.read_text())
    assert board["uid"] == path.stem
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["targets"]
        assert panel["datasource"]["uid"] == "prometheus"
