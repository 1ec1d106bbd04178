"""chat, generate and embed, as the official client of Ollama sees them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import ollama
import pytest

from tests.contract.model_server.server_process import ServerProcess

ASK = [{"role": "user", "content": "the bat flies over a river"}]
GREEDY = {"temperature": 0, "num_predict": 48}


def test_a_chat_answers_with_its_statistics(client: ollama.Client) -> None:
    answer = client.chat("tiny", messages=ASK, options=GREEDY)
    assert answer.done
    assert answer.model == "tiny"
    assert answer.message.role == "assistant"
    assert answer.message.content
    assert answer.done_reason in ("stop", "length")
    assert 0 < answer.eval_count <= 48
    assert answer.prompt_eval_count > 10
    assert answer.total_duration >= answer.eval_duration > 0
    assert answer.prompt_eval_duration > 0


def test_a_stream_says_the_same_as_the_whole(client: ollama.Client) -> None:
    whole = client.chat("tiny", messages=ASK, options=GREEDY)
    parts = list(client.chat("tiny", messages=ASK, options=GREEDY, stream=True))
    assert "".join(part.message.content for part in parts) == whole.message.content
    assert len(parts) > 5
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == whole.eval_count


async def test_the_async_client_streams_and_answers(async_client: ollama.AsyncClient) -> None:
    whole = await async_client.chat("tiny", messages=ASK, options=GREEDY)
    parts = [
        part async for part in await async_client.chat("tiny", ASK, options=GREEDY, stream=True)
    ]
    assert "".join(part.message.content for part in parts) == whole.message.content


def test_generate_is_a_chat_of_one_turn(client: ollama.Client) -> None:
    system = {"role": "system", "content": "Be brief."}
    chat = client.chat("tiny", messages=[system, *ASK], options=GREEDY)
    text = client.generate("tiny", ASK[0]["content"], system="Be brief.", options=GREEDY)
    parts = list(
        client.generate("tiny", ASK[0]["content"], system="Be brief.", options=GREEDY, stream=True)
    )
    assert text.response == chat.message.content
    assert "".join(part.response for part in parts) == text.response
    assert text.prompt_eval_count == chat.prompt_eval_count


def test_a_raw_prompt_goes_around_the_template(client: ollama.Client) -> None:
    rendered = f"<|im_start|>user\n{ASK[0]['content']}<|im_end|>\n<|im_start|>assistant\n"
    raw = client.generate("tiny", rendered, raw=True, options=GREEDY)
    assert raw.response == client.generate("tiny", ASK[0]["content"], options=GREEDY).response


def test_answers_do_not_depend_on_who_else_asks(client: ollama.Client) -> None:
    asks = [
        [{"role": "user", "content": f"the bat returns {n} times " * (n + 1)}] for n in range(6)
    ]

    def answer(messages: list[dict[str, str]]) -> str:
        return client.chat("tiny", messages=messages, options=GREEDY).message.content

    alone = [answer(messages) for messages in asks]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(answer, asks * 2))
    assert together == alone * 2


def test_a_seed_repeats_a_sample(client: ollama.Client) -> None:
    def sample(seed: int) -> str:
        options = {"temperature": 0.8, "seed": seed, "num_predict": 32}
        return client.chat("tiny", messages=ASK, options=options).message.content

    assert sample(7) == sample(7)
    assert len({sample(seed) for seed in range(4)}) > 1


def test_without_a_seed_samples_differ(client: ollama.Client) -> None:
    options = {"temperature": 1.5, "num_predict": 32}
    answers = {
        client.chat("tiny", messages=ASK, options=options)["message"].content for _ in "1234"
    }
    assert len(answers) > 1


def test_a_stop_word_ends_the_answer_before_it(client: ollama.Client) -> None:
    text = client.generate("tiny", "hello", options=GREEDY).response
    word = next(text[n : n + 2] for n in range(3, len(text)) if text[n : n + 2].isascii())
    cut = client.generate("tiny", "hello", options={**GREEDY, "stop": [word]})
    assert cut.response == text.split(word)[0]
    assert cut.done_reason == "stop"


def test_num_predict_ends_the_answer_for_its_length(client: ollama.Client) -> None:
    answer = client.chat("tiny", messages=ASK, options={"temperature": 0, "num_predict": 3})
    assert (answer.eval_count, answer.done_reason) == (3, "length")


def test_an_answer_can_be_held_to_a_schema(client: ollama.Client) -> None:
    schema = {
        "type": "object",
        "properties": {"bats": {"enum": ["one", "two"]}},
        "required": ["bats"],
        "additionalProperties": False,
    }
    options = {"temperature": 0, "num_predict": 200}
    answer = client.chat("tiny", messages=ASK, format=schema, options=options)
    assert json.loads(answer.message.content)["bats"] in ("one", "two")


def test_a_long_chat_forgets_its_oldest_turns(client: ollama.Client) -> None:
    turns = [
        {"role": role, "content": "the bat returns before dawn " * 4}
        for _ in range(20)
        for role in ("user", "assistant")
    ]
    options = {"num_ctx": 256, "num_predict": 8, "temperature": 0}
    answer = client.chat("tiny", messages=[*turns, *ASK], options=options)
    assert 100 < answer.prompt_eval_count < 256


def test_one_turn_beyond_the_context_is_refused(client: ollama.Client) -> None:
    with pytest.raises(ollama.ResponseError, match="exceeds the context length") as refused:
        client.chat("tiny", messages=[{"role": "user", "content": "12345 " * 400}])
    assert refused.value.status_code == 400


def test_embeddings_are_unit_vectors_in_order(client: ollama.Client) -> None:
    texts = ["the bat flies", "a river at night", "the bat flies"]
    answer = client.embed("tiny", texts)
    assert [len(vector) for vector in answer.embeddings] == [64] * 3
    assert sum(x * x for x in answer.embeddings[0]) == pytest.approx(1)
    assert answer.embeddings[0] == answer.embeddings[2] != answer.embeddings[1]
    assert client.embed("tiny", texts[1]).embeddings[0] == answer.embeddings[1]
    assert client.embeddings("tiny", texts[1]).embedding == answer.embeddings[1]
    assert answer.prompt_eval_count > 6


def test_no_text_has_no_embedding(client: ollama.Client) -> None:
    assert client.embed("tiny", "").embeddings == []
    assert client.embed("tiny", []).embeddings == []
    assert client.embeddings("tiny", "").embedding == []


def test_embeddings_can_be_shortened_and_cut(client: ollama.Client) -> None:
    vector = client.embed("tiny", "the bat", dimensions=8).embeddings[0]
    assert len(vector) == 8
    assert sum(x * x for x in vector) == pytest.approx(1)
    assert len(client.embed("tiny", "12345 " * 1000).embeddings) == 1
    with pytest.raises(ollama.ResponseError, match="exceeds"):
        client.embed("tiny", "12345 " * 1000, truncate=False)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_goes_stops_its_answer(server: ServerProcess, stream: bool) -> None:
    endless = {"type": "array", "items": {"enum": ["one", "two"]}, "minItems": 400}
    body = {"model": "tiny", "messages": ASK, "format": endless, "stream": stream}
    before = len(server.events("answer_stopped"))
    async with httpx.AsyncClient(base_url=server.url) as http:
        with contextlib.suppress(httpx.ReadTimeout):
            async with http.stream("POST", "/api/chat", json=body, timeout=0.05) as answer:
                await anext(answer.aiter_lines())
    deadline = time.monotonic() + 5
    while len(server.events("answer_stopped")) == before and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert len(server.events("answer_stopped")) == before + 1


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/api/chat", "", 400, "missing request body"),
        ("/api/chat", "{", 400, "Invalid JSON"),
        ("/api/chat", "[]", 400, "object"),
        ("/api/chat", "{}", 400, "model is required"),
        ("/api/chat", '{"model": 5}', 400, "model: "),
        ("/api/chat", '{"model": "absent"}', 404, "model 'absent' not found"),
        ("/api/chat", '{"model": "../../etc/passwd"}', 400, "invalid model name"),
        ("/api/chat", '{"model": "a:b:c"}', 400, "invalid model name"),
        ("/api/chat", '{"model": "tiny", "messages": "hi"}', 400, "messages: "),
        ("/api/chat", '{"model": "tiny", "messages": [{"role": "x"}]}', 400, "invalid role"),
        ("/api/chat", '{"model": "tiny", "keep_alive": "soon"}', 400, "invalid duration"),
        ("/api/chat", '{"model": "tiny", "think": true}', 400, "does not support thinking"),
        ("/api/generate", '{"model": "absent", "prompt": "x"}', 404, "model 'absent' not found"),
        ("/api/generate", '{"model":"tiny","options":{"top_k":"x"}}', 400, "of type integer"),
        ("/api/generate", '{"model":"tiny","options":{"stop":5}}', 400, "array of strings"),
        ("/api/generate", '{"model":"tiny","prompt":"x","suffix":"y"}', 400, "support insert"),
        ("/api/embed", '{"model": "absent", "input": "x"}', 404, "model 'absent' not found"),
        ("/api/show", '{"model": "absent"}', 404, "model 'absent' not found"),
    ],
)
def test_bad_requests_are_told_apart(
    server: ServerProcess, path: str, body: str, status: int, message: str
) -> None:
    answer = httpx.post(server.url + path, content=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_tools_are_refused_where_the_template_knows_none(client: ollama.Client) -> None:
    def fly(height: int) -> str:
        """Fly."""
        return str(height)

    with pytest.raises(ollama.ResponseError, match="does not support tools"):
        client.chat("tiny", messages=ASK, tools=[fly])


def test_pages_of_strangers_are_refused(server: ServerProcess) -> None:
    foreign = {"Origin": "https://example.org"}
    assert httpx.get(server.url + "/api/tags", headers=foreign).status_code == 403
    rebound = {"Host": "example.org:11434"}
    assert httpx.get(server.url + "/api/tags", headers=rebound).status_code == 403
    own = {"Origin": "http://localhost:3000", "Host": "localhost:11434"}
    assert httpx.get(server.url + "/api/tags", headers=own).status_code == 200


def test_the_server_says_that_it_runs(server: ServerProcess) -> None:
    assert httpx.get(server.url).text == "Ollama is running"
    assert httpx.head(server.url).status_code == 200
    assert httpx.get(server.url + "/api/version").json()["version"].count(".") == 2


def ascii_of(pieces: Iterable[Any]) -> str:
    """What a random model says with certainty: it cuts other characters between tokens."""
    said = "".join(piece if isinstance(piece, str) else piece.token for piece in pieces)
    return "".join(char for char in said if char.isascii())


def test_tokens_come_with_their_probabilities_where_asked(client: ollama.Client) -> None:
    asked = {"options": GREEDY, "logprobs": True, "top_logprobs": 3}
    whole = client.chat("tiny", messages=ASK, **asked)
    assert ascii_of(whole.logprobs) == ascii_of([whole.message.content])
    for token in whole.logprobs:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob == token.logprob  # greedy takes the likeliest
    parts = list(client.chat("tiny", messages=ASK, stream=True, **asked))
    streamed = [token.token for part in parts for token in part.logprobs or []]
    assert streamed == [token.token for token in whole.logprobs]
    text = client.generate("tiny", "hello", options=GREEDY, logprobs=True)
    assert ascii_of(text.logprobs) == ascii_of([text.response])
    assert not text.logprobs[0].top_logprobs
    assert client.chat("tiny", messages=ASK, options=GREEDY).logprobs is None
    with pytest.raises(ollama.ResponseError, match="top_logprobs must be between 0 and 20"):
        client.chat("tiny", messages=ASK, logprobs=True, top_logprobs=21)
