"""Memory and the model server as processes, a Supervisor for each test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from batos.supervisor.v1 import supervisor_pb2, supervisor_pb2_grpc

from services.model_server.gguf_export import export_gguf
from services.supervisor.__main__ import assembled
from services.supervisor.settings import SupervisorSettings
from shared import server
from tests.integration.supervisor.client import Client
from tests.integration.supervisor.scripted_backend import ScriptedBackend
from tests.integration.supervisor.service_process import ServiceProcess
from tests.unit.model_server.tiny_llama import make_tiny_llama

# Where nothing listens: port 9 of this machine (RFC 863's discard).
NOWHERE = "127.0.0.1:9"

Supervise = Callable[..., Awaitable[Client]]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with random weights: what they say matters to no test, that they speak does."""
    directory = tmp_path_factory.mktemp("models")
    for seed, tag in enumerate(("starter", "brick-tuned"), start=1):
        hf = make_tiny_llama(tmp_path_factory.mktemp("hf"), seed=seed, max_position_embeddings=4096)
        export_gguf(hf, directory / f"{tag}.gguf")
    return directory


@pytest.fixture(scope="session")
def model_server(
    models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServiceProcess]:
    directory = tmp_path_factory.mktemp("model_server")
    process = ServiceProcess("model_server", directory, BATOS_MODEL_SERVER_PRELOAD_DIR=str(models))
    yield process
    process.close()


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    process = ServiceProcess("memory", tmp_path_factory.mktemp("memory"))
    yield process
    process.close()


@pytest.fixture
async def supervise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervise]:
    """Starts the whole service in this process, on a socket, with these settings.

    Without any it knows no peer. Those who kill it start a process instead.
    """
    monkeypatch.setattr(server, "_NOTICE_SECONDS", 0)  # nobody balances load between us here
    async with AsyncExitStack() as stack:

        async def start(memory: str = NOWHERE, ollama: str = f"http://{NOWHERE}", **more: object):
            settings = SupervisorSettings(
                listen="127.0.0.1:0",
                data_dir=tmp_path / "supervisor",
                drain_seconds=0,
                memory_address=memory,
                ollama_host=ollama,
                **more,
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
async def backend() -> AsyncIterator[ScriptedBackend]:
    backend = ScriptedBackend()
    await backend.start()
    yield backend
    await backend.stop()


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
