"""One server with one small random model, shared by the tests of the contract."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from shared.llama_gguf.export import export_gguf
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What takes `client` and nothing of the server's own runs against a real Ollama as well.

    That is the one at OLLAMA_HOST, where this is set; `embedded` marks what is not Ollama's word.
    """
    if "host" not in metafunc.fixturenames:
        return
    own = {"server", "start", "tiny_dir"} & set(metafunc.fixturenames)
    real = os.environ.get("OLLAMA_HOST") and not own
    marked = metafunc.definition.get_closest_marker("embedded")
    hosts = ["embedded", "ollama"] if real and not marked else ["embedded"]
    metafunc.parametrize("host", hosts, indirect=True, scope="session")


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> str:
    """Where the server under test answers."""
    kind = "server" if request.param == "embedded" else "real_ollama"
    found = request.getfixturevalue(kind)
    return found.url if isinstance(found, ServerProcess) else found


@pytest.fixture(scope="session")
def real_ollama(preload_dir: Path) -> Iterator[str]:
    """The Ollama at OLLAMA_HOST, given the small model for the time of the tests."""
    url = os.environ["OLLAMA_HOST"]
    client = ollama.Client(host=url)
    assert "tiny:latest" not in model_names(client), "Ollama has a model named tiny: rename it"
    digest = client.create_blob(preload_dir / "tiny.gguf")
    client.create("tiny", files={"tiny.gguf": digest})
    yield url
    client.delete("tiny")


@pytest.fixture
def client(host: str) -> Iterator[ollama.Client]:
    """The official client; models that a test makes are gone after it."""
    client = ollama.Client(host=host)
    before = model_names(client)
    yield client
    for name in model_names(client) - before:
        client.delete(name)


@pytest.fixture
async def async_client(host: str) -> ollama.AsyncClient:
    return ollama.AsyncClient(host=host)


def model_names(client: ollama.Client) -> set[str]:
    return {str(model.model) for model in client.list().models}
