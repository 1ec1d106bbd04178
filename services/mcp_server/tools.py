"""Every active tool of the ToolForge as a tool of the protocol."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from batos.toolforge.v1 import toolforge_pb2 as pb
from mcp_types import CallToolResult, TextContent, Tool

from services.mcp_server.peers import Peers, typed

_PAGE = 100


async def forged(peers: Peers) -> AsyncIterator[Tool]:
    """All active tools, with the schemas of their arguments."""
    token = ""
    while True:
        with typed():
            page = await peers.toolforge.ListTools(
                pb.ListToolsRequest(page_size=_PAGE, page_token=token)
            )
        for tool in page.tools:
            if tool.state == pb.TOOL_STATE_ACTIVE:
                yield Tool(
                    name=tool.name.removeprefix("tools/"),
                    description=tool.spec.description,
                    input_schema=json.loads(tool.schema_json),
                )
        if not (token := page.next_page_token):
            return


async def invoke(peers: Peers, name: str, arguments: dict[str, Any]) -> CallToolResult:
    """Runs a tool in a fresh sandbox. BatosError where it could not be run at all."""
    request = pb.InvokeToolRequest(
        request_id=str(uuid.uuid4()), name=f"tools/{name}", arguments_json=json.dumps(arguments)
    )
    with typed():
        answer = await peers.toolforge.InvokeTool(request)
    if answer.outcome != pb.INVOCATION_OUTCOME_OK:
        return said(answer.error, failed=True)
    result = said(answer.value_json)
    result.structured_content = {"result": json.loads(answer.value_json)}
    return result


def said(text: str, *, failed: bool = False) -> CallToolResult:
    """A result in words."""
    return CallToolResult(content=[TextContent(type="text", text=text)], is_error=failed)
