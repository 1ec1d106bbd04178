"""Personas as OpenAI's own client, and LangChain's, see them."""

from __future__ import annotations

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from tests.integration.gateway.talk import assistant, soma_of, turns_of, user

ASK = [user("The bat flies over a river.")]


def test_personas_are_models(gpt: openai.OpenAI) -> None:
    names = [model.id for model in gpt.models.list()]
    assert names == ["ALFRED", "BABS", "BRICK", "ROBIN"]
    assert gpt.models.retrieve("robin").id == "ROBIN"
    with pytest.raises(openai.NotFoundError) as caught:
        gpt.models.retrieve("JOKER")
    assert caught.value.code == "model_not_found"


def test_a_whole_answer_is_the_turn_that_the_supervisor_kept(gpt, stack) -> None:
    raw = gpt.chat.completions.with_raw_response.create(model="ROBIN", messages=ASK)
    answer = raw.parse()
    soma = raw.headers["x-batos-soma"]
    (turn,) = turns_of(stack, soma)
    assert answer.choices[0].message.content == turn.assistant_text != ""
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == turn.prompt_tokens > 0
    assert answer.usage.completion_tokens == turn.answer_tokens > 0
    assert answer.batos["soma"] == soma
    assert answer.batos["turn"] == 1
    assert answer.batos["model"]["tag"] == "starter"
    assert answer.model == "ROBIN"


def test_a_stream_is_the_turn_as_well(gpt, stack) -> None:
    chunks = list(
        gpt.chat.completions.create(
            model="ROBIN", messages=ASK, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    (turn,) = turns_of(stack, chunks[-2].batos["soma"])
    assert text == turn.assistant_text != ""
    assert len(chunks) > 4
    assert [c.choices[0].finish_reason for c in chunks[:-1]] == [None] * (len(chunks) - 2) + [
        "stop"
    ]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == turn.prompt_tokens + turn.answer_tokens
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_comes_in_streams_only_where_it_is_asked_for(gpt) -> None:
    chunks = list(gpt.chat.completions.create(model="ROBIN", messages=ASK, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


async def test_the_asynchronous_client_streams(url: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as gpt:
        whole = await gpt.chat.completions.create(model="BABS", messages=ASK)
        stream = await gpt.chat.completions.create(model="BABS", messages=ASK, stream=True)
        chunks = [chunk async for chunk in stream]
    assert whole.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_client_that_resends_the_history_goes_on_with_its_soma(gpt, stack) -> None:
    first = gpt.chat.completions.create(model="ROBIN", messages=ASK)
    said = first.choices[0].message.content
    longer = [*ASK, assistant(f"{said} \n"), user("And then?")]
    second = gpt.chat.completions.create(model="ROBIN", messages=longer)
    assert soma_of(second) == soma_of(first)
    third = gpt.chat.completions.create(
        model="ROBIN",
        messages=[*longer, assistant(second.choices[0].message.content), user("The end?")],
        stream=True,
    )
    assert [chunk.batos["soma"] for chunk in third if "batos" in chunk.model_extra] == [
        soma_of(first)
    ]
    texts = [turn.user_text for turn in turns_of(stack, soma_of(first))]
    assert texts == [ASK[0]["content"], "And then?", "The end?"]


def test_a_fork_becomes_a_soma_of_its_own_with_the_same_history(gpt, stack) -> None:
    first = gpt.chat.completions.create(model="ROBIN", messages=ASK)
    said = assistant(first.choices[0].message.content)
    one, two = (
        gpt.chat.completions.create(model="ROBIN", messages=[*ASK, said, user(text)])
        for text in ("Go left.", "Go right.")
    )
    assert soma_of(one) == soma_of(first) != soma_of(two)
    left, right = ([t.user_text for t in turns_of(stack, soma_of(x))] for x in (one, two))
    assert left == [ASK[0]["content"], "Go left."]
    assert right == [ASK[0]["content"], "Go right."]


def test_a_history_from_elsewhere_is_taken_over(gpt, stack) -> None:
    messages = [
        {"role": "system", "content": "You are a pirate."},
        assistant("Greetings."),
        user("I am Ada."),
        user("I like bats."),
        assistant("Noted."),
        user("Who am I?"),
    ]
    raw = gpt.chat.completions.with_raw_response.create(
        model="ROBIN", messages=messages, temperature=0.3, user="ada"
    )
    assert raw.headers["x-batos-ignored"] == "temperature, user, messages.system"
    first, second = turns_of(stack, raw.headers["x-batos-soma"])
    assert first.user_text == "I am Ada.\n\nI like bats."
    assert first.assistant_text == "Noted."
    assert second.user_text == "Who am I?"
    assert "pirate" not in second.system_text
    # The model read the earlier turn: the prompt is longer than that of the question alone.
    alone = gpt.chat.completions.create(model="ROBIN", messages=messages[-1:])
    assert raw.parse().usage.prompt_tokens > alone.usage.prompt_tokens


def test_the_header_names_the_soma_and_only_the_last_message_counts(gpt, stack) -> None:
    soma = soma_of(gpt.chat.completions.create(model="ROBIN", messages=ASK))
    gpt.chat.completions.create(
        model="ROBIN",
        messages=[user("made up"), assistant("made up as well"), user("Go on.")],
        extra_headers={"X-BatOS-Soma": soma},
    )
    assert [t.user_text for t in turns_of(stack, soma)] == [ASK[0]["content"], "Go on."]


@pytest.mark.parametrize("soma", ["somas/none-such", "nonsense"])
def test_a_soma_that_is_not_there_is_told(gpt, soma: str) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        gpt.chat.completions.create(
            model="ROBIN", messages=ASK, extra_headers={"X-BatOS-Soma": soma}
        )
    assert caught.value.status_code == (404 if "/" in soma else 400)


def test_another_persona_s_soma_is_refused(gpt) -> None:
    soma = soma_of(gpt.chat.completions.create(model="ROBIN", messages=ASK))
    with pytest.raises(openai.BadRequestError, match="ROBIN"):
        gpt.chat.completions.create(
            model="BABS", messages=ASK, extra_headers={"X-BatOS-Soma": soma}
        )


def test_a_repeated_idempotency_key_gets_the_first_turn(gpt, stack, url: str) -> None:
    begun = gpt.chat.completions.create(model="ROBIN", messages=ASK)
    messages = [*ASK, assistant(begun.choices[0].message.content), user("Once only.")]
    key = {"Idempotency-Key": "a key of my own"}
    answers = [
        gpt.chat.completions.create(model="ROBIN", messages=messages, extra_headers=key)
        for _ in range(2)
    ]
    assert answers[0].batos == answers[1].batos
    assert answers[0].choices[0].message.content == answers[1].choices[0].message.content
    assert len(turns_of(stack, soma_of(begun))) == 2
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.chat.completions.create(model="ROBIN", messages=ASK, extra_headers=key)
    assert caught.value.code == "request_id_reused"


@pytest.mark.parametrize(
    "parameter",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"n": 2},
        {"response_format": {"type": "json_object"}},
        {"stop": ["."]},
        {"logprobs": True},
    ],
)
def test_what_would_not_be_kept_to_is_refused(gpt, parameter: dict) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        gpt.chat.completions.create(model="ROBIN", messages=ASK, **parameter)
    assert caught.value.code == "unsupported_parameter"
    assert caught.value.param == next(iter(parameter))


def test_langchain_talks_to_a_persona(url: str, stack) -> None:
    model = ChatOpenAI(model="ROBIN", base_url=f"{url}/v1", api_key="none", temperature=0)
    whole = model.invoke("The bat flies over a river.")
    assert whole.content
    assert whole.usage_metadata["output_tokens"] > 0
    assert "".join(chunk.content for chunk in model.stream("The bat flies over a river."))
    chat = [("human", "The bat flies over a river."), ("ai", whole.content), ("human", "More!")]
    assert model.invoke(chat).content


def test_embeddings_come_from_the_model_backend(gpt, url: str) -> None:
    vectors = [
        each.embedding for each in gpt.embeddings.create(model="starter", input=["a", "b"]).data
    ]
    plain = gpt.embeddings.create(model="starter", input="a", encoding_format="float")
    assert len(vectors) == 2
    assert plain.data[0].embedding == pytest.approx(vectors[0], abs=1e-6)
    assert plain.usage.prompt_tokens > 0
    chain = OpenAIEmbeddings(
        model="starter", base_url=f"{url}/v1", api_key="none", check_embedding_ctx_length=False
    )
    assert chain.embed_query("a") == pytest.approx(vectors[0], abs=1e-6)
    with pytest.raises(openai.NotFoundError) as caught:
        gpt.embeddings.create(model="none-such", input="a")
    assert caught.value.code == "model_not_found"


def test_health_tells_the_truth(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"serving": True, "supervisor": "serving"}
