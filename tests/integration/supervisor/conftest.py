"""A Supervisor for each test that asks, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from batos.supervisor.v1 import supervisor_pb2, supervisor_pb2_grpc

from services.supervisor.__main__ import assembled
from services.supervisor.settings import SupervisorSettings
from shared import server
from tests.integration.supervisor.client import Client
from tests.integration.supervisor.peers import backend, memory, model_server, models
from tests.integration.supervisor.scripted_backend import ScriptedBackend
from tests.integration.supervisor.service_process import ServiceProcess

__all__ = ["backend", "memory", "model_server", "models"]

# Where nothing listens: port 9 of this machine (RFC 863's discard).
NOWHERE = "127.0.0.1:9"

Supervise = Callable[..., Awaitable[Client]]


@pytest.fixture
async def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervise]:
    """Starts the whole service in this process, on a socket, with these settings.

    Without any it knows no peer. Those who kill it start a process instead.
    """
    monkeypatch.setattr(server, "NOTICE_SECONDS", 0)  # nobody balances load between us here
    async with AsyncExitStack() as stack:

        async def start(
            memory: str = NOWHERE,
            ollama: str = f"http://{NOWHERE}",
            toolforge: str = NOWHERE,
            **more: object,
        ):
            settings = SupervisorSettings(
                listen="127.0.0.1:0",
                **({"data_dir": tmp_path / "supervisor"} | more),
                drain_seconds=0,
                memory_address=memory,
                toolforge_address=toolforge,
                ollama_host=ollama,
            )
            servicer = await stack.enter_async_context(assembled(settings))
            serving = server.Server(
                settings,
                supervisor_pb2.DESCRIPTOR,
                lambda s: supervisor_pb2_grpc.add_SupervisorServiceServicer_to_server(servicer, s),
            )
            await serving.start()
            stack.push_async_callback(serving.stop)
            client = Client(serving.address)
            stack.push_async_callback(client.channel.close)
            return client

        yield start


@pytest.fixture
async def client(
    supervise: Supervise, memory: ServiceProcess, model_server: ServiceProcess
) -> Client:
    """A client of a Supervisor with a real Memory and a real model."""
    return await supervise(memory.address, f"http://{model_server.address}", answer_tokens=24)


@pytest.fixture
async def scripted(supervise: Supervise, backend: ScriptedBackend) -> Client:
    """A client of a Supervisor whose model backend follows a script; Memory is away."""
    return await supervise(ollama=backend.url, lease_max_wait=10, unload_seconds=2)
