"""Tools in Go templates, and the calls that models write into their text."""

from __future__ import annotations

import json

import pytest

from services.model_server.go_template import GoTemplate
from services.model_server.tool_text import ToolText, tag_of

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Where"}},
            "required": ["city"],
        },
    },
}
ASK = {"role": "user", "content": "Rain?"}
CALLED = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}],
}
RESULT = {"role": "tool", "content": "yes", "name": "weather"}

TAGGED = """{{ if .Tools }}Tools:
{{ range .Tools }}{{ . }}
{{ end }}{{ end }}{{ range $i, $_ := .Messages }}{{ $last := eq (len (slice $.Messages $i)) 1 -}}
[{{ .Role }}]{{ if .ToolCalls }}<call>
{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
{{ end }}</call>{{ else }}{{ .Content }}{{ end }}
{{- if and $last (ne .Role "assistant") }}[assistant]{{ end }}{{ end }}"""
BARE = """{{ range .Messages }}[{{ .Role }}]{{ if .ToolCalls }}{{ range .ToolCalls -}}
{"name": "{{ .Function.Name }}", "parameters": {{ json .Function.Arguments }}}{{ end }}
{{- else }}{{ .Content }}{{ end }}{{ end }}
{{- range .Tools }}{{ json .Function }}{{ end }}[assistant]"""
LISTED = """{{ range .Messages }}[{{ .Role }}]{{ if .ToolCalls }}[CALLS] [{{ range .ToolCalls -}}
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}]
{{- else }}{{ .Content }}{{ end }}{{ end }}{{ len .Tools }}[assistant]"""


def written(*pieces: str, tag: str = "<call>") -> tuple[str, list[dict]]:
    """What of an answer is text, and which calls it makes."""
    reader = ToolText(tag, [WEATHER])
    text = "".join(map(reader.feed, pieces))
    return text + reader.finish(), [call["function"] for call in reader.calls]


def test_a_tool_prints_as_it_came_and_its_parts_by_go_names() -> None:
    template = GoTemplate(TAGGED)
    assert template.takes_tools
    prompt = template.render([ASK, CALLED, RESULT], [WEATHER])
    assert prompt.startswith(f"Tools:\n{json.dumps(WEATHER)}\n[user]Rain?")
    assert '<call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</call>' in prompt
    assert prompt.endswith("[tool]yes[assistant]")
    parts = GoTemplate(
        "{{ range .Tools }}{{ .Type }} {{ .Function.Name }}: {{ .Function.Description }}"
        "{{ range $name, $kind := .Function.Parameters.Properties }} {{ $name }}={{ $kind.Type }}"
        "{{ end }} {{ .Function.Parameters.Required }}{{ end }}{{ len .Messages }}"
    )
    assert (
        parts.render([ASK], [WEATHER])
        == 'function weather: Tell the weather. city=string ["city"]1'
    )


def test_without_tools_nothing_is_said_of_them() -> None:
    assert GoTemplate(TAGGED).render([ASK]) == "[user]Rain?[assistant]"
    assert not GoTemplate("{{ .System }}{{ .Prompt }}{{ .Tools }}").takes_tools


@pytest.mark.parametrize(("template", "tag"), [(TAGGED, "<call>"), (BARE, ""), (LISTED, "[CALLS]")])
def test_the_template_says_what_comes_before_a_call(template: str, tag: str) -> None:
    assert tag_of(GoTemplate(template)) == tag


OSLO = {"name": "weather", "arguments": {"city": "Oslo"}}


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_a_call_is_found_however_it_streams(cut: int) -> None:
    said = f"Let me see.<call>\n{json.dumps(OSLO)}\n</call>"
    pieces = [said[at : at + cut] for at in range(0, len(said), cut)]
    assert written(*pieces) == ("Let me see.", [OSLO])


@pytest.mark.parametrize(
    ("said", "tag", "text", "calls"),
    [
        (json.dumps(OSLO), "", "", [OSLO]),
        ('{"name": "weather", "parameters": {"city": "Oslo"}}', "", "", [OSLO]),
        (f"[CALLS] [{json.dumps(OSLO)}, {json.dumps(OSLO)}]", "[CALLS]", "", [OSLO, OSLO]),
        (
            f"<call>{json.dumps(OSLO)}</call>\n<call>{json.dumps(OSLO)}</call>",
            "<call>",
            "",
            [OSLO] * 2,
        ),
        ('{"name": "nobody", "arguments": {}}', "", '{"name": "nobody", "arguments": {}}', []),
        ('<call>{"name": "wea', "<call>", '<call>{"name": "wea', []),
        ('{"name": "weather", "arguments": 3}', "", '{"name": "weather", "arguments": 3}', []),
        ("1 < 2 <cal", "<call>", "1 < 2 <cal", []),
        ("Yes: {}", "", "Yes: {}", []),
        ("", "", "", []),
    ],
)
def test_what_is_no_call_stays_text(said: str, tag: str, text: str, calls: list[dict]) -> None:
    assert written(*said, tag=tag) == (text, calls)


def test_without_tools_text_is_never_held_back() -> None:
    reader = ToolText("", ())
    assert reader.feed('{"a": ') == '{"a": '
    assert reader.finish() == ""
