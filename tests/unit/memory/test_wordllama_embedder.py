import pytest

from services.memory.embedder import EmbedderIdentity
from services.memory.wordllama_embedder import WordllamaEmbedder
from tests.unit.memory.embedder_conformance import EmbedderConformance


class TestWordllamaEmbedder(EmbedderConformance):
    """The built-in embedder at its full length."""


class TestTruncatedWordllamaEmbedder(EmbedderConformance):
    """The built-in embedder at a shorter length."""

    @pytest.fixture
    async def embedder(self):
        embedder = WordllamaEmbedder(64)
        yield embedder
        await embedder.close()


def test_lengths_are_told_apart(embedder: WordllamaEmbedder) -> None:
    assert embedder.identity == EmbedderIdentity("wordllama-256", 256)


async def test_meaning_is_near_meaning(embedder: WordllamaEmbedder) -> None:
    dog, puppy, taxes = await embedder.embed(["a dog", "my puppy", "income tax law"])
    assert dog @ puppy > dog @ taxes + 0.1
