"""Personas as Ollama's own client, and front ends written for Ollama, see them."""

from __future__ import annotations

import json

import httpx
import ollama
import pytest

from tests.integration.gateway.talk import assistant, somas_of, turns_of, user

ASK = [user("The bat flies over a river.")]


@pytest.fixture
def client(url: str) -> ollama.Client:
    return ollama.Client(host=url)


def test_it_says_that_it_is_there(http: httpx.Client) -> None:
    assert http.get("/").text == "Ollama is running"
    assert http.head("/").status_code == 200
    assert http.get("/api/version").json()["version"]


def test_personas_are_listed_and_shown(client: ollama.Client) -> None:
    models = client.list().models
    assert [model.model for model in models] == [
        f"{name}:latest" for name in ("ALFRED", "BABS", "BRICK", "ROBIN")
    ]
    assert len({model.digest for model in models}) == 4
    assert models[0].details.parent_model == "starter"
    shown = client.show("brick:latest")
    assert "FROM starter" in shown.modelfile
    assert shown.capabilities == ["completion"]
    with pytest.raises(ollama.ResponseError, match="model 'joker' not found") as caught:
        client.show("joker")
    assert caught.value.status_code == 404


def test_a_chat_streams_the_turn_that_is_kept(client: ollama.Client, stack) -> None:
    lines = list(client.chat("ROBIN:latest", ASK, stream=True))
    assert [line.done for line in lines] == [False] * (len(lines) - 1) + [True]
    last = lines[-1]
    assert last.done_reason == "stop"
    (turn,) = turns_of(stack, somas_of(stack)[0])
    assert "".join(line.message.content for line in lines) == turn.assistant_text != ""
    assert (last.prompt_eval_count, last.eval_count) == (turn.prompt_tokens, turn.answer_tokens)
    assert last.total_duration >= last.eval_duration > 0


def test_a_whole_chat_goes_on_with_its_soma(client: ollama.Client, stack) -> None:
    first = client.chat("ROBIN", ASK)
    soma = somas_of(stack)[0]
    longer = [*ASK, assistant(first.message.content), user("And then?")]
    second = client.chat("ROBIN", longer, options={"temperature": 1})
    assert somas_of(stack)[0] == soma
    assert turns_of(stack, soma)[1].assistant_text == second.message.content


def test_raw_lines_tell_of_the_soma(http: httpx.Client) -> None:
    with http.stream("POST", "/api/chat", json={"model": "ROBIN", "messages": ASK}) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]
        assert answer.headers["content-type"] == "application/x-ndjson"
    soma = lines[-1]["batos"]["soma"]
    chat = {"model": "ROBIN", "messages": [user("Go on.")], "stream": False}
    again = http.post("/api/chat", json=chat, headers={"X-BatOS-Soma": soma})
    assert again.headers["x-batos-soma"] == soma
    assert again.json()["batos"]["turn"] == 2


async def test_the_asynchronous_client_streams(url: str) -> None:
    client = ollama.AsyncClient(host=url)
    lines = [line async for line in await client.chat("BABS", ASK, stream=True)]
    assert lines[-1].done
    await client.close()


def test_both_apis_know_each_other_s_conversations(client: ollama.Client, gpt, stack) -> None:
    first = client.chat("ROBIN", ASK)
    soma = somas_of(stack)[0]
    longer = [*ASK, assistant(first.message.content), user("And then?")]
    second = gpt.chat.completions.create(model="ROBIN", messages=longer)
    assert second.batos["soma"] == soma


def test_a_chat_without_messages_only_looks_for_the_persona(client: ollama.Client) -> None:
    assert client.chat("ROBIN", []).done_reason == "load"
    with pytest.raises(ollama.ResponseError, match="not found"):
        client.chat("joker", [])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "does not support tools"),
        ({"think": True}, "ROBIN does not support thinking"),
        ({"format": "json"}, "does not support structured outputs"),
    ],
)
def test_what_a_persona_cannot_do_is_said_as_ollama_says_it(client, more, words) -> None:
    with pytest.raises(ollama.ResponseError, match=words) as caught:
        client.chat("ROBIN", ASK, **more)
    assert caught.value.status_code == 400


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/chat", b"", 400),
        ("/api/chat", b"{", 400),
        ("/api/chat", json.dumps({"model": "ROBIN", "messages": "hi"}).encode(), 400),
        ("/api/chat", json.dumps({"model": "", "messages": ASK}).encode(), 404),
        ("/api/chat", json.dumps({"model": "joker", "messages": ASK}).encode(), 404),
        ("/api/show", b"[]", 400),
        ("/api/pull", b"{}", 404),
    ],
)
def test_errors_have_ollama_s_shape(http: httpx.Client, path, body, status) -> None:
    answer = http.post(path, content=body)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]
    assert isinstance(answer.json()["error"], str)
