"""What is asked of ToolForge."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from batos.client import methods
from batos.client.calls import Call, Pages, Watch, request_id
from batos.client.errors import InvalidArgument, ToolFailed, Violation
from batos.toolforge.v1 import toolforge_pb2 as pb

Examples = Iterable[tuple[Mapping[str, Any], Any]]


def tools(*, include_retired: bool) -> Pages[pb.Tool]:
    """By name."""
    request = pb.ListToolsRequest(include_retired=include_retired)
    return Pages(methods.LIST_TOOLS, request, lambda response: response.tools)


def invoke(name: str, arguments: Mapping[str, Any]) -> Call[Any]:
    """A run of a tool; the answer is its value."""
    request = pb.InvokeToolRequest(
        request_id=request_id(), name=_full(name), arguments_json=_json("arguments", arguments)
    )
    return Call(methods.INVOKE_TOOL, request, _value)


def start_forge(name: str, description: str, examples: Examples, persona: str) -> Call[pb.Forge]:
    """A new forge."""
    spec = pb.Spec(
        name=name,
        description=description,
        examples=[
            pb.Example(
                arguments_json=_json(f"examples[{index}]", arguments),
                result_json=_json(f"examples[{index}]", result),
            )
            for index, (arguments, result) in enumerate(examples)
        ],
    )
    request = pb.StartForgeRequest(request_id=request_id(), spec=spec, persona=persona)
    return Call(methods.START_FORGE, request, lambda response: response.forge)


def watch_forge(name: str) -> Watch[pb.ForgeEvent, pb.Forge]:
    """All events of a forge until it has ended."""
    return Watch(
        methods.WATCH_FORGE,
        pb.WatchForgeRequest(name=name),
        lambda response: response.event,
        Call(methods.GET_FORGE, pb.GetForgeRequest(name=name), lambda response: response.forge),
    )


def _full(name: str) -> str:
    return name if name.startswith("tools/") else f"tools/{name}"


def _value(response: pb.InvokeToolResponse) -> Any:
    if response.outcome != pb.INVOCATION_OUTCOME_OK:
        raise ToolFailed(response)
    return json.loads(response.value_json)


def _json(field: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidArgument(
            f"{field}: {error}", violations=[Violation(field, str(error))]
        ) from error
