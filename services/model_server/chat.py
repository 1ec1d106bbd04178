"""POST /api/chat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from services.model_server.answer import Answer, Line
from services.model_server.errors import BadRequestError
from services.model_server.generation import Outcome, generate
from services.model_server.go_template import go_template, is_go_template
from services.model_server.library import Library, Opened
from services.model_server.prompt import (
    answer_format,
    chat_call,
    openai_message,
    with_defaults,
)
from services.model_server.requests import ChatRequest
from services.model_server.token_probabilities import Probabilities, whole_logprobs
from services.model_server.tool_calls import ToolCalls
from services.model_server.tool_text import ToolText, tag_of

_EMPTY = {"role": "assistant", "content": ""}


async def chat(library: Library, request: ChatRequest) -> AsyncIterator[Line]:
    """The lines of the answer as they come; the last has the statistics."""
    answer = Answer(request.model)
    opened = await library.open(request.model)
    options = opened.options(request.options)
    if not request.messages and library.unloads(request.keep_alive):
        await library.unload(opened)
        yield answer.empty("unload", message=_EMPTY)
        return
    probabilities = Probabilities(request)
    body = {**_body(opened, request), **options.sampling(), **probabilities.fields()}
    lease = await library.lease(opened, options, request.keep_alive)
    answer.loaded(lease.load_ns)
    if not request.messages:
        lease.release()
        yield answer.empty("load", message=_EMPTY)
        return
    calls, written = ToolCalls(), _written_calls(opened.template, request.tools)
    call = chat_call(lease.runner, body, opened.template)
    async with aclosing(generate(library.answers, lease, call)) as items:
        async for item in items:
            if isinstance(item, Outcome):
                if rest := written.finish():
                    yield answer.line(message=_message(rest, ""))
                if finished := [*calls.finished(), *written.calls]:
                    yield answer.line(message={**_EMPTY, "tool_calls": finished})
                yield answer.last(item, message=_EMPTY)
                return
            calls.add(item.tool_calls)
            text = written.feed(item.text)
            if text or item.thinking:
                told = probabilities.told(item.logprobs)
                yield answer.line(message=_message(text, item.thinking), **told)


def _written_calls(template: str, tools: list[dict[str, Any]] | None) -> ToolText:
    """What finds calls in the text. Where a Jinja template rules, llama.cpp does so itself."""
    if not tools or not is_go_template(template):
        return ToolText("", ())
    return ToolText(tag_of(go_template(template)), tools)


def _body(opened: Opened, request: ChatRequest) -> dict[str, Any]:
    """The request to llama.cpp, but for the sampling; BadRequestError for what is unsupported."""
    check_supported(opened, request.think, tools=bool(request.tools))
    if not request.messages:
        return {}
    messages = with_defaults(opened, request.messages)
    body = {"messages": [openai_message(m) for m in messages], **answer_format(request.format)}
    return {**body, "tools": request.tools} if request.tools else body


def check_supported(opened: Opened, think: bool | str | None, *, tools: bool = False) -> None:
    """BadRequestError, in Ollama's words, for what the model cannot do."""
    if "completion" not in opened.capabilities:
        raise BadRequestError(f'"{opened.asked}" does not support chat')
    if think:
        raise BadRequestError(f'"{opened.asked}" does not support thinking')
    if tools and "tools" not in opened.capabilities:
        raise BadRequestError(f"{opened.stored.name} does not support tools")


def _message(text: str, thinking: str) -> dict[str, str]:
    message = {"role": "assistant", "content": text}
    return {**message, "thinking": thinking} if thinking else message


def whole_chat(lines: list[Line]) -> Line:
    """The lines of an answer as the single object that `stream: false` asks for."""
    messages = [line["message"] for line in lines]
    content = "".join(message["content"] for message in messages)
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if thinking := "".join(m.get("thinking", "") for m in messages):
        message["thinking"] = thinking
    if calls := [call for m in messages for call in m.get("tool_calls", [])]:
        message["tool_calls"] = calls
    return {**lines[-1], "message": message, **whole_logprobs(lines)}
