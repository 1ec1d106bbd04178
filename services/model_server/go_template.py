"""Chats rendered by Go templates, in the two ways that Ollama does it.

A template that mentions `.Messages` sees the whole chat. One that does not is older: it knows
one `.System`, `.Prompt` and `.Response`, and is rendered once for each exchange.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from services.model_server.go_expressions import Record, Scope, printed, truth
from services.model_server.go_lexer import TemplateError
from services.model_server.go_parser import (
    Block,
    Jump,
    Node,
    fields_of,
    parse,
)
from services.model_server.go_pipeline import Pipeline, expression_fields

_MARKS = re.compile(r"\{\{-?\s*(\.|\$|/\*|(if|else|end|range|with|json|eq)\b)")
_MAX_OUTPUT = 16 * 1024 * 1024

Turn = dict[str, Any]
"""A message in OpenAI's form: role, content, and for calls tool_calls."""


def is_go_template(text: str) -> bool:
    """Whether a chat template is Go's and not Jinja."""
    return "{%" not in text and _MARKS.search(text) is not None


class GoTemplate:
    """A parsed template; TemplateError where it is not valid."""

    def __init__(self, text: str) -> None:
        self._nodes = parse(text)
        self._fields = fields_of(self._nodes)
        if not self._fields & {"Messages", "Response"}:
            self._nodes = (*self._nodes, *parse("{{ .Response }}"))

    @property
    def takes_tools(self) -> bool:
        """Whether it tells the model of tools."""
        return "Tools" in self._fields and "Messages" in self._fields

    def render(self, turns: list[Turn], tools: Sequence[dict[str, Any]] = ()) -> str:
        """The prompt, up to where the model goes on; `tools` are in OpenAI's form."""
        turns = _collated(turns)
        if "Messages" in self._fields:
            system = "\n\n".join(t["content"] for t in turns if t["role"] == "system")
            data: dict[str, Any] = {
                "System": system,
                "Messages": [_message(t) for t in turns],
                "Response": "",
            }
            data["Tools"] = [_tool(tool) for tool in tools] or None
            return _Rendering().run(self._nodes, {**data, "Prompt": ""})
        return self._by_exchange(turns)

    def _by_exchange(self, turns: list[Turn]) -> str:
        done, exchange = "", _exchange()
        ends = {"system": ("Prompt", "Response"), "user": ("Response",), "assistant": ()}
        names = {"system": "System", "user": "Prompt", "assistant": "Response"}
        for turn in turns:
            role = turn["role"] if turn["role"] in names else "user"
            if any(exchange[name] for name in ends[role]):
                done += _Rendering().run(self._nodes, exchange)
                exchange = _exchange()
            exchange[names[role]] = turn["content"]
        return done + _Rendering(cut_after_response=True).run(self._nodes, exchange)


@lru_cache(maxsize=32)
def go_template(text: str) -> GoTemplate:
    """The parsed template, kept for the next request."""
    return GoTemplate(text)


def _exchange() -> dict[str, str]:
    return {"System": "", "Prompt": "", "Response": ""}


def _collated(turns: list[Turn]) -> list[Turn]:
    """Neighbours of one role become one message, but for the results of tools."""
    found: list[Turn] = []
    for turn in turns:
        if found and found[-1]["role"] == turn["role"] != "tool":
            found[-1] = {**turn, "content": f"{found[-1]['content']}\n\n{turn['content']}"}
        else:
            found.append(turn)
    return found


def _message(turn: Turn) -> dict[str, Any]:
    calls = [_called(call["function"]) for call in turn.get("tool_calls", [])]
    name = turn.get("name", "")
    return {"Role": turn["role"], "Content": turn["content"], "ToolCalls": calls, "ToolName": name}


def _called(function: dict[str, Any]) -> dict[str, Any]:
    arguments = json.loads(function["arguments"])
    fields = {"Name": function["name"], "Arguments": arguments}
    source = {"name": function["name"], "arguments": arguments}
    return Record({"Function": Record(fields, source)}, {"function": source})


def _tool(tool: dict[str, Any]) -> Record:
    function = tool.get("function", {})
    given = function.get("parameters") or {}
    properties = {
        name: Record({"Type": kind.get("type"), "Description": kind.get("description", "")}, kind)
        for name, kind in (given.get("properties") or {}).items()
    }
    parameters = {
        "Type": given.get("type"),
        "Required": given.get("required") or [],
        "Properties": properties,
    }
    fields = {
        "Name": function.get("name"),
        "Description": function.get("description", ""),
        "Parameters": Record(parameters, given),
    }
    return Record({"Type": tool.get("type"), "Function": Record(fields, function)}, tool)


class _CutError(Exception):
    """The rest of the template comes after the answer."""


class _JumpError(Exception):
    def __init__(self, kind: str) -> None:
        self.kind = kind


class _Rendering:
    def __init__(self, *, cut_after_response: bool = False) -> None:
        self._cut = cut_after_response
        self._out: list[str] = []
        self._size = 0

    def run(self, nodes: tuple[Node, ...], data: dict[str, Any]) -> str:
        try:
            self._nodes(nodes, Scope(data, data))
        except _CutError:
            pass
        except _JumpError as error:
            raise TemplateError(f"{error.kind} outside of a range") from error
        return "".join(self._out)

    def _nodes(self, nodes: tuple[Node, ...], scope: Scope) -> None:
        for node in nodes:
            if isinstance(node, str):
                self._write(node)
            elif isinstance(node, Pipeline):
                self._action(node, scope)
            elif isinstance(node, Block):
                self._block(node, scope)
            elif isinstance(node, Jump):
                raise _JumpError(node.kind)

    def _action(self, node: Pipeline, scope: Scope) -> None:
        value = node.expression.value_in(scope)
        if node.variables:
            scope.assign(node.variables[0], value, declare=node.declares)
            return
        self._write(printed(value))
        if self._cut and "Response" in expression_fields(node.expression):
            raise _CutError

    def _block(self, node: Block, scope: Scope) -> None:
        value = node.pipeline.expression.value_in(scope)
        if node.kind == "range":
            self._range(node, value, scope)
            return
        inner = scope.inner(value if node.kind == "with" and truth(value) else scope.dot)
        for name in node.pipeline.variables:
            inner.assign(name, value, declare=node.pipeline.declares)
        self._nodes(node.body if truth(value) else node.otherwise, inner)

    def _range(self, node: Block, value: Any, scope: Scope) -> None:
        if value is not None and not isinstance(value, list | dict):
            raise TemplateError(f"range can't iterate over a {type(value).__name__}")
        items = list(value.items() if isinstance(value, dict) else enumerate(value or []))
        if not items:
            self._nodes(node.otherwise, scope.inner(scope.dot))
        for key, item in items:
            inner = scope.inner(item)
            names = node.pipeline.variables
            for name, given in zip(names, (key, item) if len(names) > 1 else (item,), strict=False):
                inner.assign(name, given, declare=node.pipeline.declares)
            try:
                self._nodes(node.body, inner)
            except _JumpError as jump:
                if jump.kind == "break":
                    return

    def _write(self, text: str) -> None:
        self._size += len(text)
        if self._size > _MAX_OUTPUT:
            raise TemplateError("the prompt is too long")
        self._out.append(text)
