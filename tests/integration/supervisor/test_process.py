"""The Supervisor as a process: how it starts, says that it is well, refuses to start, and ends."""

import os
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2 as pb
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.supervisor.client import Client
from tests.integration.supervisor.service_process import ROOT, ServiceProcess

NOWHERE = {"BATOS_MEMORY_ADDRESS": "127.0.0.1:9", "OLLAMA_HOST": "http://127.0.0.1:9"}


def run(**settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.supervisor"],
        cwd=ROOT,
        env={**os.environ, "BATOS_SUPERVISOR_LISTEN": "127.0.0.1:0", **NOWHERE, **settings},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


async def test_it_is_well_without_its_peers_keeps_its_directory_and_ends_in_order(tmp_path: Path):
    process = ServiceProcess("supervisor", tmp_path, **NOWHERE)
    try:
        client = Client(process.address)
        stub = health_pb2_grpc.HealthStub(client.channel)
        name = pb.DESCRIPTOR.services_by_name["SupervisorService"].full_name
        health = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        watch = client.stub.WatchEvents(pb.WatchEventsRequest())
        second = run(BATOS_SUPERVISOR_DATA_DIR=str(tmp_path / "supervisor"))
        assert second.returncode == 1
        assert "DATA_DIRECTORY_IN_USE" in second.stderr
        started = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - started < 5  # for all that somebody is watching
        with pytest.raises(grpc.RpcError):
            await watch.read()
        await client.channel.close()
    finally:
        process.close()


def test_a_codex_with_faults_is_refused_with_all_of_them(tmp_path: Path):
    path = tmp_path / "codex.toml"
    path.write_text('[personas.BRICK]\nmodel = ""\nbase_model = "starter"\n')
    ended = run(BATOS_SUPERVISOR_CODEX=str(path), BATOS_SUPERVISOR_DATA_DIR=str(tmp_path))
    assert ended.returncode == 1
    assert "line 1, personas.BRICK.system_prompt" in ended.stderr
    assert "line 2, personas.BRICK.model" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_with_faults_are_refused_with_all_of_them(tmp_path: Path):
    ended = run(
        BATOS_SUPERVISOR_LEASE_POLICY="hope",
        BATOS_SUPERVISOR_TURN_SECONDS="-1",
        BATOS_SUPERVISOR_DATA_DIR=str(tmp_path),
    )
    assert ended.returncode == 2
    assert "BATOS_SUPERVISOR_LEASE_POLICY" in ended.stderr
    assert "BATOS_SUPERVISOR_TURN_SECONDS" in ended.stderr
