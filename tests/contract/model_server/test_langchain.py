"""LangChain's client for Ollama, which many programs stand on."""

from __future__ import annotations

from langchain_ollama import ChatOllama, OllamaEmbeddings

from tests.contract.model_server.server_process import ServerProcess

ASK = "the bat flies over a river"


def model(server: ServerProcess, **options) -> ChatOllama:
    return ChatOllama(
        model="tiny",
        base_url=server.url,
        temperature=0,
        num_predict=24,
        validate_model_on_init=True,
        **options,
    )


def test_it_invokes_and_streams_the_same(server: ServerProcess) -> None:
    whole = model(server).invoke(ASK)
    assert whole.content
    assert whole.usage_metadata["output_tokens"] > 0
    assert whole.response_metadata["done_reason"] in ("stop", "length")
    assert "".join(chunk.content for chunk in model(server).stream(ASK)) == whole.content


async def test_it_streams_asynchronously(server: ServerProcess) -> None:
    whole = model(server).invoke(ASK)
    chunks = [chunk.content async for chunk in model(server).astream(ASK)]
    assert "".join(chunks) == whole.content


def test_it_gets_structured_answers(server: ServerProcess) -> None:
    schema = {
        "title": "Count",
        "type": "object",
        "properties": {"bats": {"type": "integer"}},
        "required": ["bats"],
    }
    long = ChatOllama(model="tiny", base_url=server.url, temperature=0, num_predict=200)
    counted = long.with_structured_output(schema, method="json_schema").invoke(ASK)
    assert isinstance(counted["bats"], int)


def test_it_embeds(server: ServerProcess) -> None:
    embeddings = OllamaEmbeddings(model="tiny", base_url=server.url)
    one, two = embeddings.embed_documents([ASK, "a cave"])
    assert len(one) == len(two) == len(embeddings.embed_query(ASK))
    assert one != two
