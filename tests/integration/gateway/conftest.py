"""The gateway as its users meet it: a process, before a real Supervisor with a real model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import openai
import pytest
import pytest_asyncio

from deploy.local.stack import LocalStack
from shared.llama_gguf.export import export_gguf
from tests.unit.model_server.tiny_llama import make_tiny_llama

SERVICES = ("model-server", "memory", "supervisor", "gateway")
CHUNK_BYTES = 64 * 1024


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights: what it says matters to no test, that it speaks does."""
    hf = make_tiny_llama(tmp_path_factory.mktemp("hf"), max_position_embeddings=4096)
    directory = tmp_path_factory.mktemp("models")
    export_gguf(hf, directory / "starter.gguf")
    return directory


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(
    models: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LocalStack]:
    settings = {
        "BATOS_MODEL_SERVER_PRELOAD_DIR": str(models),
        "BATOS_SUPERVISOR_ANSWER_TOKENS": "24",
        "BATOS_GATEWAY_MAX_BODY_BYTES": str(CHUNK_BYTES),
    }
    directory = tmp_path_factory.mktemp("state")
    async with LocalStack(directory, services=SERVICES, settings=settings) as running:
        yield running


@pytest.fixture
def url(stack: LocalStack) -> str:
    return f"http://{stack.addresses['gateway']}"


@pytest.fixture
def gpt(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


@pytest.fixture
def http(url: str):
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client
