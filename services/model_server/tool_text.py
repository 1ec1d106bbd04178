"""Tool calls that a model writes into its text, where a Go template says how they look.

A template shows the words that come before a call, for example `<tool_call>`; what follows is
JSON with the tool's name and its arguments. The same is done by Ollama (its package `tools`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from services.model_server.go_template import GoTemplate

_MARK = "\ue000"  # a private character: no template writes it by itself
_OPENERS = "{["
_DECODER = json.JSONDecoder()


def tag_of(template: GoTemplate) -> str:
    """What the template writes between the head of an answer and the JSON of a call, stripped."""
    ask = {"role": "user", "content": "a"}
    call = {"function": {"name": _MARK, "arguments": "{}"}}
    said = template.render([ask, {"role": "assistant", "content": _MARK}])
    called = template.render([ask, {"role": "assistant", "content": "", "tool_calls": [call]}])
    head = said.split(_MARK)[0]
    rest = called[len(head) :].split(_MARK)[0] if called.startswith(head) else ""
    return rest.split("{")[0].removesuffix("[").strip()


class ToolText:
    """Parts calls from text as it streams; `feed` and `finish` return what is text after all."""

    def __init__(self, tag: str, tools: Sequence[dict[str, Any]]) -> None:
        self._tag = tag
        self._names = {tool["function"]["name"] for tool in tools if tool.get("function")}
        self._held = ""
        self._calling = False
        self._said = False
        self.calls: list[dict[str, Any]] = []

    def feed(self, text: str) -> str:
        """Take some more of the answer; without tools, all of it is text."""
        if not self._names:
            return text
        self._held += text
        if self._calling:
            return ""
        start = self._start()
        if start is None:
            return self._release(self._open_end())
        self._calling = True
        return self._release(start)

    def finish(self) -> str:
        """Take the end of the answer; a call that is none becomes text again."""
        rest = self._held
        if self._calling:
            while found := self._next_call(rest):
                calls, rest = found
                self.calls += calls
        if self.calls:
            return ""
        return rest

    def _start(self) -> int | None:
        """Where a call begins: at its tag, or without one at a bracket that opens the answer."""
        if self._tag:
            found = self._held.find(self._tag)
            return None if found < 0 else found
        begun = self._held.lstrip()
        return 0 if not self._said and begun[:1] and begun[0] in _OPENERS else None

    def _open_end(self) -> int:
        """How much is text for certain: what could be the beginning of a tag is not."""
        for length in range(min(len(self._tag), len(self._held)), 0, -1):
            if self._held.endswith(self._tag[:length]):
                return len(self._held) - length
        return len(self._held) if self._held.strip() or self._tag else 0

    def _release(self, end: int) -> str:
        text, self._held = self._held[:end], self._held[end:]
        self._said = self._said or bool(text.strip())
        return text

    def _next_call(self, text: str) -> tuple[list[dict[str, Any]], str] | None:
        text = text.lstrip().removeprefix(self._tag)
        starts = [at for opener in _OPENERS if (at := text.find(opener)) >= 0]
        if not starts:
            return None
        try:
            value, end = _DECODER.raw_decode(text, min(starts))
        except ValueError:
            return None
        calls = [call for item in _listed(value) if (call := self._call(item))]
        return (calls, text[end:]) if calls else None

    def _call(self, item: Any) -> dict[str, Any] | None:
        if not isinstance(item, dict) or item.get("name") not in self._names:
            return None
        arguments = item.get("arguments", item.get("parameters", {}))
        if not isinstance(arguments, dict):
            return None
        return {"function": {"name": item["name"], "arguments": arguments}}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
