"""One server with one small random model, shared by the tests of the contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from services.model_server.gguf_export import export_gguf
from tests.contract.model_server.server_process import ServerProcess
from tests.unit.model_server.tiny_llama import make_tiny_llama


@pytest.fixture(scope="session")
def tiny_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A merged model as a trainer leaves it: bf16, Hugging Face's layout."""
    return make_tiny_llama(tmp_path_factory.mktemp("hf"), dtype="BF16")


@pytest.fixture(scope="session")
def preload_dir(tiny_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("preload")
    export_gguf(tiny_dir, directory / "tiny.gguf")
    return directory


@pytest.fixture(scope="session")
def server(preload_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    process = ServerProcess(tmp_path_factory.mktemp("server"), preload_dir)
    yield process
    process.close()


@pytest.fixture
def client(server: ServerProcess) -> ollama.Client:
    return server.client()


@pytest.fixture
async def async_client(server: ServerProcess) -> ollama.AsyncClient:
    return ollama.AsyncClient(host=server.url)
