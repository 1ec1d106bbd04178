"""Turns with tool calls as examples: each call is one, and the answer that follows another.

A call is learnt in the format that the model spoke in: its own where its chat template knows tools,
which is then rendered by that template; otherwise the text protocol (shared.spoken_calls), of which
the turn's system message tells. A call that failed is shown and not learnt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from batos.supervisor.v1 import supervisor_pb2 as pb

from services.trainer.training_job import Message
from shared import spoken_calls


@dataclass(frozen=True)
class Step:
    """What was said before, and what the persona said then: words, a call, or both."""

    before: tuple[Message, ...]
    answer: str
    calls: tuple[dict[str, Any], ...] = ()


def offered(turn: pb.Turn) -> tuple[dict[str, Any], ...]:
    """The tools of a turn as chat templates take them; none where they were told of in words."""
    if spoken_calls.HEADING in turn.system_text:
        return ()
    return tuple(
        {
            "type": "function",
            "function": {
                "name": _name(tool.tool),
                "description": tool.description,
                "parameters": json.loads(tool.schema_json or "{}"),
            },
        }
        for tool in turn.tools
    )


def steps(turn: pb.Turn) -> Iterator[Step]:
    """What there is to learn of a good turn, in order; `before` begins after the user's words."""
    told_in_words = spoken_calls.HEADING in turn.system_text
    before: list[Message] = []
    said = 0
    for call in turn.tool_calls:
        words = turn.assistant_text[said : call.position]
        said = call.position
        failed = call.outcome != pb.TOOL_CALL_OUTCOME_OK
        asked, step = (_spoken if told_in_words else _native)(words, call)
        if not failed:
            yield Step(tuple(before), *step)
        before += [asked, _result(call, told_in_words, failed)]
    if answer := turn.assistant_text[said:]:
        yield Step(tuple(before), answer)


def _spoken(words: str, call: pb.ToolCall) -> tuple[Message, tuple[str]]:
    text = words + spoken_calls.call_text(_name(call.tool), json.loads(call.arguments_json))
    return {"role": "assistant", "content": text}, (text,)


def _native(words: str, call: pb.ToolCall) -> tuple[Message, tuple[str, Sequence[dict[str, Any]]]]:
    function = {"name": _name(call.tool), "arguments": json.loads(call.arguments_json)}
    calls = ({"type": "function", "function": function},)
    message: Message = {"role": "assistant", "content": words, "tool_calls": list(calls)}
    return message, (words, calls)


def _result(call: pb.ToolCall, told_in_words: bool, failed: bool) -> Message:
    name, told = _name(call.tool), spoken_calls.outcome_text(call.result, failed=failed)
    if told_in_words:
        return {"role": "user", "content": spoken_calls.result_text(name, told)}
    return {"role": "tool", "name": name, "content": told}


def _name(tool: str) -> str:
    return tool.removeprefix("tools/")
