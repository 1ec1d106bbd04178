"""One trace for a turn, through every service that it reaches, down into the sandbox."""

from __future__ import annotations

import json
import secrets
import uuid

import grpc
import pytest
from batos.supervisor.v1 import supervisor_pb2, supervisor_pb2_grpc
from batos.toolforge.v1 import toolforge_pb2, toolforge_pb2_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from shared.channel import open_channel
from tests.integration.observability.conftest import Observed

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.timeout(240),
]

SUPERVISOR, MEMORY, TOOLFORGE = "batos-supervisor", "batos-memory", "batos-toolforge"
SANDBOX, MODEL_SERVER = "batos-sandbox_executor", "batos-model_server"
# One model is asked in several wordings: it calls a tool for some of them.
ADDITIONS = ("Add 4 and 9.", "Add 12 and 30.", "What is 5 plus 7?", "Add 2 and 3.")


async def register_addition(observed: Observed) -> None:
    async with open_channel(observed.stack.addresses["toolforge"]) as channel:
        example = toolforge_pb2.Example(
            arguments_json=json.dumps({"a": 1, "b": 2}), result_json="3"
        )
        await toolforge_pb2_grpc.ToolForgeServiceStub(channel).RegisterTool(
            toolforge_pb2.RegisterToolRequest(
                request_id=str(uuid.uuid4()),
                spec=toolforge_pb2.Spec(
                    name="add", description="Add two numbers.", examples=[example]
                ),
                source='def add(a: int, b: int) -> int:\n    """Add two numbers."""\n'
                "    return a + b\n",
            )
        )


async def asked(observed: Observed, text: str, trace_id: str) -> supervisor_pb2.Turn:
    async with open_channel(observed.stack.addresses["supervisor"]) as channel:
        stub = supervisor_pb2_grpc.SupervisorServiceStub(channel)
        request = supervisor_pb2.ConverseRequest(
            request_id=str(uuid.uuid4()), persona="BRICK", text=text
        )
        traceparent = f"00-{trace_id}-{secrets.token_hex(8)}-01"
        call = stub.Converse(request, metadata=(("traceparent", traceparent),))
        return [event async for event in call][-1].finished.turn


async def test_a_turn_is_one_trace_from_the_question_into_the_sandbox(observed: Observed) -> None:
    await register_addition(observed)
    for text in ADDITIONS:
        trace_id = secrets.token_hex(16)
        turn = await asked(observed, text, trace_id)
        if turn.tool_calls:
            break
    assert turn.tool_calls, "no wording had the model call the tool"
    spans = await observed.collector.trace(
        trace_id,
        {
            (SUPERVISOR, "batos.supervisor.v1.SupervisorService/Converse"),
            (SUPERVISOR, "chat"),
            (MODEL_SERVER, "/api/chat"),
            (MEMORY, "batos.memory.v1.MemoryService/Search"),
            (TOOLFORGE, "batos.toolforge.v1.ToolForgeService/SearchTools"),
            (TOOLFORGE, "batos.toolforge.v1.ToolForgeService/InvokeTool"),
            (SANDBOX, "batos.sandbox.v1.SandboxService/Execute"),
            (SANDBOX, "claim"),
            (SANDBOX, "run"),
        },
    )
    names = ancestors(spans, next(span for span in spans.values() if span.name == "run"))
    assert [name.rpartition("/")[2] for name in names] == ["Execute", "InvokeTool", "Converse"]


def ancestors(spans: dict[bytes, Span], span: Span) -> list[str]:
    names = []
    while span := spans.get(span.parent_span_id):
        names.append(span.name)
    return names


async def test_what_people_say_is_in_no_span(observed: Observed) -> None:
    secret, trace_id = f"zebra{secrets.token_hex(4)}", secrets.token_hex(16)
    await asked(observed, f"My word is {secret}. Please remember it.", trace_id)
    await observed.collector.trace(
        trace_id, {(SUPERVISOR, "batos.supervisor.v1.SupervisorService/Converse")}
    )
    assert not [span for _, span in observed.collector.spans if secret in str(span)]


async def test_a_call_that_fails_says_with_which_code(observed: Observed) -> None:
    trace_id = secrets.token_hex(16)
    async with open_channel(observed.stack.addresses["toolforge"]) as channel:
        stub = toolforge_pb2_grpc.ToolForgeServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError, match="no_such_tool"):
            await stub.GetTool(
                toolforge_pb2.GetToolRequest(name="tools/no_such_tool"),
                metadata=(("traceparent", f"00-{trace_id}-{secrets.token_hex(8)}-01"),),
            )
    (span,) = (
        await observed.collector.trace(
            trace_id, {(TOOLFORGE, "batos.toolforge.v1.ToolForgeService/GetTool")}
        )
    ).values()
    codes = {a.key: a.value.int_value for a in span.attributes}
    assert codes["rpc.grpc.status_code"] == 5
