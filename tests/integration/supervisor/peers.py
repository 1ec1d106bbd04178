"""Fixtures: the Supervisor's peers, real ones as processes and the one that follows a script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.llama_gguf.export import export_gguf
from tests.integration.supervisor.scripted_backend import ScriptedBackend
from tests.integration.supervisor.service_process import ServiceProcess
from tests.unit.model_server.tiny_llama import make_tiny_llama


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
async def backend() -> AsyncIterator[ScriptedBackend]:
    backend = ScriptedBackend()
    await backend.start()
    yield backend
    await backend.stop()
