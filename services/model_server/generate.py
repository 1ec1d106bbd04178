"""POST /api/generate."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from services.model_server.answer import Answer, Line
from services.model_server.chat import check_supported
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
from services.model_server.requests import GenerateRequest, Message
from services.model_server.runner import OnChunk, Runner
from services.model_server.token_probabilities import Probabilities, whole_logprobs


async def complete(library: Library, request: GenerateRequest) -> AsyncIterator[Line]:
    """The lines of the answer as they come; the last has the statistics."""
    answer = Answer(request.model)
    opened = await library.open(request.model)
    options = opened.options(request.options)
    if not request.prompt and library.unloads(request.keep_alive):
        await library.unload(opened)
        yield answer.empty("unload", response="")
        return
    _check(opened, request)
    probabilities = Probabilities(request)
    lease = await library.lease(opened, options, request.keep_alive)
    answer.loaded(lease.load_ns)
    if not request.prompt:
        lease.release()
        yield answer.empty("load", response="")
        return
    fields = {**options.sampling(), **probabilities.fields()}
    call = _call(lease.runner, opened, request, fields)
    async with aclosing(generate(library.answers, lease, call)) as items:
        async for item in items:
            if isinstance(item, Outcome):
                yield answer.last(item, response="")
            elif item.text or item.thinking:
                told = probabilities.told(item.logprobs)
                yield answer.line(**_fields(item.text, item.thinking), **told)


def _check(opened: Opened, request: GenerateRequest) -> None:
    check_supported(opened, request.think)
    if request.images:
        raise BadRequestError("this model does not support images")
    if request.suffix:
        raise BadRequestError(f"{opened.stored.name} does not support insert")
    if request.raw and (request.template or request.system or request.context):
        raise BadRequestError("raw mode does not support template, system, or context")
    if request.context:
        raise BadRequestError("context is not supported: use /api/chat")
    if request.template:
        if not is_go_template(request.template):
            raise BadRequestError("a request's template must be a Go template")
        go_template(request.template)  # raises here what is wrong with it


def _call(
    runner: Runner, opened: Opened, request: GenerateRequest, sampling: dict[str, Any]
) -> Callable[[OnChunk], None]:
    fields = {**answer_format(request.format), **sampling}
    if request.raw:
        raw = {"prompt": request.prompt, **fields}
        return lambda on_chunk: runner.complete(raw, on_chunk)
    messages = [Message(role="user", content=request.prompt)]
    if request.system:
        messages.insert(0, Message(role="system", content=request.system))
    turns = [openai_message(message) for message in with_defaults(opened, messages)]
    template = request.template or opened.template
    return chat_call(runner, {"messages": turns, **fields}, template)


def _fields(text: str, thinking: str) -> dict[str, str]:
    return {"response": text, "thinking": thinking} if thinking else {"response": text}


def whole_completion(lines: list[Line]) -> Line:
    """The lines of an answer as the single object that `stream: false` asks for."""
    response = "".join(line["response"] for line in lines)
    thinking = "".join(line.get("thinking", "") for line in lines)
    return {**lines[-1], **_fields(response, thinking), **whole_logprobs(lines)}
