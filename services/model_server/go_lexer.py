"""Go templates cut into text and actions, and actions into tokens.

The language is that of https://pkg.go.dev/text/template, which Ollama's `template` is written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.model_server.errors import BadRequestError

_QUOTED = r'"(?:\\.|[^"\\\n])*"'
_RAW = r"`[^`]*`"
_ACTION = re.compile(
    r"\{\{(?P<left>-(?=\s))?\s*"
    rf"(?P<body>/\*.*?\*/|(?:{_QUOTED}|{_RAW}|[^\"`])*?)"
    r"\s*(?P<right>(?<=\s)-)?\}\}",
    re.DOTALL,
)
_TOKEN = re.compile(
    rf"(?P<text>{_QUOTED}|{_RAW})"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?)"
    r"|(?P<variable>\$\w*)"
    r"|(?P<chain>\.\w+(?:\.\w+)*)"
    r"|(?P<dot>\.)"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<mark>:=|[=|(),])"
    r"|(?P<space>\s+)"
)


class TemplateError(BadRequestError):
    """The template is not valid, or uses what is not supported."""

    def __init__(self, message: str) -> None:
        super().__init__(f"template error: {message}")


@dataclass(frozen=True)
class Token:
    """`kind` is one of text, number, variable, chain, dot, word and mark."""

    kind: str
    value: str
    after_space: bool


@dataclass(frozen=True)
class Action:
    """What stands between `{{` and `}}`."""

    tokens: tuple[Token, ...]


def pieces(template: str) -> Iterator[str | Action]:
    """Text and actions in turn; white space beside `{{-` and `-}}` is gone, comments too."""
    at, trim = 0, False
    for match in _ACTION.finditer(template):
        text = template[at : match.start()]
        text = text.lstrip() if trim else text
        yield text.rstrip() if match["left"] else text
        at, trim = match.end(), bool(match["right"])
        if not match["body"].startswith("/*"):
            yield Action(tuple(_tokens(match["body"])))
    rest = template[at:]
    if "{{" in rest:
        raise TemplateError(f"unclosed action: {rest[rest.index('{{') :][:40]!r}")
    yield rest.lstrip() if trim else rest


def _tokens(body: str) -> Iterator[Token]:
    at, after_space = 0, True
    while at < len(body):
        match = _TOKEN.match(body, at)
        if match is None or match.lastgroup is None:
            raise TemplateError(f"unexpected {body[at : at + 20]!r}")
        if match.lastgroup != "space":
            yield Token(match.lastgroup, match[0], after_space)
        at, after_space = match.end(), match.lastgroup == "space"
