"""The part of OpenAI's API that Ollama has, as OpenAI's own client sees it."""

from __future__ import annotations

import json

import httpx
import ollama
import openai
import pytest

from tests.contract.model_server.server_process import ServerProcess

ASK = [{"role": "user", "content": "the bat flies over a river"}]
GREEDY = {"temperature": 0, "max_tokens": 24}
SCHEMA = {
    "type": "object",
    "properties": {"bats": {"type": "integer"}},
    "required": ["bats"],
}
TOOL = {
    "type": "function",
    "function": {
        "name": "count_bats",
        "description": "Counts bats.",
        "parameters": {"type": "object", "properties": {"cave": {"type": "string"}}},
    },
}


@pytest.fixture
def gpt(server: ServerProcess) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="ollama", max_retries=0)


def test_a_chat_says_what_ollama_s_own_chat_says(gpt, client: ollama.Client) -> None:
    own = client.chat("tiny", ASK, options={"temperature": 0, "top_p": 1.0, "num_predict": 24})
    answer = gpt.chat.completions.create(model="tiny", messages=ASK, **GREEDY)
    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content == own.message.content
    assert choice.finish_reason in ("stop", "length")
    assert answer.object == "chat.completion"
    assert answer.usage.prompt_tokens == own.prompt_eval_count
    assert answer.usage.completion_tokens == own.eval_count
    assert answer.usage.total_tokens == own.prompt_eval_count + own.eval_count


def test_a_stream_says_the_same_and_ends_with_its_usage(gpt) -> None:
    whole = gpt.chat.completions.create(model="tiny", messages=ASK, **GREEDY)
    options = {"include_usage": True}
    chunks = list(
        gpt.chat.completions.create(
            model="tiny", messages=ASK, stream=True, stream_options=options, **GREEDY
        )
    )
    texts = [chunk.choices[0].delta.content for chunk in chunks[:-1]]
    assert "".join(texts) == whole.choices[0].message.content
    assert len({chunk.id for chunk in chunks}) == 1
    reasons = [chunk.choices[0].finish_reason for chunk in chunks[:-1]]
    assert reasons == [None] * (len(reasons) - 1) + [whole.choices[0].finish_reason]
    assert not chunks[-1].choices
    assert chunks[-1].usage == whole.usage


async def test_the_async_client_streams(server: ServerProcess, gpt) -> None:
    whole = gpt.chat.completions.create(model="tiny", messages=ASK, **GREEDY)
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="x") as client:
        stream = await client.chat.completions.create(
            model="tiny", messages=ASK, stream=True, **GREEDY
        )
        text = "".join([chunk.choices[0].delta.content async for chunk in stream])
    assert text == whole.choices[0].message.content


def test_content_may_come_in_parts(gpt) -> None:
    parts = [{"type": "text", "text": "the bat flies"}, {"type": "text", "text": " over a river"}]
    messages = [{"role": "user", "content": parts}]
    answer = gpt.chat.completions.create(model="tiny", messages=messages, **GREEDY)
    whole = gpt.chat.completions.create(model="tiny", messages=ASK, **GREEDY)
    assert answer.choices[0].message.content == whole.choices[0].message.content


@pytest.mark.parametrize(
    "response_format",
    [{"type": "json_schema", "json_schema": {"name": "count", "schema": SCHEMA}}],
)
def test_an_answer_follows_its_schema(gpt, response_format) -> None:
    answer = gpt.chat.completions.create(
        model="tiny", messages=ASK, response_format=response_format, temperature=0, max_tokens=200
    )
    assert isinstance(json.loads(answer.choices[0].message.content)["bats"], int)


def test_a_seed_makes_it_the_same_again_and_another_seed_another(gpt) -> None:
    def said(seed: int) -> str:
        answer = gpt.chat.completions.create(
            model="tiny", messages=ASK, seed=seed, temperature=1.5, max_tokens=24
        )
        return answer.choices[0].message.content

    assert said(7) == said(7)
    assert len({said(seed) for seed in range(4)}) > 1


def test_a_prompt_is_completed(gpt) -> None:
    whole = gpt.completions.create(model="tiny", prompt=ASK[0]["content"], **GREEDY)
    chunks = gpt.completions.create(model="tiny", prompt=ASK[0]["content"], stream=True, **GREEDY)
    assert whole.object == "text_completion"
    assert "".join(chunk.choices[0].text for chunk in chunks) == whole.choices[0].text
    assert whole.usage.completion_tokens > 0


def test_vectors_are_those_of_embed_in_either_encoding(gpt, client: ollama.Client) -> None:
    texts = ["a bat", "a river at night"]
    own = client.embed("tiny", texts).embeddings
    for encoding in ("float", "base64", openai.NOT_GIVEN):
        answer = gpt.embeddings.create(model="tiny", input=texts, encoding_format=encoding)
        assert [item.index for item in answer.data] == [0, 1]
        for item, vector in zip(answer.data, own, strict=True):
            got = item.embedding
            if isinstance(got, str):
                continue  # asked for as base64, it is left as it came
            assert got == pytest.approx(vector, abs=1e-6)
    assert answer.usage.prompt_tokens > 0


def test_models_are_listed_and_found(gpt, client: ollama.Client) -> None:
    names = [model.model for model in client.list().models]
    assert [model.id for model in gpt.models.list()] == names
    found = gpt.models.retrieve(names[0])
    assert (found.id, found.object, found.owned_by) == (names[0], "model", "library")


def test_errors_are_in_openai_s_shape(gpt, server: ServerProcess) -> None:
    with pytest.raises(openai.NotFoundError) as absent:
        gpt.chat.completions.create(model="nobody", messages=ASK)
    assert absent.value.body["message"] == "model 'nobody' not found"
    assert absent.value.body["type"] == "not_found_error"
    with pytest.raises(openai.NotFoundError):
        gpt.chat.completions.create(model="nobody", messages=ASK, stream=True)
    with pytest.raises(openai.NotFoundError):
        gpt.models.retrieve("nobody")
    for messages in ([], [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]):
        with pytest.raises(openai.BadRequestError):
            gpt.chat.completions.create(model="tiny", messages=messages)
    for body in (b"", b"{", b"[]", b'{"model": 3}'):
        answer = httpx.post(f"{server.url}/v1/chat/completions", content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_model_without_tools_says_so(gpt, client: ollama.Client) -> None:
    if "tools" in client.show("tiny").capabilities:
        answer = gpt.chat.completions.create(model="tiny", messages=ASK, tools=[TOOL], **GREEDY)
        assert answer.choices[0].finish_reason in ("stop", "length", "tool_calls")
        return
    with pytest.raises(openai.BadRequestError) as refused:
        gpt.chat.completions.create(model="tiny", messages=ASK, tools=[TOOL])
    assert "does not support tools" in refused.value.body["message"]
