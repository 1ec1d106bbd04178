"""Real parts for Memory's tests: the embedder once, a fresh store per test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.memory.lancedb_store import LancedbStore
from services.memory.wordllama_embedder import WordllamaEmbedder
from services.memory.writer import Writer


@pytest.fixture(scope="session")
def embedder() -> Iterator[WordllamaEmbedder]:
    embedder = WordllamaEmbedder()
    yield embedder
    embedder.close()


@pytest.fixture
async def store(tmp_path: Path, embedder: WordllamaEmbedder) -> AsyncIterator[LancedbStore]:
    store = await LancedbStore.open(tmp_path / "lance", embedder.identity)
    yield store
    await store.close()


@pytest.fixture
async def writer(store: LancedbStore, embedder: WordllamaEmbedder) -> AsyncIterator[Writer]:
    writer = Writer(store, embedder)
    writer.start()
    yield writer
    await writer.close()
