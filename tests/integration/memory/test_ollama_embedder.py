"""The Ollama embedder against a real server of its API, and against one with faults."""

from collections.abc import AsyncIterator

import numpy as np
import pytest
from starlette.responses import JSONResponse, Response

from services.memory import ollama_embedder
from services.memory.embedder import EmbedderIdentity
from services.memory.ollama_embedder import OllamaEmbedder
from shared.errors import FailedPrecondition, Internal, Unavailable
from tests.integration.memory.scripted_embedder import ScriptedEmbedder, plain
from tests.integration.supervisor.service_process import ServiceProcess
from tests.unit.memory.embedder_conformance import EmbedderConformance

IDENTITY = EmbedderIdentity("ollama/tiny@a1a1a1a1a1a1", 4)


class TestOllamaEmbedder(EmbedderConformance):
    """Against the suite of the port; what a model with random weights means matters to none."""

    TOLERANCE = 5e-3  # llama.cpp sums in another order as batches differ

    @pytest.fixture
    async def embedder(self, model_server: ServiceProcess) -> AsyncIterator[OllamaEmbedder]:
        embedder = await OllamaEmbedder.open(f"http://{model_server.address}", "starter")
        yield embedder
        await embedder.close()

    async def test_its_name_holds_the_digest_of_the_model(self, embedder: OllamaEmbedder) -> None:
        name, _, digest = embedder.identity.name.partition("@")
        assert name == "ollama/starter"
        assert len(digest) == 12
        int(digest, 16)

    async def test_blank_texts_have_zeros(self, embedder: OllamaEmbedder) -> None:
        vectors = await embedder.embed(["", "word", " \n"])
        assert np.linalg.norm(vectors, axis=1).round(4).tolist() == [0, 1, 0]


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedEmbedder]:
    monkeypatch.setattr(ollama_embedder, "_FIRST_PAUSE", 0.01)
    peer = ScriptedEmbedder()
    await peer.start()
    yield peer
    await peer.stop()


@pytest.fixture
async def embedder(peer: ScriptedEmbedder) -> AsyncIterator[OllamaEmbedder]:
    embedder = await OllamaEmbedder.open(peer.url, "tiny")
    peer.asked.clear()
    yield embedder
    await embedder.close()


def fault(status: int) -> Response:
    return JSONResponse({"error": "out of memory"}, status_code=status)


async def test_texts_go_in_batches(peer: ScriptedEmbedder, embedder: OllamaEmbedder) -> None:
    assert embedder.identity == IDENTITY
    vectors = await embedder.embed(["x" * n for n in range(1, 71)])
    assert [len(batch) for batch in peer.asked] == [32, 32, 6]
    assert vectors.shape == (70, 4)
    np.testing.assert_allclose(vectors[11], np.array([3, 4, 0, 12]) / 13, atol=1e-6)


async def test_a_passing_fault_is_tried_again(peer: ScriptedEmbedder, embedder) -> None:
    peer.answers = [lambda _: fault(500), lambda _: fault(503), plain]
    assert (await embedder.embed(["a"])).shape == (1, 4)
    assert len(peer.asked) == 3


async def test_a_lasting_fault_is_told(peer: ScriptedEmbedder, embedder) -> None:
    peer.answers = [lambda _: fault(500)] * 9
    with pytest.raises(Unavailable) as caught:
        await embedder.embed(["a"])
    assert caught.value.reason == "EMBEDDER_UNAVAILABLE"
    assert len(peer.asked) == 4


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (lambda texts: fault(404), FailedPrecondition, "EMBEDDER_NOT_FOUND"),
        (lambda texts: fault(400), FailedPrecondition, "NO_EMBEDDER"),
        (
            lambda texts: JSONResponse({"embeddings": [[1.0, 2.0]] * len(texts)}),
            FailedPrecondition,
            "EMBEDDER_MISMATCH",
        ),
        (lambda texts: JSONResponse({"embeddings": []}), Internal, "BAD_VECTORS"),
        (
            lambda texts: Response(
                '{"embeddings": [[NaN, 1, 1, 1]]}', media_type="application/json"
            ),
            Internal,
            "BAD_VECTORS",
        ),
        (lambda texts: Response("<html>"), Internal, "BAD_VECTORS"),
        (lambda texts: JSONResponse({"embeddings": "no"}), Internal, "BAD_VECTORS"),
    ],
    ids=["no model", "refusal", "other length", "too few", "nan", "no json", "other shape"],
)
async def test_a_wrong_answer_is_an_error_and_no_vector(
    peer: ScriptedEmbedder, embedder, answer, error, reason: str
) -> None:
    peer.answers = [answer]
    with pytest.raises(error) as caught:
        await embedder.embed(["a"])
    assert caught.value.reason == reason


async def test_a_missing_model_says_how_to_get_it(peer: ScriptedEmbedder) -> None:
    with pytest.raises(FailedPrecondition, match="ollama pull absent"):
        await OllamaEmbedder.open(peer.url, "absent")


async def test_without_ollama_it_says_what_to_look_at() -> None:
    with pytest.raises(Unavailable, match="OLLAMA_HOST"):
        await OllamaEmbedder.open("http://127.0.0.1:9", "tiny")
