"""The SDK's own client over streamable HTTP and over stdio, against real services."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from batos.supervisor.v1 import supervisor_pb2, supervisor_pb2_grpc
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from deploy.local import LocalStack
from deploy.local.topology import free_ports
from shared.channel import open_channel
from tests.integration.mcp_server.conftest import ROOT, addresses, register

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]
COMMAND = [sys.executable, "-m", "services.mcp_server"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def url(stack: LocalStack) -> AsyncIterator[str]:
    (port,) = free_ports(1)
    process = subprocess.Popen(
        COMMAND,
        cwd=ROOT,
        env={**os.environ, **addresses(stack), "BATOS_MCP_LISTEN": f"127.0.0.1:{port}"},
    )
    async with httpx.AsyncClient() as http:
        for _ in range(200):
            try:
                await http.get(f"http://127.0.0.1:{port}/mcp")
                break
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
    yield f"http://127.0.0.1:{port}/mcp"
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture(params=["http", "stdio"])
def client(request: pytest.FixtureRequest, stack: LocalStack, url: str) -> Client:
    if request.param == "http":
        return Client(url)
    environment = {**os.environ, **addresses(stack)}
    return Client(
        stdio_client(
            StdioServerParameters(
                command=COMMAND[0], args=[*COMMAND[1:], "--stdio"], env=environment, cwd=ROOT
            )
        )
    )


def text(result) -> str:
    (content,) = result.content
    return content.text


async def test_tools_are_listed_with_their_schemas_and_run(client: Client) -> None:
    async with client as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert {"double", "remember", "recall", "forget"} <= set(tools)
        assert tools["double"].input_schema["properties"]["n"]["type"] == "integer"
        result = await session.call_tool("double", {"n": 21})
        assert not result.is_error
        assert (text(result), result.structured_content) == ("42", {"result": 42})


async def test_memory_remembers_recalls_and_forgets(client: Client) -> None:
    async with client as session:
        word = uuid.uuid4().hex
        kept = json.loads(
            text(await session.call_tool("remember", {"text": f"The boat {word} is green."}))
        )
        found = json.loads(
            text(await session.call_tool("recall", {"query": f"What colour is the boat {word}?"}))
        )
        assert found[0] == {**found[0], "id": kept["id"], "text": f"The boat {word} is green."}
        gone = json.loads(text(await session.call_tool("forget", {"ids": [kept["id"]]})))
        assert gone["forgotten"] == 1
        again = json.loads(text(await session.call_tool("recall", {"query": word})))
        assert kept["id"] not in [hit["id"] for hit in again]


async def test_somas_are_resources_and_personas_prompts(client: Client, stack: LocalStack) -> None:
    async with open_channel(stack.addresses["supervisor"]) as channel:
        stub = supervisor_pb2_grpc.SupervisorServiceStub(channel)
        asked = supervisor_pb2.ConverseRequest(
            request_id=str(uuid.uuid4()), persona="BRICK", text="Good morning."
        )
        soma = [event async for event in stub.Converse(asked)][-1].finished.soma
    async with client as session:
        uris = [resource.uri for resource in (await session.list_resources()).resources]
        assert f"batos://{soma}" in [str(uri) for uri in uris]
        (content,) = (await session.read_resource(f"batos://{soma}")).contents
        told = json.loads(content.text)
        assert (told["persona"], told["turns"][0]["user"]) == ("BRICK", "Good morning.")
        names = [prompt.name for prompt in (await session.list_prompts()).prompts]
        assert names == ["ALFRED", "BABS", "BRICK", "ROBIN"]
        prompt = await session.get_prompt("ALFRED", {"text": "Hello."})
        assert prompt.messages[0].content.text.endswith("Hello.")


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("double", {"n": "much"}, "arguments_json.n"),
        ("double", {}, "arguments_json"),
        ("no_such_tool", {}, "no_such_tool"),
        ("remember", {"text": "  "}, "not empty"),
        ("remember", {}, "not empty"),
        ("recall", {"query": "a", "limit": 0}, "from 1 to 50"),
        ("recall", {"query": "a", "limit": True}, "from 1 to 50"),
        ("forget", {"ids": "all"}, "a list of ids"),
        ("forget", {"ids": []}, "a list of ids"),
    ],
)
async def test_bad_arguments_are_told_to_the_model(url: str, name, arguments, told) -> None:
    async with Client(url) as session:
        result = await session.call_tool(name, arguments)
        assert result.is_error
        assert told in text(result)


async def test_what_is_not_there_is_an_error_of_the_protocol(url: str) -> None:
    async with Client(url) as session:
        for uri in ("batos://somas/none", "file:///etc/passwd"):
            with pytest.raises(MCPError):
                await session.read_resource(uri)
        with pytest.raises(MCPError, match="NOBODY"):
            await session.get_prompt("NOBODY", {})


async def test_a_new_tool_is_told_to_whoever_listens(url: str, stack: LocalStack) -> None:
    async with Client(url) as session, session.listen(tools_list_changed=True) as changes:
        await register(stack, "triple", "3 * n")
        async with asyncio.timeout(20):
            async for _ in changes:
                names = [tool.name for tool in (await session.list_tools()).tools]
                if "triple" in names:
                    break
        assert text(await session.call_tool("triple", {"n": 3})) == "9"


async def test_a_service_that_is_away_is_said_so_and_comes_back(url: str, stack) -> None:
    await stack.processes["memory"].stop()
    async with Client(url) as session:
        result = await session.call_tool("recall", {"query": "anything"})
        assert result.is_error
        assert text(await session.call_tool("double", {"n": 1})) == "2"
        await stack.restart("memory")
        async with asyncio.timeout(20):
            while (await session.call_tool("recall", {"query": "anything"})).is_error:
                await asyncio.sleep(0.2)


async def test_it_does_not_listen_where_others_can_hear() -> None:
    done = subprocess.run(
        COMMAND,
        cwd=ROOT,
        env={**os.environ, "BATOS_MCP_LISTEN": "0.0.0.0:0"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert "PLAINTEXT_REFUSED" in done.stderr


async def test_pages_of_strangers_are_refused(url: str) -> None:
    headers = {"Origin": "https://evil.example", "Accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert httpx.post(url, json=body, headers=headers).status_code == 403
