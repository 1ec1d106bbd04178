"""ToolForge and its real peers as processes, with a scripted model behind them."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceStub

from deploy.local.stack import LocalStack
from shared.channel import open_channel
from shared.errors import BatosError
from shared.rpc_status import from_rpc_error
from tests.integration.toolforge.ollama_peer import OllamaPeer, ollama_peer

SETTINGS = {
    "BATOS_TOOLFORGE_TRIAL_SECONDS": "2",
    "BATOS_TOOLFORGE_INVOKE_SECONDS": "2",
    "BATOS_TOOLFORGE_MODEL_SECONDS": "4",
    "BATOS_TOOLFORGE_SERVING_SECONDS": "3",
    "BATOS_TOOLFORGE_QUEUE_LIMIT": "10",
    "BATOS_TOOLFORGE_RETRY_SECONDS": "0.05",
}
ADD = 'def add(a: int, b: int) -> int:\n    """Add two numbers."""\n    return a + b\n'
WRONG = ADD.replace("a + b", "a - b")


@dataclass
class Workshop:
    """A running ToolForge, its model, and its stub."""

    stack: LocalStack
    model: OllamaPeer
    stub: ToolForgeServiceStub

    async def start(self, wanted: pb.Spec, attempt_limit: int = 0) -> pb.Forge:
        request = pb.StartForgeRequest(
            request_id=fresh_id(), spec=wanted, attempt_limit=attempt_limit
        )
        return (await self.stub.StartForge(request)).forge

    async def forge(self, wanted: pb.Spec, attempt_limit: int = 0) -> pb.Forge:
        """Starts a forge and waits for its end."""
        started = await self.start(wanted, attempt_limit)
        await self.events(started.name)
        return await self.get(started.name)

    async def get(self, name: str) -> pb.Forge:
        return (await self.stub.GetForge(pb.GetForgeRequest(name=name))).forge

    async def events(self, name: str, after: int = 0) -> Sequence[pb.ForgeEvent]:
        """Every event until the forge has ended."""
        request = pb.WatchForgeRequest(name=name, after_sequence=after)
        watch = self.stub.WatchForge(request, timeout=60, wait_for_ready=True)
        return [answer.event async for answer in watch]

    async def tools(self) -> set[str]:
        answer = await self.stub.ListTools(pb.ListToolsRequest(page_size=500))
        return {tool.name for tool in answer.tools}

    async def register(self, wanted: pb.Spec, source: str) -> pb.Tool:
        request = pb.RegisterToolRequest(request_id=fresh_id(), spec=wanted, source=source)
        return (await self.stub.RegisterTool(request)).tool

    async def invoke(self, name: str, **arguments: Any) -> pb.InvokeToolResponse:
        return await self.stub.InvokeTool(
            pb.InvokeToolRequest(
                request_id=fresh_id(), name=f"tools/{name}", arguments_json=json.dumps(arguments)
            )
        )

    async def trajectories(self, include_failed: bool) -> Sequence[pb.Trajectory]:
        request = pb.ExportTrajectoriesRequest(include_failed=include_failed)
        return [answer.trajectory async for answer in self.stub.ExportTrajectories(request)]


@asynccontextmanager
async def workshop(
    data_dir: Path,
    services: Sequence[str] = ("memory", "sandbox-executor", "supervisor"),
) -> AsyncIterator[Workshop]:
    async with ollama_peer() as model:
        stack = LocalStack(
            data_dir,
            services=(*services, "toolforge"),
            settings={**SETTINGS, "OLLAMA_HOST": model.address},
        )
        async with stack, open_channel(stack.addresses["toolforge"]) as channel:
            yield Workshop(stack, model, ToolForgeServiceStub(channel))


def fresh_id() -> str:
    return str(uuid.uuid4())


def spec(
    name: str = "add",
    *examples: tuple[dict[str, Any], Any],
    description: str = "Add two numbers.",
) -> pb.Spec:
    chosen = examples or (
        ({"a": 1, "b": 2}, 3),
        ({"a": 5, "b": 5}, 10),
        ({"a": -7, "b": 40}, 33),
    )
    return pb.Spec(
        name=name,
        description=description,
        examples=[
            pb.Example(arguments_json=json.dumps(arguments), result_json=json.dumps(result))
            for arguments, result in chosen
        ],
    )


async def failure(call: Awaitable[Any]) -> BatosError:
    """The typed error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)
