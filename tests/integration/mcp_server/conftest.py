"""All that the MCP server needs, as real processes, with one forged tool."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from batos.toolforge.v1 import toolforge_pb2, toolforge_pb2_grpc

from deploy.local import LocalStack
from shared.channel import open_channel

SERVICES = ("model-server", "memory", "sandbox-executor", "supervisor", "toolforge")
ROOT = Path(__file__).parents[3]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    async with LocalStack(tmp_path_factory.mktemp("m"), services=SERVICES) as running:
        await register(running, "double", "2 * n")
        yield running


async def register(stack: LocalStack, name: str, body: str) -> None:
    example = toolforge_pb2.Example(
        arguments_json=json.dumps({"n": 2}), result_json=json.dumps(eval(body, {"n": 2}))
    )
    async with open_channel(stack.addresses["toolforge"]) as channel:
        await toolforge_pb2_grpc.ToolForgeServiceStub(channel).RegisterTool(
            toolforge_pb2.RegisterToolRequest(
                request_id=str(uuid.uuid4()),
                spec=toolforge_pb2.Spec(name=name, description=f"{name} it", examples=[example]),
                source=f'def {name}(n: int) -> int:\n    """{name} it."""\n    return {body}\n',
            )
        )


def addresses(stack: LocalStack) -> dict[str, str]:
    """The variables that lead the MCP server to the services."""
    return {
        "BATOS_MEMORY_ADDRESS": stack.addresses["memory"],
        "BATOS_TOOLFORGE_ADDRESS": stack.addresses["toolforge"],
        "BATOS_SUPERVISOR_ADDRESS": stack.addresses["supervisor"],
    }
