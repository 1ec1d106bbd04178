"""The server of the protocol, by the official SDK, over the services."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import structlog
from batos.toolforge.v1 import toolforge_pb2
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged

from services.mcp_server import memory, somas, tools
from services.mcp_server.peers import Peers, in_protocol, typed
from shared.errors import BatosError

_PAUSE_SECONDS = 2.0
_INSTRUCTIONS = (
    "Tools that this machine's model wrote and that passed their trials, run in a sandbox; a "
    "memory (remember, recall, forget); past conversations as resources; personas as prompts."
)

log = structlog.get_logger()
Context = ServerRequestContext[Any]


class McpServer:
    """Lists and runs tools, reads Somas, gives prompts; `follow` tells clients of changed tools."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._bus = InMemorySubscriptionBus()
        self.server: Server[Any] = Server(
            "batos",
            title="BAT OS",
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_read_resource=self._read_resource,
            on_list_prompts=self._list_prompts,
            on_get_prompt=self._get_prompt,
            on_subscriptions_listen=ListenHandler(self._bus),
        )

    async def follow(self) -> None:
        """Watches the ToolForge for ever; while it is away it is asked again."""
        after = 0
        while True:
            try:
                with typed():
                    request = toolforge_pb2.WatchToolsRequest(after_sequence=after)
                    async for response in self._peers.toolforge.WatchTools(request):
                        after = response.event.sequence
                        await self._bus.publish(ToolsListChanged())
            except BatosError as error:
                log.info("toolforge_away", reason=error.reason)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _list_tools(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        with in_protocol():
            forged = [tool async for tool in tools.forged(self._peers)]
        # Those of Memory come first, and theirs is the name.
        own = {tool.name for tool in memory.TOOLS}
        return types.ListToolsResult(
            tools=[*memory.TOOLS, *(tool for tool in forged if tool.name not in own)]
        )

    async def _call_tool(
        self, _: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """What a service refuses is a result with `is_error`, for the model to read."""
        arguments = params.arguments or {}
        try:
            if call := memory.CALLS.get(params.name):
                return await call(self._peers, arguments)
            return await tools.invoke(self._peers, params.name, arguments)
        except BatosError as error:
            return tools.said(f"{error.message} ({error.reason})", failed=True)

    async def _list_resources(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        with in_protocol():
            return await somas.listed(self._peers, (params and params.cursor) or "")

    async def _read_resource(
        self, _: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        with in_protocol():
            return await somas.read(self._peers, str(params.uri))

    async def _list_prompts(
        self, _: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        with in_protocol():
            return types.ListPromptsResult(prompts=await somas.prompts(self._peers))

    async def _get_prompt(
        self, _: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        with in_protocol():
            text = (params.arguments or {}).get("text", "")
            return await somas.prompt(self._peers, params.name, text)
