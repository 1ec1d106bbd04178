import pytest

from services.memory.embedder import EmbedderIdentity
from services.memory.wordllama_embedder import WordllamaEmbedder
from tests.unit.memory.embedder_conformance import EmbedderConformance


class TestWordllamaEmbedder(EmbedderConformance):
    """The built-in embedder at its full length."""


class TestTruncatedWordllamaEmbedder(EmbedderConformance):
    """The built-in embedder at a shorter length."""

    @pytest.fixture
    def embedder(self):
        embedder = WordllamaEmbedder(64)
        yield embedder
        embedder.close()


def test_lengths_are_told_apart(embedder: WordllamaEmbedder) -> None:
    assert embedder.identity == EmbedderIdentity("wordllama-256", 256)
