"""Tools in chat: offered through a tag's Go template, called in the answer's text.

The model is random. A schema makes it write a call, as a model that knows tools does by itself.
"""

from __future__ import annotations

import json

import ollama
import openai
import pytest

from tests.contract.model_server.server_process import ServerProcess

TEMPLATE = """{{ range .Tools }}{{ . }}
{{ end }}{{ range .Messages }}<|im_start|>{{ .Role }}
{{ if .ToolCalls }}{{ range .ToolCalls -}}
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
{{- end }}{{ else }}{{ .Content }}{{ end }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
CALL = {
    "type": "object",
    "properties": {
        "name": {"const": "fly"},
        "arguments": {
            "type": "object",
            "properties": {"over": {"enum": ["river", "cave"]}},
            "required": ["over"],
            "additionalProperties": False,
        },
    },
    "required": ["name", "arguments"],
    "additionalProperties": False,
}
ASK = [{"role": "user", "content": "the bat flies over a river"}]
GREEDY = {"temperature": 0, "num_predict": 200}


def fly(over: str) -> str:
    """Fly over something.

    Args:
        over: what lies below
    """
    return over


@pytest.fixture
def tooled(client: ollama.Client) -> str:
    client.create("tooled", from_="tiny", template=TEMPLATE)
    return "tooled"


@pytest.mark.embedded
def test_a_call_in_the_text_is_a_tool_call(client: ollama.Client, tooled: str) -> None:
    assert "tools" in client.show(tooled).capabilities
    asked = {"messages": ASK, "tools": [fly], "format": CALL, "options": GREEDY}
    whole = client.chat(tooled, **asked)
    (call,) = whole.message.tool_calls
    assert call.function.name == "fly"
    assert call.function.arguments["over"] in ("river", "cave")
    assert whole.message.content == ""
    parts = list(client.chat(tooled, stream=True, **asked))
    assert [c for part in parts for c in part.message.tool_calls or []] == [call]
    assert "".join(part.message.content for part in parts) == ""


@pytest.mark.embedded
def test_without_tools_the_same_text_is_text(client: ollama.Client, tooled: str) -> None:
    answer = client.chat(tooled, messages=ASK, format=CALL, options=GREEDY).message
    assert not answer.tool_calls
    assert json.loads(answer.content)["name"] == "fly"


def test_calls_and_their_results_are_part_of_the_prompt(client: ollama.Client, tooled: str) -> None:
    called = client.chat(tooled, messages=ASK, tools=[fly], options=GREEDY)
    calls = [{"function": {"name": "fly", "arguments": {"over": "river"}}}]
    result = {"role": "tool", "tool_name": "fly", "content": "the bat flew over the river"}
    turns = [*ASK, {"role": "assistant", "content": "", "tool_calls": calls}, result]
    answered = client.chat(tooled, messages=turns, tools=[fly], options=GREEDY)
    plain = client.chat(tooled, messages=ASK, options=GREEDY)
    assert answered.prompt_eval_count > called.prompt_eval_count > plain.prompt_eval_count


@pytest.mark.embedded
def test_openai_s_client_gets_the_call_too(
    server: ServerProcess, client: ollama.Client, tooled: str
) -> None:
    gpt = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none")
    schema = {
        "type": "function",
        "function": {
            "name": "fly",
            "parameters": {"type": "object", "properties": {"over": {"type": "string"}}},
        },
    }
    answer = gpt.chat.completions.create(
        model=tooled,
        messages=ASK,
        tools=[schema],
        temperature=0,
        max_tokens=200,
        response_format={"type": "json_schema", "json_schema": {"name": "call", "schema": CALL}},
    )
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "fly"
    assert json.loads(call.function.arguments)["over"] in ("river", "cave")
