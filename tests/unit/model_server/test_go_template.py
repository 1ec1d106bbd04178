"""Go templates render chats as Ollama renders them."""

from __future__ import annotations

import pytest

from services.model_server.go_lexer import TemplateError
from services.model_server.go_template import GoTemplate, is_go_template

SYSTEM = {"role": "system", "content": "Be brief."}
ASK = {"role": "user", "content": "Hi"}
SAID = {"role": "assistant", "content": "Yes?"}
MORE = {"role": "user", "content": "Fly"}
CHAT = [SYSTEM, ASK, SAID, MORE]

CHATML_MESSAGES = """{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 -}}
<|im_start|>{{ .Role }}
{{ .Content }}{{ if not (and $last (eq .Role "assistant")) }}<|im_end|>
{{ end }}
{{- if and $last (ne .Role "assistant") }}<|im_start|>assistant
{{ end }}
{{- end }}"""
CHATML_EXCHANGES = """{{ if .System }}<|im_start|>system
{{ .System }}<|im_end|>
{{ end }}{{ if .Prompt }}<|im_start|>user
{{ .Prompt }}<|im_end|>
{{ end }}<|im_start|>assistant
{{ .Response }}<|im_end|>
"""
RENDERED = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    "<|im_start|>assistant\nYes?<|im_end|>\n<|im_start|>user\nFly<|im_end|>\n"
    "<|im_start|>assistant\n"
)


@pytest.mark.parametrize("template", [CHATML_MESSAGES, CHATML_EXCHANGES])
def test_both_ways_render_a_chat(template: str) -> None:
    assert is_go_template(template)
    assert GoTemplate(template).render(CHAT) == RENDERED


def test_an_answer_that_was_begun_goes_on() -> None:
    begun = [ASK, {"role": "assistant", "content": "Well"}]
    rendered = GoTemplate(CHATML_MESSAGES).render(begun)
    assert rendered.endswith("<|im_start|>assistant\nWell")


def test_without_response_the_answer_comes_last() -> None:
    template = GoTemplate("[{{ .System }}] {{ .Prompt }} ->")
    assert template.render(CHAT) == "[Be brief.] Hi ->Yes?[] Fly ->"


def test_neighbours_of_one_role_become_one() -> None:
    template = GoTemplate("{{ range .Messages }}{{ .Role }}:{{ .Content }};{{ end }}")
    assert template.render([SYSTEM, ASK, MORE]) == "system:Be brief.;user:Hi\n\nFly;"


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("{{ .System }}|{{ len .Messages }}", "Be brief.|4"),
        ("a {{- /* note */ -}} b{{ .Messages | len | printf `%d` }}", "ab4"),
        ("{{ if eq (len .Messages) 1 2 4 }}x{{ else }}y{{ end }}", "x"),
        ("{{ if lt (len .Messages) 3 }}x{{ else if .System }}y{{ else }}z{{ end }}", "y"),
        ("{{ if lt (len .Messages) 3 }}x{{ else if .Tools }}y{{ else }}z{{ end }}", "z"),
        ("{{ with .Tools }}x{{ else }}{{ .System }}{{ end }}{{ len .Messages }}", "Be brief.4"),
        ("{{ with len .Messages }}{{ . }}{{ $.System }}{{ end }}", "4Be brief."),
        ("{{ range .Messages }}{{ if eq .Role `user` }}{{ break }}{{ end }}x{{ end }}", "x"),
        ("{{ range .Messages }}{{ if eq .Role `user` }}{{ continue }}{{ end }}x{{ end }}", "xx"),
        ("{{ $n := 1 }}{{ range .Messages }}{{ $n = .Role }}{{ end }}{{ $n }}", "user"),
        ("{{ range .Tools }}x{{ else }}none{{ end }}{{ len .Messages }}", "none4"),
        ("{{ (index .Messages 1).Content }}", "Hi"),
        ("{{ or .Tools .System }}{{ and .Tools .Nope }}{{ not .Messages }}", "Be brief.false"),
        ('{{ "q\\n" }}{{ json (index .Messages 0).Role }}', 'q\n"system"'),
        ("{{ if true }}{{ 1.5 }}{{ end }}{{ print `n` (len .Messages) }}", "1.5n4"),
    ],
)
def test_the_language(template: str, rendered: str) -> None:
    assert GoTemplate(template).render(CHAT) == rendered


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ if .System }}x", "no {{end}}"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ .System ", "unclosed action"),
        ("{{ wings }}", "not supported"),
        ("{{ template `x` }}", "not supported"),
        ("{{ .A .B }}", "unexpected"),
        ("{{ (.A }}", "unclosed"),
        ("{{ if }}x{{ end }}", "missing value"),
        ("{{ .A | .B }}", "only a function"),
        ("{{ ? }}", "unexpected"),
        ("{{ if .A }}" * 100 + "{{ end }}" * 100, "too deep"),
        ("{{ " + "(" * 100 + ".A" + ")" * 100 + " }}", "too deep"),
    ],
)
def test_what_is_wrong_is_named(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        GoTemplate(template)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ $x }}{{ .Messages }}", "undefined variable"),
        ("{{ .System.Name }}{{ .Messages }}", "can't evaluate field Name"),
        ("{{ range .System }}{{ end }}{{ .Messages }}", "can't iterate"),
        ("{{ index .Messages 99 }}", "error calling index"),
        ("{{ break }}{{ .Messages }}", "outside of a range"),
    ],
)
def test_what_fails_while_rendering_is_named(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        GoTemplate(template).render(CHAT)


@pytest.mark.parametrize(
    "template", ["{% for m in messages %}{{ m.content }}{% endfor %}", "{{ bos_token }}", "plain"]
)
def test_jinja_is_told_from_go(template: str) -> None:
    assert not is_go_template(template)
