"""`batos.toolforge.v1` over its two halves, forges and tools."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc
from batos.toolforge.v1 import toolforge_pb2 as pb
from batos.toolforge.v1.toolforge_pb2_grpc import ToolForgeServiceServicer

from services.toolforge.forge_methods import ForgeMethods
from services.toolforge.tool_methods import ToolMethods

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True)
class ToolForgeServicer(ToolForgeServiceServicer):
    """Forges, keeps and runs tools."""

    forge: ForgeMethods
    tool: ToolMethods

    async def StartForge(
        self, request: pb.StartForgeRequest, context: Context
    ) -> pb.StartForgeResponse:
        """See the contract."""
        return await self.forge.start(request)

    async def GetForge(self, request: pb.GetForgeRequest, context: Context) -> pb.GetForgeResponse:
        """See the contract."""
        return await self.forge.get(request)

    async def ListForges(
        self, request: pb.ListForgesRequest, context: Context
    ) -> pb.ListForgesResponse:
        """See the contract."""
        return await self.forge.page(request)

    async def WatchForge(
        self, request: pb.WatchForgeRequest, context: Context
    ) -> AsyncIterator[pb.WatchForgeResponse]:
        """See the contract."""
        async for response in self.forge.watch(request):
            yield response

    async def CancelForge(
        self, request: pb.CancelForgeRequest, context: Context
    ) -> pb.CancelForgeResponse:
        """See the contract."""
        return await self.forge.cancel(request)

    async def RegisterTool(
        self, request: pb.RegisterToolRequest, context: Context
    ) -> pb.RegisterToolResponse:
        """See the contract."""
        return await self.tool.register(request)

    async def GetTool(self, request: pb.GetToolRequest, context: Context) -> pb.GetToolResponse:
        """See the contract."""
        return await self.tool.get(request)

    async def ListTools(
        self, request: pb.ListToolsRequest, context: Context
    ) -> pb.ListToolsResponse:
        """See the contract."""
        return await self.tool.page(request)

    async def ListToolVersions(
        self, request: pb.ListToolVersionsRequest, context: Context
    ) -> pb.ListToolVersionsResponse:
        """See the contract."""
        return await self.tool.versions(request)

    async def SearchTools(
        self, request: pb.SearchToolsRequest, context: Context
    ) -> pb.SearchToolsResponse:
        """See the contract."""
        return await self.tool.find(request)

    async def InvokeTool(
        self, request: pb.InvokeToolRequest, context: Context
    ) -> pb.InvokeToolResponse:
        """See the contract."""
        return await self.tool.invoke(request)

    async def RollBackTool(
        self, request: pb.RollBackToolRequest, context: Context
    ) -> pb.RollBackToolResponse:
        """See the contract."""
        return await self.tool.roll_back(request)

    async def RetireTool(
        self, request: pb.RetireToolRequest, context: Context
    ) -> pb.RetireToolResponse:
        """See the contract."""
        return await self.tool.retire(request)

    async def ReinstateTool(
        self, request: pb.ReinstateToolRequest, context: Context
    ) -> pb.ReinstateToolResponse:
        """See the contract."""
        return await self.tool.reinstate(request)

    async def WatchTools(
        self, request: pb.WatchToolsRequest, context: Context
    ) -> AsyncIterator[pb.WatchToolsResponse]:
        """See the contract."""
        async for response in self.tool.watch(request):
            yield response

    async def ExportTrajectories(
        self, request: pb.ExportTrajectoriesRequest, context: Context
    ) -> AsyncIterator[pb.ExportTrajectoriesResponse]:
        """See the contract."""
        async for response in self.forge.export(request):
            yield response
