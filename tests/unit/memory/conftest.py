"""Real parts for Memory's tests: the embedder once, a fresh store per test."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.memory.lancedb_store import LancedbStore
from services.memory.library import Library, Shelf
from services.memory.search import Searcher
from services.memory.wordllama_embedder import WordllamaEmbedder
from services.memory.writer import Writer


@pytest.fixture(scope="session")
def embedder() -> Iterator[WordllamaEmbedder]:
    embedder = WordllamaEmbedder()
    yield embedder
    asyncio.run(embedder.close())


@pytest.fixture
async def store(tmp_path: Path, embedder: WordllamaEmbedder) -> AsyncIterator[LancedbStore]:
    store = await LancedbStore.open(tmp_path / "lance", embedder.identity)
    yield store
    await store.close()


@pytest.fixture
async def library(store: LancedbStore, embedder: WordllamaEmbedder) -> AsyncIterator[Library]:
    async def close() -> None:
        """Its parts are closed by their own fixtures."""

    searcher = Searcher(store, embedder)
    yield Library(Shelf(store, embedder, searcher, close))
    await searcher.close()


@pytest.fixture
async def writer(library: Library) -> AsyncIterator[Writer]:
    writer = Writer(library)
    writer.start()
    yield writer
    await writer.close()
