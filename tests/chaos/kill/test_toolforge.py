"""`kill -9` of ToolForge inside each of its mutations."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub

from deploy.local import LocalStack
from tests.chaos.kill.load import Load, killed_under_load
from tests.chaos.kill.victim import Victim, killed_everywhere, victim
from tests.integration.supervisor.client import fresh

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

PEERS = ("memory", "sandbox-executor", "supervisor")


@pytest.fixture
async def silent_model() -> AsyncIterator[str]:
    """A model backend that takes every request and never answers: forges stay under way."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.close()


@pytest.fixture
async def toolforge(tmp_path: Path, silent_model: str) -> AsyncIterator[Victim]:
    async with LocalStack(tmp_path / "peers", services=PEERS) as peers:
        settings = {
            "OLLAMA_HOST": silent_model,
            "BATOS_MEMORY_ADDRESS": peers.addresses["memory"],
            "BATOS_SANDBOX_ADDRESS": peers.addresses["sandbox-executor"],
            "BATOS_SUPERVISOR_ADDRESS": peers.addresses["supervisor"],
        }
        async with victim("toolforge", tmp_path, **settings) as service:
            yield service


@pytest.fixture
def stub(toolforge: Victim) -> ToolForgeServiceStub:
    return ToolForgeServiceStub(toolforge.channel)


def spec(name: str) -> pb.Spec:
    example = pb.Example(arguments_json='{"n": 2}', result_json="4")
    return pb.Spec(name=name, description="Return twice n.", examples=[example])


def registration() -> pb.RegisterToolRequest:
    name = f"double_{fresh().replace('-', '')}"
    source = f'def {name}(n: int) -> int:\n    """Return twice n."""\n    return 2 * n\n'
    return pb.RegisterToolRequest(request_id=fresh(), spec=spec(name), source=source)


async def forges_of(stub, name: str) -> list[pb.Forge]:
    forges = (await stub.ListForges(pb.ListForgesRequest(page_size=500))).forges
    return [forge for forge in forges if forge.spec.name == name]


async def begun(stub, request: pb.StartForgeRequest) -> pb.StartForgeResponse:
    """Its name: how it stands may change from one answer to the next."""
    answer = await stub.StartForge(request)
    return pb.StartForgeResponse(forge=pb.Forge(name=answer.forge.name))


async def test_beginning_a_forge(toolforge, stub):
    async def make():
        return pb.StartForgeRequest(
            request_id=fresh(), spec=spec(f"forged_{fresh().replace('-', '')}"), attempt_limit=1
        )

    async def check(request, answer):
        (forge,) = await forges_of(stub, request.spec.name)
        assert forge.name == answer.forge.name

    await killed_everywhere(
        toolforge, "StartForge", make, lambda r: begun(stub, r), check, points=2
    )


async def test_stopping_a_forge(toolforge, stub):
    async def make():
        begun = pb.StartForgeRequest(request_id=fresh(), spec=spec("stopped"), attempt_limit=1)
        name = (await stub.StartForge(begun)).forge.name
        async for response in stub.WatchForge(pb.WatchForgeRequest(name=name)):
            if response.event.state == pb.FORGE_STATE_RUNNING:
                break
        await asyncio.sleep(0.2)  # what it writes at its beginning is written
        return pb.CancelForgeRequest(request_id=fresh(), name=name)

    async def check(request, answer):
        assert answer.forge.state == pb.FORGE_STATE_CANCELLED
        watch = stub.WatchForge(pb.WatchForgeRequest(name=request.name))
        ends = [r.event.state async for r in watch if r.event.state != pb.FORGE_STATE_RUNNING]
        assert ends == [pb.FORGE_STATE_QUEUED, pb.FORGE_STATE_CANCELLED]

    await killed_everywhere(toolforge, "CancelForge", make, stub.CancelForge, check, points=2)


async def test_registering_a_tool(toolforge, stub):
    async def make():
        return registration()

    async def check(request, answer):
        tools = (await stub.ListTools(pb.ListToolsRequest(page_size=500))).tools
        assert [t for t in tools if t.spec.name == request.spec.name] == [answer.tool]
        exported = stub.ExportTrajectories(pb.ExportTrajectoriesRequest())
        names = [r.trajectory.source_name async for r in exported]
        assert names.count(answer.tool.name) == 1

    await killed_everywhere(toolforge, "RegisterTool", make, stub.RegisterTool, check, points=2)


async def test_running_a_tool(toolforge, stub):
    tool = (await stub.RegisterTool(registration())).tool
    await asyncio.sleep(1)  # until Memory knows it: that is written down as well

    async def make():
        return pb.InvokeToolRequest(
            request_id=fresh(), name=tool.name, arguments_json=json.dumps({"n": 21})
        )

    async def check(request, answer):
        assert (answer.outcome, answer.value_json) == (pb.INVOCATION_OUTCOME_OK, "42")

    await killed_everywhere(toolforge, "InvokeTool", make, stub.InvokeTool, check, points=2)


async def events_of(stub, name: str) -> list[int]:
    """Kinds of all that has happened to a tool so far."""
    kinds: list[int] = []
    watch = stub.WatchTools(pb.WatchToolsRequest(), timeout=1, wait_for_ready=True)
    with contextlib.suppress(grpc.aio.AioRpcError):
        async for response in watch:
            if response.event.tool == name:
                kinds.append(response.event.kind)
    return kinds


async def changed(stub, name: str) -> str:
    """A tool of that name with two versions; its resource name."""
    for body in ("2 * n", "n + n"):
        request = registration()
        request.source = request.source.replace("2 * n", body).replace(request.spec.name, name)
        request.spec.name = name
        tool = (await stub.RegisterTool(request)).tool
    await asyncio.sleep(0.3)  # until Memory knows it: that is written down as well
    return tool.name


async def test_retiring_a_tool(toolforge, stub):
    async def make():
        name = await changed(stub, f"old_{fresh().replace('-', '')}")
        return pb.RetireToolRequest(request_id=fresh(), name=name, reason="Enough.")

    async def check(request, answer):
        assert (answer.tool.state, answer.tool.state_reason) == (pb.TOOL_STATE_RETIRED, "Enough.")
        assert (await stub.GetTool(pb.GetToolRequest(name=request.name))).tool == answer.tool
        assert (await events_of(stub, request.name)).count(pb.TOOL_EVENT_KIND_RETIRED) == 1

    await killed_everywhere(toolforge, "RetireTool", make, stub.RetireTool, check, points=2)


async def test_rolling_a_tool_back(toolforge, stub):
    async def make():
        name = await changed(stub, f"back_{fresh().replace('-', '')}")
        return pb.RollBackToolRequest(request_id=fresh(), name=name)

    async def check(request, answer):
        current = (await stub.GetTool(pb.GetToolRequest(name=request.name))).tool
        assert current == answer.tool
        assert "2 * n" in current.source
        assert (await events_of(stub, request.name)).count(pb.TOOL_EVENT_KIND_ROLLED_BACK) == 1

    await killed_everywhere(toolforge, "RollBackTool", make, stub.RollBackTool, check, points=2)


async def test_reinstating_a_tool(toolforge, stub):
    async def make():
        name = await changed(stub, f"again_{fresh().replace('-', '')}")
        await stub.RetireTool(pb.RetireToolRequest(request_id=fresh(), name=name))
        await asyncio.sleep(0.3)
        return pb.ReinstateToolRequest(request_id=fresh(), name=name)

    async def check(request, answer):
        found = await stub.GetTool(pb.GetToolRequest(name=request.name))
        assert found.tool == answer.tool
        assert answer.tool.state == pb.TOOL_STATE_ACTIVE
        kinds = [evidence.kind for evidence in found.evidence]
        assert kinds == [pb.EVIDENCE_KIND_RETRIAL, pb.EVIDENCE_KIND_TRIAL]
        assert (await events_of(stub, request.name)).count(pb.TOOL_EVENT_KIND_REINSTATED) == 1

    await killed_everywhere(toolforge, "ReinstateTool", make, stub.ReinstateTool, check, points=2)


async def test_under_load(toolforge, stub):
    versions: list[str] = []

    async def caller(load: Load) -> None:
        for _ in range(3):
            tool = (await load.ask(stub.RegisterTool, registration())).tool
            versions.append(tool.version)
            invocation = pb.InvokeToolRequest(
                request_id=fresh(), name=tool.name, arguments_json='{"n": 21}'
            )
            assert (await load.ask(stub.InvokeTool, invocation)).value_json == "42"
            start = pb.StartForgeRequest(
                request_id=fresh(), spec=spec(f"forged_{len(versions)}"), attempt_limit=1
            )
            forge = (await load.ask(lambda r: begun(stub, r), start)).forge
            stop = pb.CancelForgeRequest(request_id=fresh(), name=forge.name)
            stopped = (await load.ask(stub.CancelForge, stop)).forge
            assert stopped.state == pb.FORGE_STATE_CANCELLED

    await killed_under_load(toolforge, [caller] * 3, total=36, seed=2)
    tools = (await stub.ListTools(pb.ListToolsRequest(page_size=500))).tools
    assert sorted(tool.version for tool in tools) == sorted(versions)
    assert len((await stub.ListForges(pb.ListForgesRequest(page_size=500))).forges) == 9
    exported = stub.ExportTrajectories(pb.ExportTrajectoriesRequest())
    assert len([response async for response in exported]) == 9
